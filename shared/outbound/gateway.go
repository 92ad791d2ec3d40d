package outbound

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Resolver finds the addresses of a host.
type Resolver func(ctx context.Context, host string) ([]netip.Addr, error)

// Clock is the time that waits and rate limits go by.
type Clock interface {
	Now() time.Time
	// Sleep waits until d has passed or ctx ends, whose error it then answers.
	Sleep(ctx context.Context, d time.Duration) error
}

// Options say what a Gateway works with; the zero value of each is the usual.
type Options struct {
	UserAgent string   // project and version: "vault-stashbase/0.1.0"
	Resolver  Resolver // the system's
	Clock     Clock    // the system's
}

// Policy is what the mount's configuration says about the way out. It is immutable.
type Policy struct {
	Allow  []Rule
	Proxy  string // URL of an HTTP proxy; "" for none. Nothing is taken from the environment
	Paused bool   // nothing goes out
}

// Gateway is the one way out of a mount. It is safe for concurrent use.
type Gateway struct {
	agent   string
	resolve Resolver
	clock   Clock
	dialer  net.Dialer

	mu     sync.RWMutex
	policy Policy
	open   map[*connection]bool
}

// NewGateway makes a gateway that lets nothing out but to public addresses.
func NewGateway(o Options) *Gateway {
	g := &Gateway{agent: o.UserAgent, resolve: o.Resolver, clock: o.Clock, open: make(map[*connection]bool)}
	if g.resolve == nil {
		g.resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if g.clock == nil {
		g.clock = systemClock{}
	}
	return g
}

// Enforce puts a policy in force: every connection from now on obeys it, and those that stand and would not be allowed are closed.
func (g *Gateway) Enforce(p Policy) {
	g.mu.Lock()
	g.policy = p
	var ending []*connection
	for c := range g.open {
		if !p.allows(c.workspace, c.to, c.http) || c.proxy != p.Proxy {
			ending = append(ending, c)
		}
	}
	g.mu.Unlock()
	for _, c := range ending {
		_ = c.Close()
	}
}

func (g *Gateway) inForce() Policy {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.policy
}

// connection is one that stands, with what its permission depends on.
type connection struct {
	net.Conn
	gateway   *Gateway
	workspace string
	to        netip.AddrPort
	http      bool
	proxy     string
}

// keep takes a connection in, unless the policy has changed against it since it was dialled.
func (g *Gateway) keep(c *connection) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.policy.allows(c.workspace, c.to, c.http) || c.proxy != g.policy.Proxy {
		_ = c.Conn.Close()
		return errRefused
	}
	g.open[c] = true
	return nil
}

// Close ends the connection.
func (c *connection) Close() error {
	c.gateway.mu.Lock()
	delete(c.gateway.open, c)
	c.gateway.mu.Unlock()
	return c.Conn.Close()
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
