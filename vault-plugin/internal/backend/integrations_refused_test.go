package backend_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

func TestInvalidIntegrationsAreRejectedWithFieldAndForm(t *testing.T) {
	m, server := toyed(t)
	m.Write(integration, data{"key": server.Key()})
	v, n := planted(), digits()
	fresh := "integrations/acme/toy/fresh"
	reject(t, m, []wrong{
		{"no credential", write(fresh, data{"region": "us"}), "", 400, "invalid", []string{"key:", "required"}},
		{"an empty credential", write(fresh, data{"key": ""}), "", 400, "invalid", []string{"key:", "required"}},
		{"a credential taken away", patch(integration, data{"key": nil}), "", 400, "invalid", []string{"key:", "required"}},
		{"a number as credential", write(fresh, data{"key": number(n)}), n, 400, "invalid", []string{"key:", "a string"}},
		{"true as credential", write(fresh, data{"key": true}), "", 400, "invalid", []string{"key:", "a string"}},
		{"null as credential", write(fresh, data{"key": nil}), "", 400, "invalid", []string{"key:", "null"}},
		{"an object as credential", write(fresh, data{"key": data{v: v}}), v, 400, "invalid", []string{"key:", "a string"}},
		{"a list as credential", write(fresh, data{"key": []string{v}}), v, 400, "invalid", []string{"key:", "a string"}},
		{"a credential in the URL", read(integration, data{"key": v}), v, 400, "invalid", []string{"key:", "is only for a write or patch"}},
		{"a credential that is too long", write(fresh, data{"key": v + strings.Repeat("x", 64<<10)}), v, 400, "limit", []string{"key:", "65536"}},
		{"a credential of another auth method", write(fresh, data{"key": v, "password": v}), v, 400, "invalid", []string{"password:", "auth=key"}},
		{"a setting of another auth method", write(fresh, data{"key": v, "account": v}), v, 400, "invalid", []string{"account:", "auth=key"}},
		{"unknown auth method", write(fresh, data{"key": v, "auth": v}), v, 400, "invalid", []string{"auth:", "key, pair"}},
		{"the other auth method without its setting", write(fresh, data{"auth": "pair", "password": v}), v, 400, "invalid", []string{"account:", "required"}},
		{"the other auth method without its credential", write(fresh, data{"auth": "pair", "account": "ada"}), "", 400, "invalid", []string{"password:", "required"}},
		{"unknown field", write(fresh, data{"key": v, "regoin": v}), v, 400, "invalid", []string{"regoin:", "unknown field", "did you mean region?"}},
		{"a field that only a read returns", write(fresh, data{"key": v, "fingerprint": v}), v, 400, "invalid", []string{"fingerprint:", "unknown field"}},
		{"no choice", write(fresh, data{"key": v, "region": v}), v, 400, "invalid", []string{"region:", "eu us"}},
		{"no number", write(fresh, data{"key": v, "page_size": v}), v, 400, "invalid", []string{"page_size:", "whole number"}},
		{"a number out of bounds", write(fresh, data{"key": v, "page_size": 1001}), v, 400, "invalid", []string{"page_size:", "1 to 1000"}},
		{"no flag", write(fresh, data{"key": v, "read_only": v}), v, 400, "invalid", []string{"read_only:", "true or false"}},
		{"no URL", write(fresh, data{"key": v, "address": v}), v, 400, "invalid", []string{"address:", "must be a URL"}},
		{"a URL with a password", write(fresh, data{"key": v, "address": "https://a:" + v + "@example.com"}), v, 400, "invalid", []string{"address:", "without user name"}},
		{"an environment without a project", write(fresh, data{"key": v, "allowed_environments": "development"}), v, 400, "invalid", []string{"allowed_environments:", "project/environment"}},
		{"a broken pattern", write(fresh, data{"key": v, "allowed_environments": "api/[" + v}), v, 400, "invalid", []string{"allowed_environments:", "project/environment"}},
		{"a broken pattern of targets", write(fresh, data{"key": v, "allowed_targets": "[" + v}), v, 400, "invalid", []string{"allowed_targets:", "a single * for all targets"}},
		{"a pattern that is too long", write(fresh, data{"key": v, "allowed_targets": v + strings.Repeat("x", 256)}), v, 400, "limit", []string{"allowed_targets:"}},
		{"too many patterns", write(fresh, data{"key": v, "allowed_targets": strings.Split(strings.Repeat("a ", 257), " ")}), v, 400, "limit", []string{"allowed_targets:", "64"}},
		{"a long description", write(fresh, data{"key": v, "description": strings.Repeat(v, 20)}), v, 400, "limit", []string{"description:", "512"}},
		{"a field repeats the name", write(fresh, data{"key": v, "name": v}), v, 400, "invalid", []string{"name:", "is part of the path"}},
		{"an invalid name", write("integrations/acme/toy/A_"+v, data{"key": v}), v, 400, "invalid", []string{"name:", naming.Rule}},
		{"an invalid workspace", write("integrations/A/toy/main", data{"key": v}), v, 400, "invalid", []string{"workspace:", naming.Rule}},
		{"a patch of a missing integration", patch(fresh, data{"key": v}), v, 404, "not_found", []string{"toy/fresh"}},
		{"a read of a missing integration", read(fresh, nil), "", 404, "not_found", []string{"toy/fresh"}},
		{"a verification of a missing integration", write(fresh+"/verify", nil), "", 400, "not_found", []string{"vault write stashbase/integrations/acme/toy/fresh"}},
		{"a workspace that is missing", write("integrations/none/toy/main", data{"key": v}), v, 400, "not_found", []string{"vault write -force stashbase/workspaces/none"}},
		{"a list in a workspace that is missing", listing("integrations/none", nil), "", 400, "not_found", []string{"workspaces/none"}},
		{"an invalid proxy", write("config", data{"proxy_url": "ftp://" + v}), v, 400, "invalid", []string{"proxy_url:", "must be http://HOST:PORT", "http://proxy.example.com:3128"}},
		{"an invalid rule", write("config", data{"egress_allow": v}), v, 400, "invalid", []string{"egress_allow:", "rule 1"}},
	})
}

func TestALockOrAPauseStopsProviderCalls(t *testing.T) {
	m, server := toyed(t)
	m.Write(integration, data{"key": server.Key()})
	calls := func() int { return len(server.Calls()) }
	for _, c := range []struct {
		name, path string
		off, on    data
		word       string
		says       string
	}{
		{"the mount", "config", data{"paused": true}, data{"paused": false}, "conflict", "resume them with paused=false in config"},
		{"the workspace", "workspaces/acme", data{"paused": true}, data{"paused": false}, "conflict", "resume them with paused=false in the workspace"},
	} {
		before := calls()
		has(t, m.Write(c.path, c.off), data{"paused": true})
		for m := range restarting(&m) {
			expect(t, m.Refuse(logical.UpdateOperation, integration+"/verify", nil), 409, c.word, c.says)
			m.Write(integration, data{"description": "changed meanwhile"})
		}
		if calls() != before {
			t.Errorf("%s is paused, but the provider was called", c.name)
		}
		m.Write(c.path, c.on)
		m.Write(integration+"/verify", nil)
	}
	m.Write("workspaces/acme/lock", nil)
	for _, req := range []enginetest.Request{
		write(integration+"/verify", nil), read(integration, nil), write(integration, data{"key": server.Key()}), patch(integration, nil), remove(integration, nil),
		listing("integrations/acme", nil), listing("integrations/acme/toy", nil),
	} {
		expect(t, m.Refuse(req.Op, req.Path, req.Data), 409, "locked", `workspace "acme" is locked by its operator`)
	}
	m.Write("workspaces/acme/unlock", nil)
	m.Write(integration+"/verify", nil)
}

func TestAProviderThatRejectsOrHangsIsReportedByClass(t *testing.T) {
	m, server := toyed(t)
	m.Write(integration, data{"key": server.Key()})
	for _, class := range outbound.Classes() {
		server.OnCall(func(toy.Call) toy.Fault { return toy.Refused(class, 0) })
		expect(t, m.Refuse(logical.UpdateOperation, integration+"/verify", nil), 400, "provider", string(class)+": toy", "the test has set this fault")
		if got := object(t, m.Read(integration), "last_error"); got["class"] != string(class) {
			t.Errorf("the last error is %v", got)
		}
	}
	server.OnCall(nil)
	key := server.ChangeKey()
	expect(t, m.Refuse(logical.UpdateOperation, integration+"/verify", nil), 400, "provider", "auth: toy")
	m.Tick()
	m.Settle()
	m = m.Restart()
	if got := object(t, m.Read(integration), "last_error"); got["class"] != "auth" {
		t.Errorf("after a restart the last error is %v", got)
	}
	if got := m.Write(integration, data{"key": key})["last_error"]; got != nil {
		t.Errorf("after a new credential the last error is %v", got)
	}
	reached := make(chan struct{})
	server.OnCall(func(toy.Call) toy.Fault { close(reached); return toy.Fault{Hang: true} })
	go func() {
		<-reached
		m.Clock.Advance(10 * time.Second)
	}()
	expect(t, m.Refuse(logical.UpdateOperation, integration+"/verify", nil), 400, "provider", "network: toy")
	server.OnCall(nil)
	m.Write(integration+"/verify", nil)
}

func TestALockOrAPauseCancelsRunningCalls(t *testing.T) {
	for name, stop := range map[string]enginetest.Request{
		"a lock": write("workspaces/acme/lock", nil), "a pause": write("workspaces/acme", data{"paused": true}), "a deletion": remove(integration, nil),
	} {
		t.Run(name, func(t *testing.T) {
			m, server := toyed(t)
			m.Write(integration, data{"key": server.Key()})
			reached := make(chan struct{})
			server.OnCall(func(toy.Call) toy.Fault { close(reached); return toy.Fault{Hang: true} })
			returned := make(chan error)
			go func() {
				_, err := m.Do(write(integration+"/verify", nil))
				returned <- err
			}()
			<-reached
			if _, err := m.Do(stop); err != nil {
				t.Error(err)
			}
			var refused *enginetest.Refused
			if err := <-returned; !errors.As(err, &refused) || refused.Status != 400 || refused.Text != "provider: network: toy: verify" {
				t.Errorf("the call returned %v, want the error of a canceled call", err)
			}
			if got := len(server.Calls()); got != 1 {
				t.Errorf("the provider was called %d times, want 1", got)
			}
		})
	}
}

func TestAReplayedWriteMakesOneGeneration(t *testing.T) {
	m, server := toyed(t)
	m.Write(integration, data{"key": server.Key()})
	again := enginetest.Request{Op: logical.UpdateOperation, Path: integration, Data: data{"key": server.Key()}, ID: "once"}
	var fingerprints []any
	for m := range restarting(&m) {
		resp, err := m.Do(again)
		if err != nil {
			t.Fatal(err)
		}
		has(t, resp, data{"generation": 2})
		fingerprints = append(fingerprints, resp["fingerprint"])
	}
	if fingerprints[0] != fingerprints[1] {
		t.Errorf("the replay has another fingerprint")
	}
}

func TestAWriteOfOneSecretFieldKeepsTheOthersUnlessTheEndpointChanges(t *testing.T) {
	m, server := toyed(t)
	m.Write(integration, data{"auth": "pair", "account": "ada", "password": server.Key()})
	m.Write(integration+"/verify", nil)
	// The other auth method has another endpoint: a credential supplied for one does not work for
	// the other.
	has(t, m.Write(integration, data{"auth": "key"}), data{"state": "unreadable", "auth": "key", "key_set": false})
	has(t, m.Write(integration, data{"auth": "pair", "account": "ada"}), data{"state": "ready", "generation": 1})
	m.Write(integration+"/verify", nil)
	has(t, m.Write(integration, data{"account": "eve"}), data{"state": "unreadable", "generation": 1})
	has(t, m.Write(integration, data{"account": "eve", "password": server.Key()}), data{"state": "ready", "generation": 2})
	m.Write(integration+"/verify", nil)
}

func TestStorageCallsOfAnIntegration(t *testing.T) {
	m, server := toyed(t)
	key := data{"key": server.Key()}
	costs(t, m, "a creation", write(integration, key), calls{Puts: 3, Deletes: 1})
	costs(t, m, "a change", write(integration, data{"page_size": 7}), calls{Puts: 1})
	costs(t, m, "a credential supplied again", write(integration, key), calls{Puts: 3})
	costs(t, m, "a read", read(integration, nil), calls{})
	costs(t, m, "a list", listing("integrations/acme", nil), calls{})
	costs(t, m, "a verification", write(integration+"/verify", nil), calls{})
	m = m.Restart()
	costs(t, m, "a cold verification", write(integration+"/verify", nil), calls{Gets: 1})
	m.Tick()
	m.Settle()
	costs(t, m, "a verification whose use was stored", write(integration+"/verify", nil), calls{})
	m.Storage.Reset()
	m.Tick()
	m.Settle()
	if got := m.Storage.Counts(); got.Puts != 0 {
		t.Errorf("uses within an hour are stored with %d puts", got.Puts)
	}
	m.Clock.Advance(2 * time.Hour)
	m.Write(integration+"/verify", nil)
	m.Storage.Reset()
	m.Tick()
	m.Settle()
	if got := m.Storage.Counts(); got.Puts != 1 {
		t.Errorf("a use after an hour is stored with %d puts", got.Puts)
	}
	costs(t, m, "a deletion", remove(integration, nil), calls{Puts: 1, Deletes: 3})
}

// TestACredentialIsNowhereInPlaintext searches storage, responses, lists and errors for a
// credential. As a control, the search must find the description, which is stored in plaintext.
func TestACredentialIsNowhereInPlaintext(t *testing.T) {
	m, server := toyed(t)
	secret, control := server.Key(), planted()
	var seen strings.Builder
	see := func(req enginetest.Request) {
		resp, err := m.Do(req)
		for name, value := range resp {
			seen.WriteString(name + " " + strings.TrimSpace(strings.Join(strings.Fields(printed(value)), " ")) + "\n")
		}
		if err != nil {
			seen.WriteString(err.Error() + "\n")
		}
	}
	see(write(integration, data{"key": secret, "description": control}))
	see(write(integration+"/verify", nil))
	see(read(integration, nil))
	see(listing("integrations/acme", nil))
	see(write(integration, data{"key": secret, "region": "mars"}))
	see(write(integration, data{"key": secret, "keys": secret}))
	see(write(integration, data{"key": []string{secret}}))
	see(write(integration, data{"key": secret, "region": "us"}))
	server.ChangeKey()
	see(write(integration+"/verify", nil))
	see(read(integration, nil))
	see(read("info", nil))
	m.Write("keys/acme/rotate", nil)
	m.Tick()
	m.Settle()
	for _, key := range m.Storage.Keys() {
		seen.WriteString(key + " " + string(m.Storage.Raw(key)) + "\n")
	}
	if !strings.Contains(seen.String(), control) {
		t.Fatal("the search finds nothing")
	}
	for at := range len(secret) - 5 {
		if part := secret[at : at+6]; strings.Contains(seen.String(), part) {
			t.Errorf("%q of the credential was found", part)
		}
	}
}

// printed returns a value as text.
func printed(value any) string { return fmt.Sprint(value) }
