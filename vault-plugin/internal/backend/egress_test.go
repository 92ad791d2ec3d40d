package backend_test

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
)

// party is a Vault server on loopback whose responses a test sets.
type party struct {
	*httptest.Server
	requests atomic.Int64
	resp     atomic.Pointer[http.HandlerFunc]
}

func newParty(t *testing.T, secure bool) *party {
	t.Helper()
	p := &party{}
	p.respondsWith(lookup)
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		(*p.resp.Load())(w, r)
	}))
	p.Config.SetKeepAlivesEnabled(false) // each request dials, so the gateway checks its address
	if secure {
		p.StartTLS()
	} else {
		p.Start()
	}
	t.Cleanup(p.Close)
	return p
}

func (p *party) respondsWith(f http.HandlerFunc) { p.resp.Store(&f) }

func (p *party) port() string {
	_, port, _ := net.SplitHostPort(p.Listener.Addr().String())
	return port
}

func (p *party) certificate() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw}))
}

// lookup is the response that describes the token.
func lookup(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"request_id":"one","data":{"display_name":"token-sync","policies":["sync"],"expire_time":null,"renewable":false,"type":"service","path":"auth/token/create"}}`))
}

// zone resolves every host to an address that a test can change.
type zone struct {
	mu sync.Mutex
	to netip.Addr
}

func (n *zone) become(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.to = netip.MustParseAddr(address)
}

func (n *zone) resolve(context.Context, string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return []netip.Addr{n.to}, nil
}

// outgoing is a mount whose integration calls a party, under names that resolve to loopback.
func outgoing(t *testing.T, p *party, address string) (*enginetest.Mount, *zone, string) {
	t.Helper()
	resolver := &zone{}
	resolver.become("127.0.0.1")
	m := enginetest.Setup{Resolver: resolver.resolve}.Open(t)
	m.Populate("acme", "api", "development")
	of := data{"address": address, "token": planted()}
	if p.TLS != nil {
		of["ca_pem"] = p.certificate()
	} else {
		m.Write("config", data{"egress_allow": "127.0.0.0/8+http"}) // a plain address is stored only then
	}
	m.Write(remote, of)
	turn(t, m.Clock)
	return m, resolver, of["token"].(string)
}

const remote = "integrations/acme/vault/main"

// aWait is longer than a wait before a retry. It is shorter than the time that a verification has
// left after all retries.
const aWait = 4 * time.Second

// turn advances the clock whenever a retry waits, until the test ends. It does not trigger
// deadlines, so a slow response on a busy machine does not fail a test.
func turn(t *testing.T, clock *enginetest.Clock) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if next, waits := clock.Next(); waits && next <= aWait {
					clock.Advance(next)
				}
			}
		}
	})
}

func TestNonPublicAddressesNeedARule(t *testing.T) {
	p := newParty(t, true)
	m, resolver, _ := outgoing(t, p, "https://example.com:"+p.port())
	for _, c := range []struct {
		name, address, rules string
		allowed              bool
	}{
		{"no rule", "127.0.0.1", "", false},
		{"a rule of the address", "127.0.0.1", "127.0.0.1/32", true},
		{"a rule of the workspace", "127.0.0.1", "acme=127.0.0.0/8", true},
		{"a rule of the port", "127.0.0.1", "127.0.0.0/8:" + p.port(), true},
		{"a rule of another workspace", "127.0.0.1", "other=127.0.0.0/8", false},
		{"a rule of another port", "127.0.0.1", "127.0.0.0/8:1", false},
		{"a rule of another network", "127.0.0.1", "10.0.0.0/8", false},
		{"the same address mapped into IPv6", "::ffff:127.0.0.1", "10.0.0.0/8", false},
		{"metadata within a wide rule", "169.254.169.254", "0.0.0.0/0", false},
		{"a private address", "10.1.2.3", "127.0.0.0/8", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			resolver.become(c.address)
			m.Write("config", data{"egress_allow": c.rules})
			before := p.requests.Load()
			if c.allowed {
				has(t, m.Write(remote+"/verify", nil), data{"account": "token-sync", "scopes": []string{"sync"}})
				return
			}
			got := m.Refuse(logical.UpdateOperation, remote+"/verify", nil)
			expect(t, got, 400, "provider", "network: vault", "egress_allow")
			if p.requests.Load() != before {
				t.Error("the party was reached")
			}
		})
	}
	m.Write("config", data{"egress_allow": "127.0.0.0/8"})
	m = m.Restart()
	resolver.become("127.0.0.1")
	m.Write(remote+"/verify", nil)
}

// TestTheAddressOfANameIsCheckedAtEveryUse covers DNS rebinding: the gateway checks the
// address at every use, not only when the integration is created or verified.
func TestTheAddressOfANameIsCheckedAtEveryUse(t *testing.T) {
	p := newParty(t, true)
	m, resolver, _ := outgoing(t, p, "https://example.com:"+p.port())
	m.Write("config", data{"egress_allow": "127.0.0.1/32"})
	m.Write(remote+"/verify", nil)
	for _, address := range []string{"127.0.0.2", "169.254.169.254", "192.168.0.1", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"} {
		resolver.become(address)
		expect(t, m.Refuse(logical.UpdateOperation, remote+"/verify", nil), 400, "provider", "network: vault", "egress_allow")
	}
	resolver.become("127.0.0.1")
	m.Write(remote+"/verify", nil)
	m.Write("config", data{"egress_allow": ""})
	expect(t, m.Refuse(logical.UpdateOperation, remote+"/verify", nil), 400, "provider", "network: vault")
}

func TestPlainHTTPNeedsARuleThatAllowsIt(t *testing.T) {
	p := newParty(t, false)
	m, _, _ := outgoing(t, p, "http://example.com:"+p.port())
	for rules, allowed := range map[string]bool{"": false, "127.0.0.0/8": false, "127.0.0.0/8+http": true} {
		m.Write("config", data{"egress_allow": rules})
		if allowed {
			m.Write(remote+"/verify", nil)
			continue
		}
		before := p.requests.Load()
		expect(t, m.Refuse(logical.UpdateOperation, remote+"/verify", nil), 400, "provider", "network: vault")
		if p.requests.Load() != before {
			t.Errorf("rules %q: the token was sent in clear", rules)
		}
	}
	expect(t, m.Refuse(logical.UpdateOperation, "config", data{"egress_allow": "10.0.0.0/8+http"}), 400, "invalid", "egress_allow: rule 1", "loopback")
}

func TestInvalidResponsesAreReportedByClassAndNotQuoted(t *testing.T) {
	p := newParty(t, true)
	m, _, token := outgoing(t, p, "https://example.com:"+p.port())
	m.Write("config", data{"egress_allow": "127.0.0.0/8"})
	its := planted()
	text := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	elsewhere := newParty(t, true)
	for _, c := range []struct {
		name, class string
		resp        http.HandlerFunc
	}{
		{"garbage", "provider", text(200, "application/json", "{"+its)},
		{"HTML", "provider", text(200, "text/html", "<html>"+its)},
		{"nothing", "provider", text(200, "application/json", "")},
		{"another shape", "provider", text(200, "application/json", `["`+its+`"]`)},
		{"a redirect", "invalid", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.com:"+elsewhere.port()+"/"+its, http.StatusTemporaryRedirect)
		}},
		{"too much", "provider", func(w http.ResponseWriter, _ *http.Request) {
			for range 40 {
				_, _ = w.Write([]byte(strings.Repeat(its, 1<<14)))
			}
		}},
		{"a broken connection", "network", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"a server error", "provider", text(500, "application/json", `{"errors":["`+its+`"]}`)},
		{"a rejected credential", "auth", text(403, "application/json", `{"errors":["permission denied","invalid token","`+its+`"]}`)},
		{"silence", "network", func(_ http.ResponseWriter, r *http.Request) {
			m.Clock.Advance(integrations.VerifyWithin)
			<-r.Context().Done()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.respondsWith(c.resp)
			got := m.Refuse(logical.UpdateOperation, remote+"/verify", nil)
			expect(t, got, 400, "provider", c.class+": vault")
			kept := m.Read(remote)
			delete(kept, "ca_pem") // long random text, which can contain a part of any value by chance
			shown := got.Text + printed(kept)
			if part := leaks(shown, its); part != "" {
				t.Errorf("the error contains %q of the response: %s", part, shown)
			}
			if part := leaks(shown, token); part != "" {
				t.Errorf("the error contains %q of the token: %s", part, shown)
			}
		})
	}
	if elsewhere.requests.Load() > 0 {
		t.Error("the redirect was followed")
	}
	p.respondsWith(lookup)
	m.Write(remote+"/verify", nil)
	if got := m.Read(remote)["last_error"]; got != nil {
		t.Errorf("after a success the last error is %v", got)
	}
}

// TestAChangedAddressWithoutTheCredentialSendsNothing: a caller who may change an integration, but
// does not know its credential, cannot send the credential to another server.
func TestAChangedAddressWithoutTheCredentialSendsNothing(t *testing.T) {
	p, theirs := newParty(t, true), newParty(t, true)
	m, _, token := outgoing(t, p, "https://example.com:"+p.port())
	m.Write("config", data{"egress_allow": "127.0.0.0/8"})
	m.Write(remote+"/verify", nil)
	for _, change := range []data{
		{"address": "https://example.com:" + theirs.port()}, {"ca_pem": theirs.certificate() + p.certificate()}, {"tls_server_name": "example.org"}, {"namespace": "theirs"},
	} {
		before := theirs.requests.Load() + p.requests.Load()
		has(t, m.Write(remote, change), data{"state": "unreadable", "token_set": true})
		expect(t, m.Refuse(logical.UpdateOperation, remote+"/verify", nil), 400, "provider", "auth: vault", "supply it again")
		if theirs.requests.Load()+p.requests.Load() != before {
			t.Error("something was sent")
		}
		back := data{"address": "https://example.com:" + p.port(), "ca_pem": p.certificate(), "tls_server_name": "", "namespace": ""}
		has(t, m.Write(remote, back), data{"state": "ready", "generation": 1})
	}
	m.Write(remote, data{"address": "https://example.com:" + theirs.port(), "ca_pem": theirs.certificate(), "token": token})
	m.Write(remote+"/verify", nil)
	if theirs.requests.Load() == 0 {
		t.Error("the control did not reach the other server")
	}
}
