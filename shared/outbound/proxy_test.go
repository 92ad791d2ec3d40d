package outbound

import (
	"bufio"
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
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
	for name, url := range map[string]string{
		"no URL": "::", "another scheme": "socks5://127.0.0.1:1080", "a password": "http://user:" + hostile + "@127.0.0.1:3128",
	} {
		f, _, r := throughProxy(t)
		f.gateway.Enforce(Policy{Allow: rules(t, "127.0.0.0/8"), Proxy: url})
		_, err := f.client(t).Do(t.Context(), r)
		_ = failedAs(t, name, err, Network)
		leaksNothing(t, err, hostile)
	}
}
