package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"regexp"
)

// general is what a status means where the party has no rule of its own (RFC 9110, RFC 6585).
func general(status int) (class Class, hint string) {
	switch status {
	case http.StatusUnauthorized:
		return Auth, "the credential is refused: supply another"
	case http.StatusPaymentRequired:
		return Limit, "the other side asks for another plan"
	case http.StatusForbidden:
		return Permission, "the credential may not do this"
	case http.StatusNotFound, http.StatusGone:
		return NotFound, "it does not exist, or the credential may not see it"
	case http.StatusConflict, http.StatusPreconditionFailed:
		return Conflict, "it has been changed meanwhile"
	case http.StatusTooManyRequests:
		return RateLimited, "too many requests"
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return Provider, "the other side asks to try again"
	}
	switch {
	case status < http.StatusBadRequest:
		return Provider, "a redirect is not followed: give the address it leads to"
	case status < http.StatusInternalServerError:
		return Invalid, "the other side refuses the input"
	}
	return Provider, "the other side has failed"
}

func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &invalid)
}

// showable is the form of a request id that may stand in an error: one that could be anything else is left out.
var showable = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:._-]{3,63}$`)

// requestID is the other side's own id of a request.
func requestID(h http.Header) string {
	for _, name := range []string{"X-Request-Id", "X-Github-Request-Id", "X-Amzn-Requestid", "X-Vercel-Id", "Cf-Ray"} {
		if id := h.Get(name); showable.MatchString(id) {
			return id
		}
	}
	return ""
}
