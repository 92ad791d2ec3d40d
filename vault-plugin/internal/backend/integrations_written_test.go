package backend_test

import (
	"context"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// boastful is a toy that reports a given identity.
type boastful struct {
	provider.Provider
	provider.Reader
	provider.Looker
	provider.Checker
	identity func(s *provider.Session) provider.Identity
}

func (b boastful) Verify(_ context.Context, s *provider.Session) (provider.Identity, error) {
	return b.identity(s), nil
}

// TestVerifyRepeatsNothingOfAnotherParty covers a service that controls the response of verify:
// with escape sequences for the terminal, with masses of text, or with the credential that it
// received.
func TestVerifyRepeatsNothingOfAnotherParty(t *testing.T) {
	toys, server := toy.New()
	hostile := "\x1b[2J\r\nvault write stashbase/config egress_allow=\u202e" + strings.Repeat("x", 1<<20)
	registry, err := provider.NewRegistry(boastful{toys, toys.(provider.Reader), toys.(provider.Looker), toys.(provider.Checker), func(s *provider.Session) provider.Identity {
		key := s.Credential.Text("key")
		identity := provider.Identity{
			Account: hostile, Scopes: []string{hostile, key, "the key " + key[2:14]}, Detail: map[string]string{"region": hostile, "key": key, "a\nb": "x"},
			Expires: time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -12*60*60)),
		}
		for range 1 << 16 {
			identity.Scopes = append(identity.Scopes, hostile)
		}
		return identity
	}})
	if err != nil {
		t.Fatal(err)
	}
	m := enginetest.Setup{Providers: registry}.Open(t)
	m.Populate("acme", "api", "development")
	m.Write(integration, data{"key": server.Key()})
	got := m.Write(integration+"/verify", nil)
	kept := printed(got) + printed(m.Read(integration))
	if part := leaks(kept, server.Key()); part != "" {
		t.Errorf("a response contains %q of the credential", part)
	}
	if len(kept) > 64<<10 {
		t.Errorf("the responses have %d bytes", len(kept))
	}
	texts := []any{got["account"]}
	scopes, _ := got["scopes"].([]any)
	detail, _ := got["detail"].(data)
	texts = append(texts, scopes...)
	for name, value := range detail {
		texts = append(texts, name, value)
	}
	for _, text := range texts {
		if shown, isText := text.(string); !isText || len(shown) > 512 || strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("verify shows %.80q", text)
		}
	}
	if account, _ := got["account"].(string); !strings.Contains(account, "vault write") || len(scopes) == 0 {
		t.Errorf("nothing is left of the account and the scopes: %q, %d", account, len(scopes))
	}
	// The engine can still store the last use.
	m.Clock.Advance(2 * time.Hour)
	m.Settle()
	has(t, m.Restart().Read(integration), data{"expires_time": "", "state": "ready"})
}

// A credential that was read from a file often ends with a line break. Each provider refuses it
// before it is stored.
func TestCredentialsWithWhiteSpaceAtTheirEdgesAreRefused(t *testing.T) {
	m := enginetest.Setup{}.Open(t)
	m.Populate("acme", "api", "development")
	token := planted()
	for path, settings := range map[string]data{
		"integrations/acme/vault/main":  {"address": "https://vault.example.com"},
		"integrations/acme/github/main": {},
	} {
		for name, value := range map[string]string{
			"a line break": token + "\n", "a line break of Windows": token + "\r\n", "a space": " " + token, "a byte order mark": "\ufeff" + token,
			"a control character": token[:5] + "\x1b" + token[5:], "bytes that are not text": token + "\ufffd",
		} {
			settings["token"] = value
			got := m.Refuse(logical.CreateOperation, path, settings)
			expect(t, got, 400, "invalid", "token: must")
			if part := leaks(got.Text, token); part != "" {
				t.Errorf("%s: the error contains %q of the token", name, part)
			}
			expect(t, m.Refuse(logical.ReadOperation, path, nil), 404, "not_found")
		}
		settings["token"] = token
		has(t, m.Write(path, settings), data{"token_set": true, "state": "ready"})
	}
}

// An address that can never be reached is refused when it is written, and not at the first run of a
// sync.
func TestAPlainAddressNeedsARuleWhenItIsWritten(t *testing.T) {
	m := enginetest.Setup{}.Open(t)
	m.Populate("acme", "api", "development")
	const path = "integrations/acme/vault/main"
	of := data{"address": "http://127.0.0.1:8200", "token": planted()}
	refused := func(rules string) {
		t.Helper()
		m.Write("config", data{"egress_allow": rules})
		expect(t, m.Refuse(logical.CreateOperation, path, of), 400, "invalid", "address: must begin with https://", "egress_allow", "+http")
		expect(t, m.Refuse(logical.ReadOperation, path, nil), 404, "not_found")
	}
	for _, rules := range []string{"", "127.0.0.0/8", "other=127.0.0.0/8+http", "127.0.0.0/8:1+http"} {
		refused(rules)
	}
	m.Write("config", data{"egress_allow": "acme=127.0.0.1/32:8200+http"})
	m.Write(path, of)

	// What is stored stays usable for every other change after the rule is gone.
	m.Write("config", data{"egress_allow": ""})
	has(t, m.Write(path, data{"description": "changed"}), data{"description": "changed", "address": "http://127.0.0.1:8200"})
	has(t, m.Write(path, of), data{"address": "http://127.0.0.1:8200"})
	expect(t, m.Refuse(logical.UpdateOperation, path, data{"address": "http://127.0.0.1:8300"}), 400, "invalid", "address: must begin with https://")
	has(t, m.Write(path, data{"address": "https://127.0.0.1:8200"}), data{"state": "unreadable"})
}

func TestTheHelpOfAProxyIsAboutAProxy(t *testing.T) {
	m := enginetest.Setup{}.Open(t)
	for _, url := range []string{"proxy.example.com", "https://vault.example.com:8200/v1", "socks5://127.0.0.1:1080", "http://ada@127.0.0.1:3128", "http://127.0.0.1:0"} {
		got := m.Refuse(logical.UpdateOperation, "config", data{"proxy_url": url})
		expect(t, got, 400, "invalid", "proxy_url: must be", "http://proxy.example.com:3128")
		if strings.Contains(got.Text, "vault.example.com") {
			t.Errorf("the example is no proxy: %s", got.Text)
		}
	}
	has(t, m.Write("config", data{"proxy_url": "http://proxy.example.com:3128"}), data{"proxy_url": "http://proxy.example.com:3128"})
}

// A setting that decides who receives the credential changes together with the credential. Another
// form of the same setting is no change.
func TestAnEndpointChangesTogetherWithTheCredential(t *testing.T) {
	m := enginetest.Setup{}.Open(t)
	m.Populate("acme", "api", "development")
	const path = "integrations/acme/vault/main"
	token := planted()
	m.Write(path, data{"address": "https://vault.example.com", "token": token})
	has(t, m.Write(path, data{"namespace": "admin/"}), data{"state": "unreadable", "namespace": "admin"})
	has(t, m.Write(path, data{"namespace": "", "token": token}), data{"state": "ready"})
	has(t, m.Write(path, data{"address": "https://vault.example.com:443/"}), data{"state": "ready"})
}
