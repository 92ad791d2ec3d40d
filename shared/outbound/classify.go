package outbound

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// classify returns the error for a response with a status of 300 or more. The rules of the party
// take precedence over the general rules. classify adds to limits what it learns about waiting.
func (c *Client) classify(s sending, response *Response, limits *rateLimits, now time.Time) *failure {
	class, hint := general(response.Status, *limits)
	if response.Status >= 400 && c.party.Classify != nil {
		if own, ownHint, known := c.party.Classify(response); known {
			class, hint = own, ownHint
		}
	}
	isLimited := class == RateLimited
	switch {
	case isLimited:
		c.learnWait(response, limits, now)
	case response.Status != http.StatusServiceUnavailable:
		limits.retryAfter = 0
	}
	e := c.failed(s.Request, class, hint, nil)
	e.Status, e.RequestID, e.RetryAfter = response.Status, response.RequestID, limits.retryAfter
	// A service that fails with a 5xx may have made the change first. The status of a proxy says
	// nothing about it.
	e.Unknown = response.Status >= 500 && (s.Write || !s.Safe) && !isLimited
	// Without a known wait, a repetition would probably be rate-limited again.
	return &failure{Error: e, passing: isLimited && limits.retryAfter > 0 || isGateway(response.Status) && !isLimited}
}

// learnWait determines how long a rate-limited request must wait.
func (c *Client) learnWait(response *Response, limits *rateLimits, now time.Time) {
	if limits.known && limits.remaining == 0 {
		limits.retryAfter = max(limits.retryAfter, limits.reset)
	}
	if c.party.Wait != nil {
		limits.retryAfter = max(limits.retryAfter, bounded(c.party.Wait(response, now)))
	}
	if limits.retryAfter == 0 {
		limits.retryAfter = c.limiter.refused()
	}
}

func isGateway(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// general returns the class of a status if the party has no rule of its own.
func general(status int, limits rateLimits) (class Class, hint string) {
	switch {
	case status < 400:
		return Provider, "redirects are not followed: use the address that the redirect points to if you trust it"
	case status == http.StatusUnauthorized:
		return Auth, "the credential was rejected: supply a new credential"
	case status == http.StatusTooManyRequests,
		status == http.StatusForbidden && (limits.retryAfter > 0 || limits.known && limits.remaining == 0):
		return RateLimited, "too many requests"
	case status == http.StatusForbidden, status == http.StatusUnavailableForLegalReasons:
		return Permission, "the credential is not permitted to do this"
	case status == http.StatusNotFound, status == http.StatusGone:
		return NotFound, "it does not exist or the credential cannot see it"
	case status == http.StatusConflict, status == http.StatusPreconditionFailed, status == http.StatusLocked:
		return Conflict, "the current state is not the expected one"
	case status == http.StatusPaymentRequired, status == http.StatusInsufficientStorage:
		return Limit, "a quota is used up"
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusProxyAuthRequired, status >= 500:
		return Provider, "the service failed"
	}
	return Invalid, "the service rejected the request as invalid"
}

// notSent returns the failure of a request that was not sent because of a wait.
func (c *Client) notSent(s sending, err error) *failure {
	var long tooLong
	if errors.As(err, &long) {
		e := c.failed(s.Request, RateLimited, "the rate limit of the service is used up for now", nil)
		e.RetryAfter = long.wait
		return &failure{Error: e}
	}
	return &failure{Error: c.failed(s.Request, Network, "the request was canceled before it was sent", err)}
}

// noResponse returns the failure of a request without a complete response.
func (c *Client) noResponse(ctx context.Context, s sending, p progress, cause error) *failure {
	class := Network
	hint, passing, notConnected := explainConnect(cause)
	switch {
	case ctx.Err() != nil:
		hint, passing = "the request was canceled before the response was complete", false
	case notConnected:
	case errors.Is(cause, errTooMuch):
		class, hint = Provider, fmt.Sprintf("the response is larger than %d bytes", c.party.MaxBody)
	// It is not repeated, because that would take as long again.
	case errors.Is(cause, context.DeadlineExceeded) && (p.sent || p.status != 0):
		hint = fmt.Sprintf("no complete response arrived within %s", c.party.Timeout)
	case isConnection(cause) && !p.sent:
		hint, passing = "the host cannot be reached", true
	case p.responded && !isConnection(cause):
		class, hint = Provider, "the response is not valid HTTP: check the address"
	default:
		hint, passing = "the connection was closed before the response was complete", true
	}
	e := c.failed(s.Request, class, hint, cause)
	e.Status = p.status
	e.Unknown = p.sent && (s.Write || !s.Safe)
	return &failure{Error: e, passing: passing}
}

// explainConnect returns the hint for a failure to connect, and whether it may be temporary. known
// is false for all other failures.
func explainConnect(cause error) (hint string, passing, known bool) {
	var refused *refusal
	var handshake *handshakeError
	var proxy *proxyError
	var unresolved *resolveError
	switch {
	case errors.As(cause, &refused) && errors.As(cause, &proxy):
		return "proxy_url: " + refused.hint, false, true
	case errors.As(cause, &refused):
		return refused.hint, false, true
	case errors.As(cause, &proxy) && errors.As(cause, &handshake):
		return "the TLS handshake with the proxy of the mount failed: its certificate must be valid for the host of proxy_url and trusted by the system", isConnection(handshake.cause), true
	case errors.As(cause, &proxy) && proxy.status != 0:
		return fmt.Sprintf("the proxy of the mount rejected the connection with status %d", proxy.status), false, true
	case errors.As(cause, &proxy):
		return "the proxy of the mount cannot be reached", true, true
	case errors.As(cause, &handshake):
		hint, passing = explainHandshake(handshake.cause)
		return hint, passing, true
	case errors.As(cause, &unresolved):
		return "the host name cannot be resolved", true, true
	}
	return "", false, false
}

// explainHandshake returns the hint for a failed TLS handshake, and whether it may be temporary.
func explainHandshake(cause error) (hint string, passing bool) {
	var name x509.HostnameError
	var certificate *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	var alert tls.AlertError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(cause, &name):
		return "the certificate is for another name: check the address, or set the expected name; supply the credential in the same write", false
	case errors.As(cause, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired or is not valid yet", false
	case errors.As(cause, &certificate):
		return "the certificate is not trusted: set ca_pem to the certificate of its CA, together with the credential", false
	case errors.As(cause, &header):
		return "the server does not use TLS: check the scheme and port of the address", false
	case errors.As(cause, &alert):
		return "the server rejected the TLS handshake: it must support TLS 1.2 or newer", false
	}
	return "the TLS handshake failed: the server must support TLS 1.2 or newer", isConnection(cause)
}

// isConnection reports whether err is a failure of the connection and not an invalid response.
func isConnection(err error) bool {
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return false
	}
	var network net.Error
	var stream streamError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.As(err, &network) ||
		errors.As(err, &stream) || errors.Is(err, context.DeadlineExceeded)
}

// streamError has the fields of the unexported error type of net/http for an HTTP/2 stream that was
// reset. errors.As converts that type to it.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (streamError) Error() string { return "stream error" }
