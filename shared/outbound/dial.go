package outbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Limits for making a connection.
const (
	connectTimeout   = 15 * time.Second // name resolution, connection, proxy and TLS together
	addressTimeout   = 5 * time.Second  // one of several addresses
	maxAddresses     = 8                // first addresses of a name, in the order of the resolver
	maxProxyResponse = 16 << 10         // bytes
	keepAlivePeriod  = 30 * time.Second
)

// route makes the connections of a client.
type route struct {
	gateway   *Gateway
	workspace string
	tls       *tls.Config
}

// dialPlain connects for http.
func (t *route) dialPlain(ctx context.Context, _, hostport string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	c, err := t.connect(ctx, hostport, true)
	if err != nil {
		return nil, err
	}
	return newSilent(c), nil
}

// dialTLS connects for https.
func (t *route) dialTLS(ctx context.Context, _, hostport string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	c, err := t.connect(ctx, hostport, false)
	if err != nil {
		return nil, err
	}
	config := t.tls.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(hostport)
	}
	secured := tls.Client(c, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, &handshakeError{err}
	}
	if secured.ConnectionState().NegotiatedProtocol == "h2" {
		return secured, nil
	}
	return newSilent(secured), nil
}

// silent is an HTTP/1 connection from which nothing is read until a request is written. Data that
// arrives earlier is not a response, and the transport would log it.
type silent struct {
	net.Conn
	written chan struct{}
	once    sync.Once
}

func newSilent(c net.Conn) *silent { return &silent{Conn: c, written: make(chan struct{})} }

func (s *silent) Read(p []byte) (int, error) {
	<-s.written
	return s.Conn.Read(p)
}

func (s *silent) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.written) })
	return s.Conn.Write(p)
}

// Close closes the connection and unblocks a waiting Read.
func (s *silent) Close() error {
	s.once.Do(func() { close(s.written) })
	return s.Conn.Close()
}

// handshakeError distinguishes a failure of TLS from a failure of the connection.
type handshakeError struct{ cause error }

func (e *handshakeError) Error() string { return "TLS handshake" }

func (e *handshakeError) Unwrap() error { return e.cause }

// connect resolves a host once and dials the addresses that the policy allows. If the dialer
// resolved the name again, it could get an address that was not checked.
func (t *route) connect(ctx context.Context, hostport string, plain bool) (*connection, error) {
	policy := t.gateway.current()
	targets, err := t.allowed(ctx, policy, hostport, plain)
	if err != nil {
		return nil, err
	}
	proxy, err := policy.proxy()
	if err != nil {
		return nil, err
	}
	var last error
	for _, to := range targets {
		c := &connection{gateway: t.gateway, to: to}
		if proxy == nil || to.direct() {
			c.Conn, last = t.gateway.dial(ctx, to.address)
		} else {
			c.proxy = policy.Proxy
			c.Conn, c.via, last = t.tunnel(ctx, policy, proxy, to)
		}
		if last != nil {
			continue
		}
		if err := t.gateway.admit(c); err != nil {
			_ = c.Conn.Close()
			return nil, err
		}
		return c, nil
	}
	return nil, last
}

// allowed returns the addresses of a host that may be dialled, at least one.
func (t *route) allowed(ctx context.Context, policy *Policy, hostport string, plain bool) ([]destination, error) {
	if policy.Paused {
		return nil, policy.check(destination{})
	}
	host, portText, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return nil, errors.New("no port")
	}
	addresses, err := t.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	var permitted []destination
	var refused error
	for _, a := range addresses {
		to := destination{t.workspace, netip.AddrPortFrom(a, uint16(port)), plain}
		if err := policy.check(to); err != nil {
			refused = err
			continue
		}
		permitted = append(permitted, to)
	}
	if len(permitted) == 0 {
		return nil, refused
	}
	return permitted[:min(len(permitted), maxAddresses)], nil
}

func (t *route) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	found, err := t.gateway.options.Resolver(ctx, host)
	if err == nil && len(found) == 0 {
		err = errors.New("no address")
	}
	if err != nil {
		return nil, &resolveError{err}
	}
	return found, nil
}

// resolveError is the failure to resolve a name.
type resolveError struct{ cause error }

func (e *resolveError) Error() string { return "no address was found" }

func (e *resolveError) Unwrap() error { return e.cause }

func dialAddress(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	dialer := net.Dialer{Timeout: addressTimeout, KeepAlive: keepAlivePeriod}
	return dialer.DialContext(ctx, "tcp", to.String())
}

// tunnel connects to an address through a proxy. The proxy receives the checked address and not the
// name, which it would resolve itself.
func (t *route) tunnel(ctx context.Context, policy *Policy, proxy *url.URL, to destination) (net.Conn, *destination, error) {
	// plain is false: even an http proxy sees only traffic that is encrypted with TLS.
	vias, err := t.allowed(ctx, policy, proxy.Host, false)
	if err != nil {
		return nil, nil, &proxyError{cause: err}
	}
	var last error
	for _, via := range vias {
		c, err := t.gateway.dial(ctx, via.address)
		if err != nil {
			last = &proxyError{cause: err}
			continue
		}
		if c, err = t.requestTunnel(ctx, c, proxy, to.address.String()); err != nil {
			return nil, nil, err
		}
		return c, &via, nil
	}
	return nil, nil, last
}

// requestTunnel requests a tunnel to an address from a proxy.
func (t *route) requestTunnel(ctx context.Context, c net.Conn, proxy *url.URL, address string) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	tunnel, err := t.handshake(ctx, c, proxy, address)
	if !stop() && err == nil {
		err = &proxyError{cause: ctx.Err()}
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return tunnel, nil
}

func (t *route) handshake(ctx context.Context, c net.Conn, proxy *url.URL, address string) (net.Conn, error) {
	if proxy.Scheme == "https" {
		secured := tls.Client(c, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: proxy.Hostname(), RootCAs: t.gateway.proxyRoots})
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, &proxyError{cause: &handshakeError{err}}
		}
		c = secured
	}
	head := fmt.Sprintf("CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n\r\n", address, address, t.gateway.options.UserAgent)
	if _, err := io.WriteString(c, head); err != nil {
		return nil, &proxyError{cause: err}
	}
	reader := bufio.NewReader(io.LimitReader(c, maxProxyResponse))
	//nolint:bodyclose // The response to CONNECT has no body: the tunnel follows it.
	response, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	switch {
	case err != nil:
		return nil, &proxyError{cause: err}
	case response.StatusCode != http.StatusOK || reader.Buffered() != 0:
		return nil, &proxyError{status: response.StatusCode}
	}
	return c, nil
}

// proxyError is a failure to connect to the proxy, or an error response of the proxy.
type proxyError struct {
	status int
	cause  error
}

func (e *proxyError) Error() string { return "proxy" }

func (e *proxyError) Unwrap() error { return e.cause }
