package outbound

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// Request is one request. URL is absolute.
type Request struct {
	Operation string // for errors, as a person says it: "write a secret"
	Method    string
	URL       string
	Header    http.Header
	Body      []byte
	Safe      bool // it may be repeated: its effect is the same, done once or twice
	Write     bool // it changes something: counts against budgets of writes
}

// Response is an answer. Body is whole, and at most Party.MaxBody bytes.
type Response struct {
	Status    int
	Header    http.Header
	Body      []byte
	RequestID string // "" where the other side gave none that is fit to be shown
}

// Do sends a request and reads the whole answer. It waits for the budgets and the party's rate limits as long as ctx allows and at most
// MaxWait; it repeats what is Safe after failures that pass. A status of 300 or more is an *Error, as is every other failure.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, c.failure(r, Invalid, "the address must be an http or https URL without a user name", err)
	}
	leave, err := c.enter(ctx)
	if err != nil {
		return nil, c.failure(r, Network, "the time for it was over before it was begun", err)
	}
	defer leave()
	for attempt := 1; ; attempt++ {
		if err := c.await(ctx, r); err != nil {
			return nil, err
		}
		answer, err := c.once(ctx, r)
		c.pace.learn(c.party.Dialect, answer)
		if err == nil {
			c.pace.served()
			return answer, nil
		}
		again, after := repeat(r, err, attempt)
		if !again || ctx.Err() != nil || c.gateway.clock.Sleep(ctx, after) != nil {
			return nil, err
		}
	}
}

// await holds a request until budgets and rate limits let it go.
func (c *Client) await(ctx context.Context, r Request) error {
	wait, allowed := c.pace.reserve(r.Write, MaxWait)
	if !allowed {
		known := c.failure(r, RateLimited, "the rate limit is used up", nil)
		known.RetryAfter = wait
		return known
	}
	if wait > 0 {
		if err := c.gateway.clock.Sleep(ctx, wait); err != nil {
			return c.failure(r, Network, "the time for it was over before it was begun", err)
		}
	}
	return nil
}

// once sends the request one time. The answer is there whenever there was one, also beside an error.
func (c *Client) once(ctx context.Context, r Request) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.party.Timeout)
	defer cancel()
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	request, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, c.failure(r, Invalid, "the request cannot be made", err)
	}
	if len(r.Body) == 0 {
		request.Body, request.GetBody, request.ContentLength = nil, nil, 0
	} else if !r.Safe {
		request.GetBody = nil // net/http repeats what it believes unsent; whether it may be is ours to say
	}
	for name, values := range r.Header {
		request.Header[name] = values
	}
	request.Header.Set("User-Agent", c.gateway.agent)
	answered, err := c.http.Do(request)
	if err != nil {
		known := c.failure(r, Network, networkHint(err), err)
		known.Unknown = sent.Load() && !r.Safe
		return nil, known
	}
	defer func() { _ = answered.Body.Close() }()
	answer := &Response{Status: answered.StatusCode, Header: answered.Header, RequestID: requestID(answered.Header)}
	answer.Body, err = io.ReadAll(io.LimitReader(answered.Body, c.party.MaxBody+1))
	switch {
	case err != nil:
		known := c.answered(r, answer, Network, "the answer was cut off", err)
		known.Unknown = !r.Safe
		return nil, known
	case int64(len(answer.Body)) > c.party.MaxBody:
		known := c.answered(r, answer, Provider, "the answer is longer than any that is expected", nil)
		known.Unknown = !r.Safe
		return nil, known
	case answer.Status >= http.StatusMultipleChoices:
		return answer, c.refusal(r, answer)
	}
	return answer, nil
}

// DoJSON sends in as JSON, where it is not nil, and reads the answer into out, where that is not nil. What is no JSON of that shape is of class Provider.
func (c *Client) DoJSON(ctx context.Context, r Request, in, out any) (*Response, error) {
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return nil, c.failure(r, Internal, "", err)
		}
		defer clear(body)
		r.Body, r.Header = body, r.Header.Clone()
		if r.Header == nil {
			r.Header = make(http.Header)
		}
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.Do(ctx, r)
	if err != nil || out == nil {
		return answer, err
	}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		known := c.answered(r, answer, Provider, "the answer is not what is documented: check the address, and what stands between", err)
		known.Unknown = !r.Safe
		return answer, known
	}
	return answer, nil
}

func (c *Client) failure(r Request, class Class, hint string, cause error) *Error {
	return &Error{Class: class, Provider: c.party.Provider, Operation: r.Operation, Hint: hint, Cause: cause}
}

func (c *Client) answered(r Request, answer *Response, class Class, hint string, cause error) *Error {
	known := c.failure(r, class, hint, cause)
	known.Status, known.RequestID = answer.Status, answer.RequestID
	return known
}

// refusal makes an error of a status of 300 or more.
func (c *Client) refusal(r Request, answer *Response) error {
	class, hint := general(answer.Status)
	if c.party.Classify != nil {
		if special, said, known := c.party.Classify(answer); known {
			class, hint = special, said
		}
	}
	known := c.answered(r, answer, class, hint, nil)
	known.RetryAfter = c.waits(class, answer)
	switch answer.Status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		known.Unknown = !r.Safe
	}
	return known
}

// waits is how long a party that refuses wants to be left alone.
func (c *Client) waits(class Class, answer *Response) time.Duration {
	now := c.gateway.clock.Now()
	wait := retryAfter(answer.Header, now)
	if class != RateLimited {
		return wait
	}
	if reset, used := c.party.Dialect.usedUp(answer.Header, now); used {
		wait = max(wait, reset.Sub(now))
	}
	if wait == 0 {
		wait = c.pace.unsaid(c.party.Pause)
	}
	return wait
}

// networkHint tells what a person can do about a connection that was not made.
func networkHint(err error) string {
	var deadline interface{ Timeout() bool }
	switch {
	case errors.Is(err, errPaused):
		return "everything outbound is paused: write paused=false to config"
	case errors.Is(err, errRefused):
		return "the address is not a public one and no rule of egress_allow in config allows it, or it is plain http"
	case errors.Is(err, errProxy):
		return "the proxy does not pass the connection on"
	case isCertificate(err):
		return "its certificate is not trusted, or is for another name"
	case errors.As(err, &deadline) && deadline.Timeout():
		return "it did not answer in time"
	}
	return "it could not be reached"
}

// attempts bounds how often a safe request is sent.
const attempts = 4

// repeat decides whether and when a request is sent again: only what is safe, after what passes, and soon.
func repeat(r Request, err error, attempt int) (again bool, after time.Duration) {
	var known *Error
	if !r.Safe || attempt >= attempts || !errors.As(err, &known) || !known.Class.Passing() || refusedHere(err) {
		return false, 0
	}
	after = backoff(attempt)
	if known.RetryAfter > 0 {
		after = known.RetryAfter
	}
	return after <= longestRepeat, after
}

func refusedHere(err error) bool {
	return errors.Is(err, errPaused) || errors.Is(err, errRefused) || isCertificate(err)
}
