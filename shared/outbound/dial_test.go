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

func TestEveryProtocolIsSpoken(t *testing.T) {
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
		var told string
		f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
			told = r.Proto + " " + r.UserAgent() + " " + r.Header.Get("X-Mine")
			fine(w, r)
		}, c.secure, c.change)
		r := f.get()
		r.Header = http.Header{"X-Mine": {"yes"}}
		answer, err := f.client(t).Do(t.Context(), r)
		if err != nil || answer.Status != 200 || string(answer.Body) != `{"fine":true}` {
			t.Errorf("%s: %v (%v)", name, err, errors.Unwrap(err))
		}
		if want := c.proto + " outbound-test/1 yes"; told != want {
			t.Errorf("%s: the party sees %q, want %q", name, told, want)
		}
	}
}

// HTTP/2 keeps its connection; HTTP/1 makes one for each request.
func TestConnectionsAreKeptWhereThatIsSafe(t *testing.T) {
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
		eventually(t, name+": no connection stands after Close", func() bool { return f.standing() == 0 })
	}
}

func (f *fixture) standing() int {
	f.gateway.mu.Lock()
	defer f.gateway.mu.Unlock()
	return len(f.gateway.standing)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Error("not so: " + what)
}

func TestTheOtherSideIsRecognised(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*httptest.Server)
		party  func(*Party)
		hint   string
	}{
		{"a certificate of nobody known", nil, func(p *Party) { p.CAPEM = "" }, "ca_pem"},
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
	if known := failedAs(t, "no TLS", err, Network); !strings.Contains(known.Hint, "does not speak TLS") {
		t.Errorf("no TLS: the hint is %q", known.Hint)
	}
	named := overTLS(t, fine)
	named.party.ServerName = "example.com"
	if _, err := named.client(t).Do(t.Context(), named.get()); err != nil {
		t.Errorf("the name that the certificate has: %v", err)
	}
}

func TestCertificatesThatAreNoneAreRefused(t *testing.T) {
	good := overTLS(t, fine).party.CAPEM
	for name, given := range map[string]string{
		"no PEM":                "certificate",
		"a key":                 "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"no certificate inside": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"something behind":      good + "more",
	} {
		_, err := NewGateway(Options{}).Client(Party{Provider: "party", CAPEM: given})
		_ = failedAs(t, name, err, Invalid)
	}
	if _, err := NewGateway(Options{}).Client(Party{CAPEM: good + "\n" + good + "\n"}); err != nil {
		t.Errorf("two certificates: %v", err)
	}
}

// A name that stands for one address when it is judged, and for another when it is dialled, is how a policy is got around.
func TestTheAddressThatIsJudgedIsTheOneDialled(t *testing.T) {
	f := overTLS(t, fine)
	f.party.ServerName = "example.com"
	asked := 0
	f.resolve(func(string) ([]netip.Addr, error) {
		asked++
		if asked > 1 {
			return addresses("169.254.169.254"), nil
		}
		return addresses("127.0.0.1"), nil
	})
	r := f.get()
	r.URL = "https://rebinding.example:" + f.port(t) + "/"
	if _, err := f.client(t).Do(t.Context(), r); err != nil || asked != 1 {
		t.Fatalf("the name was looked up %d times: %v", asked, err)
	}
	_, err := f.client(t).Do(t.Context(), r)
	if known := failedAs(t, "its other answer", err, Network); !errors.Is(err, ErrRefused) || !strings.Contains(known.Hint, "169.254.0.0/16") {
		t.Errorf("its other answer: %v", err)
	}
}

func TestOfSeveralAddressesTheAllowedAreDialled(t *testing.T) {
	f := overTLS(t, fine)
	f.party.ServerName = "example.com"
	f.resolve(func(string) ([]netip.Addr, error) { return addresses("10.0.0.1", "169.254.169.254", "127.0.0.1"), nil })
	r := f.get()
	r.URL = "https://mixed.example:" + f.port(t) + "/"
	if _, err := f.client(t).Do(t.Context(), r); err != nil {
		t.Errorf("%v (%v)", err, errors.Unwrap(err))
	}
}

func TestNamesWithoutAddressesAreTold(t *testing.T) {
	f := overTLS(t, fine)
	r := f.get()
	r.URL = "https://nowhere.example/"
	for name, answer := range map[string]func(string) ([]netip.Addr, error){
		"an error": func(host string) ([]netip.Addr, error) {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		},
		"no answer": func(string) ([]netip.Addr, error) { return nil, nil },
	} {
		f.resolve(answer)
		_, err := f.client(t).Do(t.Context(), r)
		_ = failedAs(t, name, err, Network)
	}
}

func TestANewPolicyClosesWhatItDoesNotAllow(t *testing.T) {
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
		if _, err := client.Do(t.Context(), f.get()); err != nil || f.standing() != 1 {
			t.Fatalf("%s: %d connections stand: %v", name, f.standing(), err)
		}
		f.gateway.Enforce(c.then)
		if stands := f.standing() == 1; stands != (c.want == nil) {
			t.Errorf("%s: %d connections stand", name, f.standing())
		}
		if _, err := client.Do(t.Context(), f.get()); !errors.Is(err, c.want) {
			t.Errorf("%s: the next request: %v", name, err)
		}
	}
}

// A request that hangs is cut off at once when the operator pauses everything.
func TestAPauseCutsWhatIsOnItsWay(t *testing.T) {
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

func TestNothingIsTakenFromTheEnvironment(t *testing.T) {
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

func TestAnEndedContextBeginsNothing(t *testing.T) {
	f := overTLS(t, func(http.ResponseWriter, *http.Request) { t.Error("the party was asked") })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.client(t).Do(ctx, f.get())
	if known := failedAs(t, "the request", err, Network); known.Unknown || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
