package outbound

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func fine(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"fine":true}`) }

func TestEveryProtocolIsSupported(t *testing.T) {
	for name, c := range map[string]struct {
		secure bool
		change func(*httptest.Server)
		proto  string
	}{
		"HTTP/2":          {true, withHTTP2, "HTTP/2.0"},
		"HTTP/1 over TLS": {true, onlyHTTP1, "HTTP/1.1"},
		"plain HTTP":      {false, nil, "HTTP/1.1"},
		"TLS 1.2":         {true, atMost(0x0303), "HTTP/1.1"},
	} {
		var received string
		f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
			received = r.Proto + " " + r.UserAgent() + " " + r.Header.Get("X-Mine")
			fine(w, r)
		}, c.secure, c.change)
		r := f.get()
		r.Header = http.Header{"X-Mine": {"yes"}}
		response, err := f.client(t).Do(t.Context(), r)
		if err != nil || response.Status != 200 || string(response.Body) != `{"fine":true}` {
			t.Errorf("%s: %v (%v)", name, err, errors.Unwrap(err))
		}
		if want := c.proto + " outbound-test/1 yes"; received != want {
			t.Errorf("%s: the server received %q, want %q", name, received, want)
		}
	}
}

// HTTP/2 keeps its connection. HTTP/1 makes one connection per request.
func TestOnlyHTTP2ConnectionsAreReused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*httptest.Server)
		want   int32
	}{"HTTP/2": {withHTTP2, 1}, "HTTP/1": {onlyHTTP1, 5}} {
		var connections atomic.Int32
		f := newFixture(t, fine, true, func(s *httptest.Server) {
			c.change(s)
			s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					connections.Add(1)
				}
			}
		})
		client := f.client(t)
		for range 5 {
			if _, err := client.Do(t.Context(), f.get()); err != nil {
				t.Fatal(err)
			}
		}
		if got := connections.Load(); got != c.want {
			t.Errorf("%s: %d connections for 5 requests, want %d", name, got, c.want)
		}
		client.Close()
		eventually(t, name+": no connection is left after Close", func() bool { return f.connections() == 0 })
	}
}

func (f *fixture) connections() int {
	f.gateway.mu.Lock()
	defer f.gateway.mu.Unlock()
	return len(f.gateway.connections)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Error("not true within 5 s: " + what)
}

func TestTheServerIsAuthenticated(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*httptest.Server)
		party  func(*Party)
		hint   string
	}{
		{"a certificate of an unknown CA", nil, func(p *Party) { p.CAPEM = "" }, "set ca_pem to the certificate of its CA, together with the credential"},
		{"a certificate for another name", nil, func(p *Party) { p.ServerName = "vault.acme.example" }, "another name"},
		{"TLS 1.1", atMost(0x0302), func(*Party) {}, "TLS"},
	} {
		var reached atomic.Bool
		f := newFixture(t, func(http.ResponseWriter, *http.Request) { reached.Store(true) }, true, c.change)
		c.party(&f.party)
		_, err := f.client(t).Do(t.Context(), f.get())
		if known := failedAs(t, c.name, err, Network); !strings.Contains(known.Hint, c.hint) {
			t.Errorf("%s: the hint is %q", c.name, known.Hint)
		}
		if reached.Load() {
			t.Errorf("%s: a request was sent", c.name)
		}
	}
	plain := newFixture(t, fine, false, nil)
	r := plain.get()
	r.URL = strings.Replace(r.URL, "http:", "https:", 1)
	_, err := plain.client(t).Do(t.Context(), r)
	if known := failedAs(t, "no TLS", err, Network); !strings.Contains(known.Hint, "does not use TLS") {
		t.Errorf("no TLS: the hint is %q", known.Hint)
	}
	named := overTLS(t, fine)
	named.party.ServerName = "example.com"
	if _, err := named.client(t).Do(t.Context(), named.get()); err != nil {
		t.Errorf("the name that the certificate has: %v", err)
	}
}

func TestInvalidCertificatesAreRejected(t *testing.T) {
	good := overTLS(t, fine).party.CAPEM
	for name, given := range map[string]string{
		"no PEM":                "certificate",
		"a key":                 "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"no certificate inside": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"trailing text":         good + "more",
	} {
		_, err := NewGateway(Options{}).Client(Party{Provider: "party", CAPEM: given})
		_ = failedAs(t, name, err, Invalid)
	}
	if _, err := NewGateway(Options{}).Client(Party{CAPEM: good + "\n" + good + "\n"}); err != nil {
		t.Errorf("two certificates: %v", err)
	}
}

// DNS rebinding: a name that resolves to one address for the check and to another for the
// connection could bypass the policy.
func TestTheCheckedAddressIsDialled(t *testing.T) {
	f := overTLS(t, fine)
	f.party.ServerName = "example.com"
	lookups := 0
	f.resolve(func(string) ([]netip.Addr, error) {
		lookups++
		if lookups > 1 {
			return addresses("169.254.169.254"), nil
		}
		return addresses("127.0.0.1"), nil
	})
	r := f.get()
	r.URL = "https://rebinding.example:" + f.port(t) + "/"
	if _, err := f.client(t).Do(t.Context(), r); err != nil || lookups != 1 {
		t.Fatalf("the name was resolved %d times, want once: %v", lookups, err)
	}
	_, err := f.client(t).Do(t.Context(), r)
	if known := failedAs(t, "the second address", err, Network); !errors.Is(err, ErrRefused) || !strings.Contains(known.Hint, "169.254.0.0/16") {
		t.Errorf("the second address: %v", err)
	}
}

func TestOnlyAllowedAddressesAreDialled(t *testing.T) {
	f := overTLS(t, fine)
	f.party.ServerName = "example.com"
	f.resolve(func(string) ([]netip.Addr, error) { return addresses("10.0.0.1", "169.254.169.254", "127.0.0.1"), nil })
	r := f.get()
	r.URL = "https://mixed.example:" + f.port(t) + "/"
	if _, err := f.client(t).Do(t.Context(), r); err != nil {
		t.Errorf("%v (%v)", err, errors.Unwrap(err))
	}
}

func TestNamesWithoutAddresses(t *testing.T) {
	f := overTLS(t, fine)
	r := f.get()
	r.URL = "https://nowhere.example/"
	for name, resolve := range map[string]func(string) ([]netip.Addr, error){
		"an error": func(host string) ([]netip.Addr, error) {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		},
		"no address": func(string) ([]netip.Addr, error) { return nil, nil },
	} {
		f.resolve(resolve)
		_, err := f.client(t).Do(t.Context(), r)
		_ = failedAs(t, name, err, Network)
	}
}

func TestANewPolicyClosesForbiddenConnections(t *testing.T) {
	for name, c := range map[string]struct {
		then Policy
		want error
	}{
		"a rule is gone":       {Policy{Allow: rules(t, "10.0.0.0/8")}, ErrRefused},
		"another workspace's":  {Policy{Allow: rules(t, "other=127.0.0.0/8")}, ErrRefused},
		"everything is paused": {Policy{Allow: rules(t, "127.0.0.0/8"), Paused: true}, ErrPaused},
		"still allowed":        {Policy{Allow: rules(t, "acme=127.0.0.1/32")}, nil},
	} {
		f := newFixture(t, fine, true, withHTTP2)
		client := f.client(t)
		if _, err := client.Do(t.Context(), f.get()); err != nil || f.connections() != 1 {
			t.Fatalf("%s: %d open connections, want 1: %v", name, f.connections(), err)
		}
		f.gateway.Enforce(c.then)
		if open := f.connections() == 1; open != (c.want == nil) {
			t.Errorf("%s: %d open connections", name, f.connections())
		}
		if _, err := client.Do(t.Context(), f.get()); !errors.Is(err, c.want) {
			t.Errorf("%s: the next request: %v", name, err)
		}
	}
}

// A running request fails immediately when the operator pauses outbound requests.
func TestAPauseEndsRunningRequests(t *testing.T) {
	begun, end := make(chan struct{}, attempts), make(chan struct{})
	f := overTLS(t, func(http.ResponseWriter, *http.Request) { begun <- struct{}{}; <-end })
	t.Cleanup(func() { close(end) })
	client := f.client(t)
	var group sync.WaitGroup
	group.Go(func() {
		_, err := client.Do(t.Context(), f.get())
		_ = failedAs(t, "the request", err, Network)
	})
	<-begun
	f.gateway.Enforce(Policy{Paused: true})
	group.Wait()
}

func TestProxyEnvironmentVariablesAreIgnored(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	f := overTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("a credential was added")
		}
		fine(w, r)
	})
	if _, err := f.client(t).Do(t.Context(), f.get()); err != nil {
		t.Error(err)
	}
}

func TestAnEndedContextSendsNothing(t *testing.T) {
	f := overTLS(t, func(http.ResponseWriter, *http.Request) { t.Error("the server received a request") })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.client(t).Do(ctx, f.get())
	if known := failedAs(t, "the request", err, Network); known.Unknown || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
