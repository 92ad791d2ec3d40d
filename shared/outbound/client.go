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
	DefaultTimeout = 30 * time.Second // limit for one request including its response
)

// Limits of every client.
const (
	maxHeader   = 64 << 10         // maximum size of a response header in bytes
	idleTimeout = 60 * time.Second // of an unused connection
	pingAfter   = 15 * time.Second // idle time on an HTTP/2 connection with open requests
	pingTimeout = 10 * time.Second
)

// Party describes the service that a client talks to.
type Party struct {
	Provider  string // name for errors
	Workspace string // workspace whose egress rules apply
	CAPEM     string // CA certificates that are trusted in addition to the system's; "" for none
	// ServerName is the name that the service's certificate must contain; "" for the host of the
	// URL.
	ServerName  string
	Dialect     Dialect
	Budgets     []Budget
	Concurrency int // maximum number of parallel requests; 0 means 1
	// Pause is the wait after a rate-limited response that names no wait. It doubles with each
	// consecutive one.
	Pause time.Duration
	// MaxBody is the maximum size of a decompressed response in bytes; 0 means DefaultMaxBody.
	MaxBody int64
	Timeout time.Duration // for one request including its response; 0 means DefaultTimeout
	// Classify classifies a response with a status of 400 or more. If it is nil or known is false,
	// the general rules apply. The hint may be empty.
	Classify func(r *Response) (class Class, hint string, known bool)
	// Wait returns the wait time in the body of a rate-limited response, or 0 if the body has none.
	// It is nil for services that send no wait time in the body.
	Wait func(r *Response, now time.Time) time.Duration
}

// Client sends requests to one service for one integration. It is safe for concurrent use.
type Client struct {
	party     Party
	gateway   *Gateway
	transport *http.Transport
	limiter   *limiter
	jitter    func() float64 // 0 <= x < 1
	closed    atomic.Bool
}

// Client returns a client for a party. Its error is an *Error of class Invalid.
func (g *Gateway) Client(p Party) (*Client, error) {
	invalid := func(hint string, cause error) error {
		return &Error{Class: Invalid, Provider: p.Provider, Operation: "create the client", Hint: hint, Cause: cause}
	}
	if p.Concurrency < 0 || p.MaxBody < 0 || p.Timeout < 0 || p.Pause < 0 {
		return nil, invalid("concurrency, pause, maximum response size and timeout must not be negative", nil)
	}
	for _, b := range p.Budgets {
		if b.Requests < 0 || b.Per < 0 || b.Spacing < 0 || (b.Requests > 0) != (b.Per > 0) {
			return nil, invalid("a budget must have a positive number of requests within a positive period", nil)
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
		return nil, invalid("ca_pem must contain only certificates in PEM format", err)
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

// transport returns an http.Transport without a proxy setting, because the route itself connects
// through the proxy.
//
// An HTTP/1 connection serves one request. On an idle connection, the transport would log any data
// that arrives. If the server closes an idle connection while a request is being sent, it is
// unknown whether the server received the request. A negative MaxIdleConnsPerHost closes idle
// HTTP/1 connections and does not affect HTTP/2.
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

// trusted returns a pool of the system's certificates and the given ones, or nil if none are given.
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
				return nil, errors.New("the text after the certificates is not PEM")
			}
			return pool, nil
		}
		if block.Type != "CERTIFICATE" {
			return nil, errors.New("a PEM block is not a certificate")
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		pool.AddCert(certificate)
	}
}

// Close closes the idle connections now and every other connection when its request ends.
func (c *Client) Close() {
	c.closed.Store(true)
	c.transport.CloseIdleConnections()
}
