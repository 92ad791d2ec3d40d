package outbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
)

// proxy is a proxy that connects every tunnel to one address and records the requests.
type proxy struct {
	listener net.Listener
	to       string
	refuse   string // response instead of a tunnel; "" for none

	mu       sync.Mutex
	requests []string
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	return newProxyOver(t, to, nil)
}

// newProxyOver returns a proxy that requires TLS if config is not nil.
func newProxyOver(t *testing.T, to string, config *tls.Config) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	p := &proxy{listener: l, to: to}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return p
}

func (p *proxy) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	p.mu.Lock()
	p.requests = append(p.requests, r.Method+" "+r.RequestURI+" "+r.Header.Get("Proxy-Authorization"))
	p.mu.Unlock()
	if p.refuse != "" {
		_, _ = io.WriteString(c, p.refuse)
		return
	}
	other, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer func() { _ = other.Close() }()
	_, _ = io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(other, c) }()
	_, _ = io.Copy(c, other)
}

func (p *proxy) received() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// throughProxy returns a server with a public address behind a proxy.
func throughProxy(t *testing.T) (*fixture, *proxy, Request) {
	t.Helper()
	f := newFixture(t, fine, true, withHTTP2)
	p := newProxy(t, f.server.Listener.Addr().String())
	f.party.ServerName = "example.com"
	f.resolve(func(host string) ([]netip.Addr, error) {
		if host == "proxy.example" {
			return addresses("127.0.0.1"), nil
		}
		return addresses("93.184.215.14"), nil
	})
	f.gateway.Enforce(Policy{Allow: rules(t, "127.0.0.0/8"), Proxy: "http://proxy.example:" + port(p.listener)})
	r := f.get()
	r.URL = "https://party.example/"
	return f, p, r
}

func port(l net.Listener) string {
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	return port
}

func TestAProxyReceivesTheCheckedAddress(t *testing.T) {
	f, p, r := throughProxy(t)
	client := f.client(t)
	for range 2 {
		if _, err := client.Do(t.Context(), r); err != nil {
			t.Fatalf("%v (%v)", err, errors.Unwrap(err))
		}
	}
	if got := p.received(); len(got) != 1 || got[0] != "CONNECT 93.184.215.14:443 " {
		t.Errorf("the proxy received %q", got)
	}
	f.gateway.Enforce(Policy{Allow: rules(t, "127.0.0.0/8")})
	if f.connections() != 0 {
		t.Error("a connection through a removed proxy is still open")
	}
}

func TestTheTargetBehindAProxyIsChecked(t *testing.T) {
	f, p, r := throughProxy(t)
	f.resolve(func(host string) ([]netip.Addr, error) {
		if host == "proxy.example" {
			return addresses("127.0.0.1"), nil
		}
		return addresses("10.0.0.1"), nil
	})
	_, err := f.client(t).Do(t.Context(), r)
	if _ = failedAs(t, "a private target", err, Network); !errors.Is(err, ErrRefused) || len(p.received()) != 0 {
		t.Errorf("%v, and the proxy received %q", err, p.received())
	}
}

func TestTheAddressOfAProxyIsChecked(t *testing.T) {
	f, p, r := throughProxy(t)
	f.gateway.Enforce(Policy{Proxy: f.gateway.current().Proxy})
	_, err := f.client(t).Do(t.Context(), r)
	if known := failedAs(t, "a proxy without a rule", err, Network); !errors.Is(err, ErrRefused) || !strings.Contains(known.Hint, "proxy_url") {
		t.Errorf("a proxy without a rule: %v", err)
	}
	if len(p.received()) != 0 {
		t.Errorf("the proxy received %q", p.received())
	}
}

// From the proxy, a loopback address would be another machine.
func TestLoopbackBypassesTheProxy(t *testing.T) {
	f, p, _ := throughProxy(t)
	f.party.ServerName = ""
	if _, err := f.client(t).Do(t.Context(), f.get()); err != nil || len(p.received()) != 0 {
		t.Errorf("%v, and the proxy received %q", err, p.received())
	}
}

func TestFailuresOfAProxy(t *testing.T) {
	for name, response := range map[string]string{
		"it rejects the tunnel":          "HTTP/1.1 403 " + hostile + "\r\nX-Reason: " + hostile + "\r\n\r\n" + hostile,
		"it wants a credential":          "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
		"it sends data after the header": "HTTP/1.1 200 OK\r\n\r\n" + hostile,
		"it sends an invalid response":   hostile,
		"it sends nothing":               " ",
		"it never stops":                 "HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat(hostile, 2000),
	} {
		f, p, r := throughProxy(t)
		p.refuse = response
		_, err := f.client(t).Do(t.Context(), r)
		if known := failedAs(t, name, err, Network); !strings.Contains(known.Hint, "proxy") || known.Unknown {
			t.Errorf("%s: %v", name, err)
		}
		leaksNothing(t, err, hostile)
	}
}

var badProxies = map[string]string{
	"no URL": "::", "no scheme": "proxy.example:3128", "another scheme": "socks5://127.0.0.1:1080", "a password": "http://user:" + hostile + "@127.0.0.1:3128",
	"a user name": "http://" + hostile + "@127.0.0.1:3128", "no host": "http://:3128", "port 0": "http://127.0.0.1:0", "a port that is too high": "http://127.0.0.1:65536",
	"a path": "http://127.0.0.1:3128/" + hostile, "a query": "http://127.0.0.1:3128?" + hostile, "an empty query": "http://127.0.0.1:3128?",
	"a fragment": "http://127.0.0.1:3128#" + hostile, "a host that is no name": "http://a..b:3128", "a space": "http://a b:3128", "white space after it": "http://127.0.0.1:3128\n",
}

// With a proxy that cannot be used, nothing is sent, not even past the proxy: the operator has
// decided that requests go through one.
func TestNothingBypassesABadProxy(t *testing.T) {
	for name, url := range badProxies {
		f := overTLS(t, func(http.ResponseWriter, *http.Request) { t.Errorf("%s: the request was sent", name) })
		f.party.ServerName = "example.com"
		f.resolve(func(string) ([]netip.Addr, error) { return addresses("93.184.215.14"), nil })
		f.gateway.dial = func(_ context.Context, to netip.AddrPort) (net.Conn, error) {
			t.Errorf("%s: %s was dialled", name, to)
			return net.Dial("tcp", f.server.Listener.Addr().String())
		}
		f.gateway.Enforce(Policy{Allow: rules(t, "127.0.0.0/8"), Proxy: url})
		public := f.get()
		public.URL = "https://party.example/"
		for _, r := range []Request{public, f.get()} {
			_, err := f.client(t).Do(t.Context(), r)
			if known := failedAs(t, name, err, Network); !errors.Is(err, ErrRefused) || !strings.Contains(known.Hint, "proxy_url") {
				t.Errorf("%s: %v", name, err)
			}
			leaksNothing(t, err, hostile)
		}
		if _, err := ParseProxy(url); err == nil || !strings.Contains(err.Error(), "http://proxy.example.com:3128") {
			t.Errorf("%s: ParseProxy returned %v", name, err)
		}
	}
}

func TestParseProxy(t *testing.T) {
	for text, want := range map[string]string{
		"http://proxy.example.com:3128": "http://proxy.example.com:3128", "HTTPS://proxy.example.com/": "https://proxy.example.com:443", "http://proxy": "http://proxy:80",
		"http://10.0.0.1:8080": "http://10.0.0.1:8080", "https://[fd00::1]:8443": "https://[fd00::1]:8443",
	} {
		if u, err := ParseProxy(text); err != nil || u.String() != want {
			t.Errorf("%s is parsed as %v, %v; want %s", text, u, err, want)
		}
	}
}

// Whoever can pretend to be the proxy sees every address that is dialled.
func TestAnHTTPSProxyIsAuthenticated(t *testing.T) {
	for name, c := range map[string]struct {
		host    string
		trusted bool
		most    uint16 // TLS version of the proxy; 0 for the newest
		fine    bool
	}{
		"trusted":                   {"example.com", true, 0, true},
		"an unknown authority":      {"example.com", false, 0, false},
		"a certificate for another": {"proxy.example", true, 0, false},
		"TLS 1.1":                   {"example.com", true, tls.VersionTLS11, false},
	} {
		f := newFixture(t, fine, true, withHTTP2)
		config := &tls.Config{Certificates: f.server.TLS.Certificates, MinVersion: tls.VersionTLS10, MaxVersion: c.most}
		p := newProxyOver(t, f.server.Listener.Addr().String(), config)
		f.party.ServerName = "example.com"
		f.resolve(func(host string) ([]netip.Addr, error) {
			if host == c.host {
				return addresses("127.0.0.1"), nil
			}
			return addresses("93.184.215.14"), nil
		})
		if f.gateway.proxyRoots = x509.NewCertPool(); c.trusted {
			f.gateway.proxyRoots.AddCert(f.server.Certificate())
		}
		f.gateway.Enforce(Policy{Allow: rules(t, "127.0.0.0/8"), Proxy: "https://" + c.host + ":" + port(p.listener)})
		r := f.get()
		r.URL = "https://party.example/"
		_, err := f.client(t).Do(t.Context(), r)
		if c.fine {
			if err != nil || len(p.received()) != 1 {
				t.Errorf("%s: %v (%v), and the proxy received %q", name, err, errors.Unwrap(err), p.received())
			}
			continue
		}
		if known := failedAs(t, name, err, Network); !strings.Contains(known.Hint, "TLS handshake with the proxy") || len(p.received()) != 0 {
			t.Errorf("%s: %v, and the proxy received %q", name, err, p.received())
		}
	}
}

// The authorities of the system are the ones that a proxy needs, not those of an integration.
func TestAnIntegrationsCertificatesAreNotThoseOfTheProxy(t *testing.T) {
	f := newFixture(t, fine, true, withHTTP2)
	p := newProxyOver(t, f.server.Listener.Addr().String(), &tls.Config{Certificates: f.server.TLS.Certificates, MinVersion: tls.VersionTLS12})
	f.party.ServerName = "example.com"
	f.resolve(func(host string) ([]netip.Addr, error) {
		if host == "example.com" {
			return addresses("127.0.0.1"), nil
		}
		return addresses("93.184.215.14"), nil
	})
	f.gateway.Enforce(Policy{Allow: rules(t, "127.0.0.0/8"), Proxy: "https://example.com:" + port(p.listener)})
	r := f.get()
	r.URL = "https://party.example/"
	_, err := f.client(t).Do(t.Context(), r)
	if known := failedAs(t, "ca_pem of the integration", err, Network); !strings.Contains(known.Hint, "TLS handshake with the proxy") || len(p.received()) != 0 {
		t.Errorf("%v, and the proxy received %q", err, p.received())
	}
}
