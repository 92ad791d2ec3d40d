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

// classify is the only place that says what an answer of status 300 or more means: the party's own rules first, then the general ones.
// What it learns about waiting goes into told.
func (c *Client) classify(s sending, answer *Response, told *heard, now time.Time) *failure {
	class, hint := general(answer.Status, *told)
	if answer.Status >= 400 && c.party.Classify != nil {
		if own, ownHint, known := c.party.Classify(answer); known {
			class, hint = own, ownHint
		}
	}
	limited := class == RateLimited
	switch {
	case limited:
		c.learnWait(answer, told, now)
	case answer.Status != http.StatusServiceUnavailable:
		told.retryAfter = 0
	}
	e := c.failed(s.Request, class, hint, nil)
	e.Status, e.RequestID, e.RetryAfter = answer.Status, answer.RequestID, told.retryAfter
	// A party that fails may have failed after the effect, and one in between does not know.
	e.Unknown = answer.Status >= 500 && (s.Write || !s.Safe) && !limited
	// A wait that nobody knows cannot be kept, and to guess would be to go on asking too often.
	return &failure{Error: e, passing: limited && told.retryAfter > 0 || isGateway(answer.Status) && !limited}
}

// learnWait finds out how long a party that has had too many requests wants to be left alone.
func (c *Client) learnWait(answer *Response, told *heard, now time.Time) {
	if told.told && told.remaining == 0 {
		told.retryAfter = max(told.retryAfter, told.reset)
	}
	if c.party.Wait != nil {
		told.retryAfter = max(told.retryAfter, bounded(c.party.Wait(answer, now)))
	}
	if told.retryAfter == 0 {
		told.retryAfter = c.limiter.refused()
	}
}

func isGateway(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// general says what a status means where a party says nothing else.
func general(status int, told heard) (class Class, hint string) {
	switch {
	case status < 400:
		return Provider, "it redirects, which is not followed: give the address that it leads to, if that is to be trusted"
	case status == http.StatusUnauthorized:
		return Auth, "the credential is refused: supply another"
	case status == http.StatusTooManyRequests,
		status == http.StatusForbidden && (told.retryAfter > 0 || told.told && told.remaining == 0): // as GitHub's secondary limits
		return RateLimited, "too many requests"
	case status == http.StatusForbidden, status == http.StatusUnavailableForLegalReasons:
		return Permission, "the credential may not do this"
	case status == http.StatusNotFound, status == http.StatusGone:
		return NotFound, "it does not exist, or the credential may not see it"
	case status == http.StatusConflict, status == http.StatusPreconditionFailed, status == http.StatusLocked:
		return Conflict, "what is there is not what was expected"
	case status == http.StatusPaymentRequired, status == http.StatusInsufficientStorage:
		return Limit, "a quota is used up"
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusProxyAuthRequired, status >= 500:
		return Provider, "the other side fails"
	}
	return Invalid, "the request is refused as it is"
}

// notBegun is a request that was not sent, for its time had not come.
func (c *Client) notBegun(s sending, err error) *failure {
	var long tooLong
	if errors.As(err, &long) {
		e := c.failed(s.Request, RateLimited, "the limit of requests is used up for now", nil)
		e.RetryAfter = long.wait
		return &failure{Error: e}
	}
	return &failure{Error: c.failed(s.Request, Network, "it was given up before it was sent", err)}
}

// unanswered says what it means that there is no whole answer.
func (c *Client) unanswered(ctx context.Context, s sending, on progress, cause error) *failure {
	class := Network
	hint, passing, unconnected := explainConnect(cause)
	switch {
	case ctx.Err() != nil:
		hint, passing = "it was given up while it was on its way", false
	case unconnected:
	case errors.Is(cause, errTooMuch):
		class, hint = Provider, fmt.Sprintf("its answer is larger than %d bytes", c.party.MaxBody)
	case errors.Is(cause, context.DeadlineExceeded) && (on.sent || on.status != 0): // to wait for it anew would take as long
		hint = fmt.Sprintf("no whole answer came within %s", c.party.Timeout)
	case isConnection(cause) && !on.sent:
		hint, passing = "the host is not reached", true
	case on.answered && !isConnection(cause):
		class, hint = Provider, "its answer cannot be understood: is it the right address?"
	default:
		hint, passing = "the connection was cut before the whole answer was there", true
	}
	e := c.failed(s.Request, class, hint, cause)
	e.Status = on.status
	e.Unknown = on.sent && (s.Write || !s.Safe)
	return &failure{Error: e, passing: passing}
}

// explainConnect says why there is no connection, and whether another attempt may do better; known is false for all other failures.
func explainConnect(cause error) (hint string, passing, known bool) {
	var refused *refusal
	var handshake *handshakeError
	var proxy *proxyError
	var unresolved *resolveError
	switch {
	case errors.As(cause, &refused) && errors.As(cause, &proxy):
		return "of the mount's proxy_url: " + refused.hint, false, true
	case errors.As(cause, &refused):
		return refused.hint, false, true
	case errors.As(cause, &proxy) && proxy.status != 0:
		return fmt.Sprintf("the mount's proxy does not let it through: status %d", proxy.status), false, true
	case errors.As(cause, &proxy):
		return "the mount's proxy is not reached", true, true
	case errors.As(cause, &handshake):
		hint, passing = explainHandshake(handshake.cause)
		return hint, passing, true
	case errors.As(cause, &unresolved):
		return "no address is known of the host's name", true, true
	}
	return "", false, false
}

// explainHandshake says why TLS has failed, and whether another attempt may do better.
func explainHandshake(cause error) (hint string, passing bool) {
	var name x509.HostnameError
	var certificate *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	var alert tls.AlertError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(cause, &name):
		return "its certificate is for another name: check the address, or set the name that it must have", false
	case errors.As(cause, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate has expired or is not valid yet", false
	case errors.As(cause, &certificate):
		return "its certificate is not trusted: is its authority in ca_pem?", false
	case errors.As(cause, &header):
		return "it does not speak TLS: check scheme and port of the address", false
	case errors.As(cause, &alert):
		return "it refuses TLS as we offer it, which is 1.2 and newer", false
	}
	return "TLS is not agreed upon, which must be 1.2 or newer", isConnection(cause)
}

// isConnection tells a connection that failed from an answer that is none.
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

// streamError has the shape by which net/http gives its error for an HTTP/2 stream that was cut off: its own type is not exported.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (streamError) Error() string { return "stream error" }
