package outbound

import (
	"context"
	"net"
	"net/netip"
	"slices"
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

// Gateway is the one way out of a mount. It is safe for concurrent use.
type Gateway struct {
	options Options

	mu       sync.Mutex
	policy   *Policy // never changed, only replaced
	standing map[*connection]bool
}

// NewGateway makes a gateway that lets nothing out but to public addresses.
func NewGateway(o Options) *Gateway {
	if o.Resolver == nil {
		o.Resolver = systemResolver
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	return &Gateway{options: o, policy: &Policy{}, standing: map[*connection]bool{}}
}

// Enforce puts a policy in force: every connection from now on obeys it, and those that stand and would not be allowed are closed.
func (g *Gateway) Enforce(p Policy) {
	p.Allow = slices.Clone(p.Allow)
	g.mu.Lock()
	g.policy = &p
	var over []*connection
	for c := range g.standing {
		if c.refusedBy(&p) {
			over = append(over, c)
		}
	}
	g.mu.Unlock()
	for _, c := range over {
		_ = c.Close()
	}
}

func (g *Gateway) current() *Policy {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.policy
}

// connection is one that stands, with all that the policy is asked about it.
type connection struct {
	net.Conn
	gateway *Gateway
	to      destination
	proxy   string       // the policy's word for the proxy in between; "" for none
	via     *destination // the proxy itself
}

// direct reports whether a connection to it goes around the proxy: what is allowed on the machine itself is not somebody else's.
func (d destination) direct() bool { return d.address.Addr().Unmap().IsLoopback() }

func (c *connection) refusedBy(p *Policy) bool {
	proxy := p.Proxy
	if c.to.direct() {
		proxy = ""
	}
	return p.judge(c.to) != nil || c.proxy != proxy || c.via != nil && p.judge(*c.via) != nil
}

// admit lets a connection stand, unless the policy has become one that does not allow it.
func (g *Gateway) admit(c *connection) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.refusedBy(g.policy) {
		return &refusal{"the egress policy has changed meanwhile", ErrRefused}
	}
	g.standing[c] = true
	return nil
}

// Close ends the connection.
func (c *connection) Close() error {
	c.gateway.mu.Lock()
	delete(c.gateway.standing, c)
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
