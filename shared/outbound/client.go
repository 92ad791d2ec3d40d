package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"time"
)

// Defaults and bounds of a client.
const (
	DefaultMaxBody = 8 << 20          // bytes
	DefaultTimeout = 30 * time.Second // of one request, answer included
	MaxWait        = 2 * time.Minute  // for a budget or a rate limit, before a request

	maxHeaderBytes = 64 << 10
	idleTimeout    = 90 * time.Second
)

// Party is who a client talks to, and how it wants to be talked to.
type Party struct {
	Provider    string // for errors
	Workspace   string // whose egress rules hold
	CAPEM       string // certificates trusted beside the system's; "" for none
	ServerName  string // name that the other side's certificate must have; "" for that of the URL
	Dialect     Dialect
	Budgets     []Budget
	Concurrency int
	Pause       time.Duration // after a refusal for too many requests that does not say how long to wait; it doubles with each in a row
	MaxBody     int64
	Timeout     time.Duration
	Classify    func(r *Response) (class Class, hint string, known bool)
}

// Client talks to one party on behalf of one integration. It is safe for concurrent use.
type Client struct {
	gateway *Gateway
	party   Party
	http    *http.Client
	slots   chan struct{}
	pace    *pace
}

// Client makes a client. Its error is an *Error of class Invalid.
func (g *Gateway) Client(p Party) (*Client, error) {
	if p.MaxBody == 0 {
		p.MaxBody = DefaultMaxBody
	}
	if p.Timeout == 0 {
		p.Timeout = DefaultTimeout
	}
	trusted, err := roots(p)
	if err != nil {
		return nil, err
	}
	d := dialer{gateway: g, workspace: p.Workspace, tls: &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: trusted, ServerName: p.ServerName, NextProtos: []string{"h2", "http/1.1"},
	}}
	slots := max(1, p.Concurrency)
	return &Client{
		gateway: g, party: p, slots: make(chan struct{}, slots), pace: newPace(g.clock, p.Budgets),
		http: &http.Client{
			Transport: &http.Transport{
				DialContext: d.plain, DialTLSContext: d.secure, ForceAttemptHTTP2: true,
				MaxIdleConnsPerHost: slots, IdleConnTimeout: idleTimeout, MaxResponseHeaderBytes: maxHeaderBytes,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// roots are the certificates that a party is recognised by: the system's, and its own.
func roots(p Party) (*x509.CertPool, error) {
	if p.CAPEM == "" {
		return nil, nil // the system's
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM([]byte(p.CAPEM)) {
		return nil, &Error{Class: Invalid, Provider: p.Provider, Operation: "trust its certificates", Hint: "they must be in PEM"}
	}
	return pool, nil
}

// Close ends the client's connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// enter waits for one of the client's places.
func (c *Client) enter(ctx context.Context) (leave func(), err error) {
	select {
	case c.slots <- struct{}{}:
		return func() { <-c.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
