package outbound

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Request is one HTTP request. URL is absolute.
type Request struct {
	Operation string // what the request does, for errors: "write a secret"
	Method    string
	URL       string
	Header    http.Header
	Body      []byte // not used after Do has returned
	Safe      bool   // repeating the request has the same effect as sending it once
	Write     bool   // the request changes something and counts against budgets of writes
}

// Response is a complete response: one with a status below 400, or one that Party.Classify
// classifies. Body has at most Party.MaxBody bytes.
type Response struct {
	Status    int
	Header    http.Header
	Body      []byte
	RequestID string
}

// Do sends a request and reads the complete response. It waits for the budgets and rate limits of
// the service for at most MaxWait and until ctx ends. It repeats a Safe request after temporary
// failures. A status of 300 or more, and every other failure, is an *Error.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	s, err := c.prepare(r)
	if err != nil {
		return nil, err
	}
	p := &patience{left: MaxWait}
	unknown := false
	for n := 1; ; n++ {
		response, failed := c.attempt(ctx, s, p)
		if failed == nil {
			return response, nil
		}
		unknown = unknown || failed.Unknown
		failed.Unknown = unknown
		wait, again := repetition(n, r.Safe, failed, c.jitter())
		if !again || wait > p.left || c.limiter.wait(ctx, wait, p) != nil {
			return nil, failed.Error
		}
	}
}

// sending is a validated request.
type sending struct {
	Request
	url *url.URL
}

// failure is a failed attempt.
type failure struct {
	*Error
	passing bool // temporary, and a repetition is not harmful
}

func (c *Client) prepare(r Request) (sending, error) {
	u, err := url.Parse(r.URL)
	hint := ""
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		hint = "the address must be a URL with a host"
	case u.Scheme != "https" && u.Scheme != "http":
		hint = "the address must begin with https://"
	case u.User != nil:
		hint = "the address must not contain a user name or password"
	case !isPort(u.Port()):
		hint = "the address must have a port from 1 to 65535, or none"
	case !isMethod(r.Method) || !isHeader(r.Header):
		return sending{}, c.failed(r, Internal, "the request cannot be sent: its method or a header is invalid", nil)
	}
	if hint != "" {
		return sending{}, c.failed(r, Invalid, hint, err)
	}
	u.Fragment, u.RawFragment = "", ""
	return sending{r, u}, nil
}

func (c *Client) failed(r Request, class Class, hint string, cause error) *Error {
	return &Error{Class: class, Provider: c.party.Provider, Operation: r.Operation, Hint: hint, Cause: cause}
}

// attempt sends a request once, after waiting for the limits.
func (c *Client) attempt(ctx context.Context, s sending, p *patience) (*Response, *failure) {
	if err := c.limiter.enter(ctx, s.Write, p); err != nil {
		return nil, c.notSent(s, err)
	}
	var limits rateLimits
	defer func() { c.limiter.leave(s.Write, limits) }()
	if c.closed.Load() {
		defer c.transport.CloseIdleConnections()
	}
	// A pause is checked here too, because a connection may have been taken from the pool just
	// before it was closed.
	if policy := c.gateway.current(); policy.Paused {
		return nil, c.noResponse(ctx, s, progress{}, policy.check(destination{}))
	}
	limited, cancel := context.WithTimeout(ctx, c.party.Timeout)
	defer cancel()
	response, reached, err := c.roundTrip(limited, s)
	if err != nil {
		return nil, c.noResponse(ctx, s, reached, err)
	}
	now := c.limiter.clock.Now()
	limits = c.party.Dialect.read(response.Header, now)
	if response.Status < 300 {
		limits.retryAfter = 0
		c.limiter.served()
		return response, nil
	}
	failed := c.classify(s, response, &limits, now)
	return nil, failed
}

// progress is how far an attempt got.
type progress struct {
	sent      bool // the service may have received the request
	responded bool // a part of the response has arrived
	status    int  // 0 until the header is complete
}

// roundTrip sends a request and reads the response. It does not follow redirects.
func (c *Client) roundTrip(ctx context.Context, s sending) (*Response, progress, error) {
	var sent, responded atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders:         func() { sent.Store(true) },
		GotFirstResponseByte: func() { responded.Store(true) },
	})
	received, err := c.transport.RoundTrip(c.request(ctx, s))
	reached := progress{sent: sent.Load(), responded: responded.Load()}
	if err != nil {
		return nil, reached, err
	}
	defer func() { _ = received.Body.Close() }()
	reached.status = received.StatusCode
	body, err := readAtMost(received.Body, c.party.MaxBody)
	if err == nil {
		// When ctx ends, the service may see the closed connection and end its response as if it
		// were complete, before this side sees the connection closed.
		err = ctx.Err()
	}
	if err != nil && (received.StatusCode < 300 || !errors.Is(err, errTooMuch)) {
		return nil, reached, err
	}
	return &Response{
		Status: received.StatusCode, Header: received.Header, Body: body, RequestID: requestID(received.Header, s.Request),
	}, reached, nil
}

func (c *Client) request(ctx context.Context, s sending) *http.Request {
	r := (&http.Request{
		Method: s.Method, URL: s.url, Host: s.url.Host, Header: s.Header.Clone(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if agent := c.gateway.options.UserAgent; agent != "" && r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", agent)
	}
	if len(s.Body) > 0 {
		r.ContentLength = int64(len(s.Body))
		r.Body = newSentBody(s.Body)
	}
	if len(s.Body) > 0 && s.Safe {
		// With GetBody, the transport may send the body again on another connection. Without it,
		// the transport does so only if nothing was sent.
		r.GetBody = func() (io.ReadCloser, error) { return newSentBody(s.Body), nil }
	}
	return r
}

// sentBody is a copy of a request body that is cleared on Close. The transport may read it after
// RoundTrip has returned, when the caller has already cleared its own copy.
type sentBody struct {
	mu   sync.Mutex
	all  []byte
	rest *bytes.Reader
}

func newSentBody(body []byte) *sentBody {
	all := bytes.Clone(body)
	return &sentBody{all: all, rest: bytes.NewReader(all)}
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		return 0, io.ErrClosedPipe
	}
	return b.rest.Read(p)
}

// Close clears the copy.
func (b *sentBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.all)
	b.all = nil
	return nil
}

var errTooMuch = errors.New("the response is larger than allowed")

// readAtMost reads a body to its end. The limit applies to the decompressed body, so a small
// response cannot expand to a large one.
func readAtMost(body io.Reader, most int64) ([]byte, error) {
	read, err := io.ReadAll(io.LimitReader(body, most+1))
	if int64(len(read)) > most {
		return read[:most], errTooMuch
	}
	return read, err
}

// isPort reports whether text is a port of an address. "" selects the port of the scheme.
func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && n != 0
}

// isMethod reports whether text is a method: a token of RFC 9110 that consists of upper-case
// letters.
func isMethod(text string) bool {
	return text != "" && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// isHeader reports whether all headers are valid. The error of the transport would quote an invalid
// value.
func isHeader(header http.Header) bool {
	for name, values := range header {
		if name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c) }) {
			return false
		}
		for _, v := range values {
			if strings.ContainsFunc(v, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				return false
			}
		}
	}
	return true
}

// A Safe request is sent at most attempts times. The waits grow from firstBackoff to
// largestBackoff. Each wait is a random part of that, so that requests that failed together are not
// repeated together.
const (
	attempts       = 4
	firstBackoff   = 500 * time.Millisecond
	largestBackoff = 8 * time.Second
	// longestRetry is the maximum wait before a repetition. For a longer one, Do returns, so that
	// the caller can do other work.
	longestRetry = 10 * time.Second
)

// repetition decides whether a request is repeated after its n-th attempt failed, and how long to
// wait before that. jitter is at least 0 and below 1.
func repetition(n int, safe bool, failed *failure, jitter float64) (wait time.Duration, again bool) {
	if !safe || !failed.passing || n >= attempts || failed.RetryAfter > longestRetry {
		return 0, false
	}
	return failed.RetryAfter + backoff(n, jitter), true
}

// backoff returns the wait after the n-th attempt: exponential with full jitter.
func backoff(n int, jitter float64) time.Duration {
	most := float64(firstBackoff) * math.Pow(2, float64(n-1))
	return time.Duration(jitter * min(most, float64(largestBackoff)))
}
