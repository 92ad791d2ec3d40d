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
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Request is one request. URL is absolute.
type Request struct {
	Operation string // for errors, as a person says it: "write a secret"
	Method    string
	URL       string
	Header    http.Header
	Body      []byte // not used any more once Do has answered
	Safe      bool   // it may be repeated: its effect is the same, done once or twice
	Write     bool   // it changes something: counts against budgets of writes
}

// Response is an answer of a status below 400, or one to be classified. Body is whole, and at most Party.MaxBody bytes.
type Response struct {
	Status    int
	Header    http.Header
	Body      []byte
	RequestID string
}

// Do sends a request and reads the whole answer. It waits for the budgets and the party's rate limits as long as ctx allows and at most
// MaxWait; it repeats what is Safe after failures that pass. A status of 300 or more is an *Error, and so is every other failure.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	s, err := c.prepare(r)
	if err != nil {
		return nil, err
	}
	p := &patience{left: MaxWait}
	unknown := false
	for n := 1; ; n++ {
		answer, failed := c.attempt(ctx, s, p)
		if failed == nil {
			return answer, nil
		}
		unknown = unknown || failed.Unknown
		failed.Unknown = unknown
		wait, again := repetition(n, r.Safe, failed, c.jitter())
		if !again || wait > p.left || c.limiter.wait(ctx, wait, p) != nil {
			return nil, failed.Error
		}
	}
}

// sending is a request that has been found to be one.
type sending struct {
	Request
	url *url.URL
}

// failure is a failed attempt.
type failure struct {
	*Error
	passing bool // it may be over the next time, and to try is not held against us
}

func (c *Client) prepare(r Request) (sending, error) {
	u, err := url.Parse(r.URL)
	hint := ""
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		hint = "the address is no URL of a host"
	case u.Scheme != "https" && u.Scheme != "http":
		hint = "the address must begin with https://"
	case u.User != nil:
		hint = "the address may not hold a user name or password"
	case !isMethod(r.Method) || !isHeader(r.Header):
		return sending{}, c.failed(r, Internal, "the request cannot be sent: a method or header is none", nil)
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

// attempt sends a request once, when the limits allow it.
func (c *Client) attempt(ctx context.Context, s sending, p *patience) (*Response, *failure) {
	if err := c.limiter.enter(ctx, s.Write, p); err != nil {
		return nil, c.notBegun(s, err)
	}
	var told heard
	defer func() { c.limiter.leave(s.Write, told) }()
	if c.closed.Load() {
		defer c.transport.CloseIdleConnections()
	}
	// What the policy pauses is refused here too: a connection may have been taken out of the pool just before it was closed.
	if policy := c.gateway.current(); policy.Paused {
		return nil, c.unanswered(ctx, s, progress{}, policy.judge(destination{}))
	}
	limited, cancel := context.WithTimeout(ctx, c.party.Timeout)
	defer cancel()
	answer, on, err := c.roundTrip(limited, s)
	if err != nil {
		return nil, c.unanswered(ctx, s, on, err)
	}
	now := c.limiter.clock.Now()
	told = c.party.Dialect.listen(answer.Header, now)
	if answer.Status < 300 {
		told.retryAfter = 0
		c.limiter.served()
		return answer, nil
	}
	failed := c.classify(s, answer, &told, now)
	return nil, failed
}

// progress is how far a request has come.
type progress struct {
	sent     bool // the party may have it
	answered bool // something of an answer has arrived
	status   int  // 0 until the header is whole
}

// roundTrip sends a request and reads the answer. It follows no redirect.
func (c *Client) roundTrip(ctx context.Context, s sending) (*Response, progress, error) {
	var sent, answered atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders:         func() { sent.Store(true) },
		GotFirstResponseByte: func() { answered.Store(true) },
	})
	answer, err := c.transport.RoundTrip(c.request(ctx, s))
	on := progress{sent: sent.Load(), answered: answered.Load()}
	if err != nil {
		return nil, on, err
	}
	defer func() { _ = answer.Body.Close() }()
	on.status = answer.StatusCode
	body, err := readAtMost(answer.Body, c.party.MaxBody)
	if err == nil {
		// The other side sees our connection being closed, and may end its answer as if that were all of it before we see it closed.
		err = ctx.Err()
	}
	if err != nil && (answer.StatusCode < 300 || !errors.Is(err, errTooMuch)) {
		return nil, on, err
	}
	return &Response{
		Status: answer.StatusCode, Header: answer.Header, Body: body, RequestID: requestID(answer.Header, s.Request),
	}, on, nil
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
		// By this the transport itself may send the body again, on another connection. Without it, it does so only where nothing was sent.
		r.GetBody = func() (io.ReadCloser, error) { return newSentBody(s.Body), nil }
	}
	return r
}

// sentBody is a copy of a request's body, wiped once it is closed: the transport may go on reading after it has answered, when the
// caller has wiped its own.
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

// Close wipes the copy.
func (b *sentBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.all)
	b.all = nil
	return nil
}

var errTooMuch = errors.New("the answer is larger than allowed")

// readAtMost reads a body to its end. It is unpacked by then, so that a small answer cannot become a large one.
func readAtMost(body io.Reader, most int64) ([]byte, error) {
	read, err := io.ReadAll(io.LimitReader(body, most+1))
	if int64(len(read)) > most {
		return read[:most], errTooMuch
	}
	return read, err
}

// isMethod is the rule for a method: a token of RFC 9110, of letters alone.
func isMethod(text string) bool {
	return text != "" && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// isHeader reports whether a header is one that can be sent. The transport would name the values that are not.
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

// What is Safe is sent at most attempts times, with waits that grow from firstBackoff to largestBackoff, each a random part of that so
// that many who have failed together do not come back together.
const (
	attempts       = 4
	firstBackoff   = 500 * time.Millisecond
	largestBackoff = 8 * time.Second
	// longestRetry is the longest wait that a party may ask for before a repetition; the caller has other work than to wait for more.
	longestRetry = 10 * time.Second
)

// repetition decides, after the n-th attempt has failed, whether there is another one, and how long to wait for it. jitter is at least
// 0 and below 1.
func repetition(n int, safe bool, failed *failure, jitter float64) (wait time.Duration, again bool) {
	if !safe || !failed.passing || n >= attempts || failed.RetryAfter > longestRetry {
		return 0, false
	}
	return failed.RetryAfter + backoff(n, jitter), true
}

// backoff is the wait after the n-th attempt: exponential with full jitter.
func backoff(n int, jitter float64) time.Duration {
	most := float64(firstBackoff) * math.Pow(2, float64(n-1))
	return time.Duration(jitter * min(most, float64(largestBackoff)))
}
