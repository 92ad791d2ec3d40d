package outbound

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"
)

// Defaults of a client.
const (
	DefaultMaxBody = 8 << 20          // bytes
	DefaultTimeout = 30 * time.Second // of one request, answer included
)

// Bounds of every client.
const (
	maxHeader   = 64 << 10         // bytes of an answer's header
	idleTimeout = 60 * time.Second // of a connection that nobody uses
	pingAfter   = 15 * time.Second // of silence on an HTTP/2 connection that is in use
	pingTimeout = 10 * time.Second
)

// Party is who a client talks to, and how it wants to be talked to.
type Party struct {
	Provider    string // for errors
	Workspace   string // whose egress rules hold
	CAPEM       string // certificates trusted beside the system's; "" for none
	ServerName  string // name that the other side's certificate must have; "" for that of the URL
	Dialect     Dialect
	Budgets     []Budget
	Concurrency int           // requests at once; 0 means 1
	Pause       time.Duration // after a refusal for too many requests that does not say how long to wait; it doubles with each in a row
	MaxBody     int64         // bytes of an answer, unpacked; 0 means DefaultMaxBody
	Timeout     time.Duration // of one request, answer included; 0 means DefaultTimeout
	// Classify is asked first what a status of 400 or more means; nil for the general rules alone. Its hint may be empty.
	Classify func(r *Response) (class Class, hint string, known bool)
	// Wait reads from the body of a refusal for too many requests how long to wait, for parties that say it there; nil for those that
	// do not. 0 is for a body that does not say it.
	Wait func(r *Response, now time.Time) time.Duration
}

// Client talks to one party on behalf of one integration. It is safe for concurrent use.
type Client struct {
	party     Party
	gateway   *Gateway
	transport *http.Transport
	limiter   *limiter
	jitter    func() float64 // 0 <= x < 1
	closed    atomic.Bool
}

// Client makes a client. Its error is an *Error of class Invalid.
func (g *Gateway) Client(p Party) (*Client, error) {
	invalid := func(hint string, cause error) error {
		return &Error{Class: Invalid, Provider: p.Provider, Operation: "make a client", Hint: hint, Cause: cause}
	}
	if p.Concurrency < 0 || p.MaxBody < 0 || p.Timeout < 0 || p.Pause < 0 {
		return nil, invalid("concurrency, pause, largest answer and time limit may not be negative", nil)
	}
	for _, b := range p.Budgets {
		if b.Requests < 0 || b.Per < 0 || b.Spacing < 0 || (b.Requests > 0) != (b.Per > 0) {
			return nil, invalid("a budget is a positive number of requests in a positive span of time", nil)
		}
	}
	p.Concurrency = max(p.Concurrency, 1)
	if p.MaxBody == 0 {
		p.MaxBody = DefaultMaxBody
	}
	if p.Timeout == 0 {
		p.Timeout = DefaultTimeout
	}
	roots, err := trusted(p.CAPEM)
	if err != nil {
		return nil, invalid("ca_pem must hold certificates in PEM, and nothing else", err)
	}
	t := &route{gateway: g, workspace: p.Workspace, tls: &tls.Config{
		MinVersion: tls.VersionTLS12,
		RootCAs:    roots,
		ServerName: p.ServerName,
		NextProtos: []string{"h2", "http/1.1"},
	}}
	return &Client{
		party: p, gateway: g, transport: t.transport(), jitter: rand.Float64,
		limiter: newLimiter(g.options.Clock, p),
	}, nil
}

// transport is a http.Transport that knows no proxy, for the route goes through one itself where it must.
//
// A connection of HTTP/1 serves one request. In one that is kept, the transport would log what arrives while nobody has asked; and when
// the other side closes it just as a request is sent, nobody knows whether that was received. A negative number of idle connections
// says so, and leaves those of HTTP/2 alone.
func (t *route) transport() *http.Transport {
	return &http.Transport{
		DialContext:            t.dialPlain,
		DialTLSContext:         t.dialTLS,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    -1,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// trusted answers the system's certificates and those given; nil for the system's alone.
func trusted(given string) (*x509.CertPool, error) {
	if given == "" {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	for rest := []byte(given); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if len(bytes.TrimSpace(rest)) > 0 {
				return nil, errors.New("what follows is no PEM")
			}
			return pool, nil
		}
		if block.Type != "CERTIFICATE" {
			return nil, errors.New("a block is no certificate")
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		pool.AddCert(certificate)
	}
}

// Close ends the connections that nobody uses, and each of the others once its request is done.
func (c *Client) Close() {
	c.closed.Store(true)
	c.transport.CloseIdleConnections()
}
