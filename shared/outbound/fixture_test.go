package outbound

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"
)

// fixture is a local server and a gateway that allows connections to it.
type fixture struct {
	server  *httptest.Server
	gateway *Gateway
	party   Party
}

// waitless is a clock on which waiting takes no time.
type waitless struct {
	mu    sync.Mutex
	ahead time.Duration
	slept []time.Duration
}

func (w *waitless) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

func (w *waitless) Sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
	w.slept = append(w.slept, d)
	return ctx.Err()
}

func overTLS(t *testing.T, handler http.HandlerFunc) *fixture {
	t.Helper()
	return newFixture(t, handler, true, nil)
}

func newFixture(t *testing.T, handler http.HandlerFunc, secure bool, change func(*httptest.Server)) *fixture {
	t.Helper()
	f := &fixture{server: httptest.NewUnstartedServer(handler)}
	f.server.Config.ErrorLog = quiet()
	if change != nil {
		change(f.server)
	}
	if secure {
		f.server.StartTLS()
		f.party.CAPEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw}))
	} else {
		f.server.Start()
	}
	t.Cleanup(f.server.Close)
	f.party.Provider, f.party.Workspace, f.party.Timeout = "party", "acme", 5*time.Second
	f.gateway = NewGateway(Options{UserAgent: "outbound-test/1", Clock: &waitless{}})
	f.gateway.Enforce(Policy{Allow: rules(t, "127.0.0.0/8+http", "::1/128+http")})
	return f
}

// resolve makes lookup the resolver of the gateway.
func (f *fixture) resolve(lookup func(host string) ([]netip.Addr, error)) {
	f.gateway.options.Resolver = func(_ context.Context, host string) ([]netip.Addr, error) { return lookup(host) }
}

func (f *fixture) client(t *testing.T) *Client {
	t.Helper()
	c, err := f.gateway.Client(f.party)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (f *fixture) get() Request {
	return Request{Operation: "look", Method: http.MethodGet, URL: f.server.URL + "/", Safe: true}
}

func (f *fixture) port(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(f.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

func addresses(texts ...string) []netip.Addr {
	var all []netip.Addr
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// failedAs requires an *Error of the given class with provider, operation and hint.
func failedAs(t *testing.T, what string, err error, class Class) *Error {
	t.Helper()
	var known *Error
	if !errors.As(err, &known) {
		t.Fatalf("%s: %v is not an *Error", what, err)
	}
	if known.Class != class {
		t.Errorf("%s: class %q, want %q: %v (%v)", what, known.Class, class, err, known.Cause)
	}
	if known.Provider != "party" || known.Operation == "" || known.Hint == "" {
		t.Errorf("%s: provider, operation or hint is missing: %v", what, err)
	}
	return known
}

func onlyHTTP1(s *httptest.Server) { s.EnableHTTP2 = false }

func withHTTP2(s *httptest.Server) { s.EnableHTTP2 = true }

func atMost(version uint16) func(*httptest.Server) {
	return func(s *httptest.Server) {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version}
	}
}

// hang never responds. A server of net/http detects that its client is gone only after the body is
// read.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}
