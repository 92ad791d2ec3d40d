package outbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
)

var (
	errRefused = errors.New("the egress policy refuses the address")
	errPaused  = errors.New("everything outbound is paused")
	errNoHost  = errors.New("the host has no address")
	errProxy   = errors.New("the proxy does not pass the connection on")
)

// dialer opens a client's connections. A host is resolved once for each, every address is judged, and what is dialled is the address
// that was judged: a name that resolves otherwise a moment later gains nothing.
type dialer struct {
	gateway   *Gateway
	workspace string
	tls       *tls.Config
}

func (d dialer) plain(ctx context.Context, _, address string) (net.Conn, error) {
	return d.dial(ctx, address, true)
}

func (d dialer) secure(ctx context.Context, _, address string) (net.Conn, error) {
	raw, err := d.dial(ctx, address, false)
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	conn := tls.Client(raw, config)
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

func (d dialer) dial(ctx context.Context, address string, http bool) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	policy := d.gateway.inForce()
	if policy.Paused {
		return nil, errPaused
	}
	targets, err := d.judged(ctx, policy, address, http)
	if err != nil {
		return nil, err
	}
	proxy := ""
	if !http { // plain http stays on this machine
		proxy = policy.Proxy
	}
	for _, to := range targets {
		var conn net.Conn
		if proxy == "" {
			conn, err = d.gateway.dialer.DialContext(ctx, "tcp", to.String())
		} else {
			conn, err = d.through(ctx, policy, proxy, to)
		}
		if err != nil {
			continue
		}
		c := &connection{Conn: conn, gateway: d.gateway, workspace: d.workspace, to: to, http: http, proxy: policy.Proxy}
		return c, d.gateway.keep(c)
	}
	return nil, err
}

// judged answers the addresses of a host that may be dialled.
func (d dialer) judged(ctx context.Context, policy Policy, address string, http bool) ([]netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	addrs := []netip.Addr{}
	if literal, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, literal)
	} else if addrs, err = d.gateway.resolve(ctx, host); err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, errNoHost
	}
	var allowed []netip.AddrPort
	for _, a := range addrs {
		if to := netip.AddrPortFrom(a.Unmap(), uint16(port)); policy.allows(d.workspace, to, http) {
			allowed = append(allowed, to)
		}
	}
	if len(allowed) == 0 {
		return nil, errRefused
	}
	return allowed, nil
}

// through asks a proxy for a connection to an address that was judged. The proxy's own address is judged as any other.
func (d dialer) through(ctx context.Context, policy Policy, proxy string, to netip.AddrPort) (net.Conn, error) {
	u, err := url.Parse(proxy)
	if err != nil {
		return nil, errProxy
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	address := net.JoinHostPort(u.Hostname(), port)
	hops, err := d.judged(ctx, policy, address, false)
	if err != nil {
		return nil, err
	}
	conn, err := d.gateway.dialer.DialContext(ctx, "tcp", hops[0].String())
	if err != nil {
		return nil, err
	}
	if u.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12})
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		conn = secure
	}
	if err := connectThrough(ctx, conn, to.String()); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// connectThrough has a proxy connect to an address (RFC 9110, section 9.3.6).
func connectThrough(ctx context.Context, conn net.Conn, to string) error {
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: to}, Host: to, Header: http.Header{}}
	if err := r.Write(conn); err != nil {
		return err
	}
	answers := bufio.NewReaderSize(conn, 4<<10)
	answer, err := http.ReadResponse(answers, r)
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answers.Buffered() > 0 {
		return errProxy
	}
	return conn.SetDeadline(time.Time{})
}
