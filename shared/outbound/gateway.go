package outbound

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Resolver returns the addresses of a host.
type Resolver func(ctx context.Context, host string) ([]netip.Addr, error)

// Clock is the clock for waits and rate limits.
type Clock interface {
	Now() time.Time
	// Sleep waits for d, or until ctx ends, and then returns the error of ctx.
	Sleep(ctx context.Context, d time.Duration) error
}

// Options configure a Gateway. The zero value of each field selects its default.
type Options struct {
	UserAgent string   // name and version: "vault-stashbase/0.1.0"
	Resolver  Resolver // default: the system's
	Clock     Clock    // default: the system's
}

// Gateway makes all outbound connections of a mount. It is safe for concurrent use.
type Gateway struct {
	options Options

	// Tests replace dial and proxyRoots.
	dial       func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	proxyRoots *x509.CertPool // authorities of an https proxy; nil for the system's

	mu          sync.Mutex
	policy      *Policy // replaced, never modified
	connections map[*connection]bool
}

// NewGateway returns a gateway that allows only connections to public addresses.
func NewGateway(o Options) *Gateway {
	if o.Resolver == nil {
		o.Resolver = systemResolver
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	return &Gateway{options: o, dial: dialAddress, policy: &Policy{}, connections: map[*connection]bool{}}
}

// Enforce replaces the policy. New connections must comply with p, and existing connections that do
// not comply are closed.
func (g *Gateway) Enforce(p Policy) {
	p.Allow = slices.Clone(p.Allow)
	g.mu.Lock()
	g.policy = &p
	var over []*connection
	for c := range g.connections {
		if c.refusedBy(&p) {
			over = append(over, c)
		}
	}
	g.mu.Unlock()
	for _, c := range over {
		_ = c.Close()
	}
}

// CheckPlainHTTP returns why the policy allows no request to an http URL, as far as the URL shows
// it. A host name is not resolved, so its address may still be refused when a connection is made.
// For https, and for a text that is no URL, CheckPlainHTTP returns nil. The error contains no part
// of the URL.
func (g *Gateway) CheckPlainHTTP(workspace, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return nil
	}
	port := uint64(80)
	if u.Port() != "" {
		if port, err = strconv.ParseUint(u.Port(), 10, 16); err != nil {
			return nil
		}
	}
	to := destination{workspace: workspace, plain: true}
	a, err := netip.ParseAddr(u.Hostname())
	isName := err != nil
	to.address = netip.AddrPortFrom(a, uint16(port))
	for _, r := range g.current().Allow {
		if r.HTTP && r.concerns(to) && (isName || r.allows(to, a.Unmap())) {
			return nil
		}
	}
	return errPlainHTTP
}

var errPlainHTTP = errors.New("must begin with https://; http:// needs a rule with +http in egress_allow, such as 127.0.0.0/8:8200+http, " +
	"which an operator can add and which is possible only for loopback addresses")

func (g *Gateway) current() *Policy {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.policy
}

// connection is a network connection with everything that the policy checks.
type connection struct {
	net.Conn
	gateway *Gateway
	to      destination
	proxy   string       // Policy.Proxy when the connection was made; "" for none
	via     *destination // address of the proxy
}

// direct reports whether a connection bypasses the proxy. Loopback addresses do: from the proxy
// they would be another machine.
func (d destination) direct() bool { return d.address.Addr().Unmap().IsLoopback() }

func (c *connection) refusedBy(p *Policy) bool {
	proxy := p.Proxy
	if c.to.direct() {
		proxy = ""
	}
	return p.check(c.to) != nil || c.proxy != proxy || c.via != nil && p.check(*c.via) != nil
}

// admit registers a connection, unless the policy has changed and does not allow it.
func (g *Gateway) admit(c *connection) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.refusedBy(g.policy) {
		return &refusal{"the egress policy changed while the connection was being made", ErrRefused}
	}
	g.connections[c] = true
	return nil
}

// Close closes the connection.
func (c *connection) Close() error {
	c.gateway.mu.Lock()
	delete(c.gateway.connections, c)
	c.gateway.mu.Unlock()
	return c.Conn.Close()
}

func systemResolver(ctx context.Context, host string) ([]netip.Addr, error) {
	return new(net.Resolver).LookupNetIP(ctx, "ip", host)
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
