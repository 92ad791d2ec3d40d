package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// watched is a connection that records whether it was closed.
type watched struct {
	net.Conn
	closed *atomic.Bool
}

func (w watched) Close() error {
	w.closed.Store(true)
	return w.Conn.Close()
}

// public is an address that needs no rule.
const public = "93.184.215.14"

// The policy is taken when a request begins. What it has become while a connection was being made
// decides, before anything is sent.
func TestAPolicyThatChangesDuringADialDecides(t *testing.T) {
	local := func(t *testing.T, _ *proxy) Policy { return Policy{Allow: rules(t, "127.0.0.0/8")} }
	only := func(p Policy) func(*testing.T, *proxy) Policy {
		return func(*testing.T, *proxy) Policy { return p }
	}
	proxied := func(t *testing.T, p *proxy) Policy {
		return Policy{Allow: rules(t, "127.0.0.0/8"), Proxy: "http://proxy.example:" + port(p.listener)}
	}
	for name, c := range map[string]struct {
		address     string // of the party
		begin, then func(t *testing.T, p *proxy) Policy
		forbidden   bool
	}{
		"a rule is gone":                      {"127.0.0.1", local, only(Policy{}), true},
		"a rule is for another workspace now": {"127.0.0.1", local, only(Policy{Allow: rules(t, "other=127.0.0.0/8")}), true},
		"everything is paused":                {public, only(Policy{}), only(Policy{Paused: true}), true},
		"a proxy is set":                      {public, local, proxied, true},
		"the proxy is gone":                   {public, proxied, local, true},
		"the proxy's address is forbidden": {public, proxied, func(t *testing.T, p *proxy) Policy {
			return Policy{Proxy: proxied(t, p).Proxy}
		}, true},
		"still allowed": {"127.0.0.1", local, only(Policy{Allow: rules(t, "acme=127.0.0.1/32")}), false},
	} {
		var served, closed atomic.Bool
		f := overTLS(t, func(w http.ResponseWriter, r *http.Request) { served.Store(true); fine(w, r) })
		p := newProxy(t, f.server.Listener.Addr().String())
		f.party.ServerName = "example.com"
		f.resolve(func(host string) ([]netip.Addr, error) {
			if host == "proxy.example" {
				return addresses("127.0.0.1"), nil
			}
			return addresses(c.address), nil
		})
		f.gateway.Enforce(c.begin(t, p))
		f.gateway.dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			if to.Addr().String() == public {
				to = netip.MustParseAddrPort(f.server.Listener.Addr().String())
			}
			conn, err := dialAddress(ctx, to)
			f.gateway.Enforce(c.then(t, p))
			return watched{conn, &closed}, err
		}
		r := f.get()
		r.URL = "https://party.example:" + f.port(t) + "/"
		_, err := f.client(t).Do(t.Context(), r)
		if !c.forbidden {
			if err != nil || !served.Load() {
				t.Errorf("%s: %v (%v)", name, err, errors.Unwrap(err))
			}
			continue
		}
		if known := failedAs(t, name, err, Network); !errors.Is(err, ErrRefused) || !strings.Contains(known.Hint, "policy changed") {
			t.Errorf("%s: %v", name, err)
		}
		if served.Load() || !closed.Load() || f.connections() != 0 {
			t.Errorf("%s: served %t, closed %t, %d connections", name, served.Load(), closed.Load(), f.connections())
		}
	}
}

// A connection is registered before its TLS handshake, so a policy that changes during the
// handshake closes it.
func TestAPolicyThatChangesDuringAHandshakeClosesTheConnection(t *testing.T) {
	var served atomic.Bool
	var f *fixture
	f = newFixture(t, func(http.ResponseWriter, *http.Request) { served.Store(true) }, true, func(s *httptest.Server) {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			f.gateway.Enforce(Policy{Paused: true})
			return nil, nil
		}}
	})
	_, err := f.client(t).Do(t.Context(), f.get())
	_ = failedAs(t, "the request", err, Network)
	if served.Load() || f.connections() != 0 {
		t.Errorf("served %t, %d connections", served.Load(), f.connections())
	}
}
