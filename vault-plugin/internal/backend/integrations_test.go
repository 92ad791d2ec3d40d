package backend_test

import (
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

const integration = "integrations/acme/toy/main"

// toyed returns a mount with the environment dev, whose only provider is a toy.
func toyed(t *testing.T) (*enginetest.Mount, *toy.Server) {
	t.Helper()
	return toyedAs(t, toy.Options{})
}

func toyedAs(t *testing.T, o toy.Options) (*enginetest.Mount, *toy.Server) {
	t.Helper()
	toys, server := o.New()
	registry, err := provider.NewRegistry(toys)
	if err != nil {
		t.Fatal(err)
	}
	m := enginetest.Setup{Providers: registry}.Open(t)
	m.Populate("acme", "api", "development")
	return m, server
}

func TestAnIntegrationFromItsCreationToItsEnd(t *testing.T) {
	m, server := toyed(t)
	created := m.Write(integration, data{"key": server.Key(), "allowed_environments": "api/*", "labels": "a,b"})
	has(t, created, data{
		"provider": "toy", "name": "main", "auth": "key", "key_set": true, "state": "ready", "hint": "", "generation": 1, "region": "eu",
		"address": "https://toys.example.com", "read_only": false, "page_size": 100, "labels": []string{"a", "b"},
		"allowed_environments": []string{"api/*"}, "allowed_targets": []string{}, "syncs": []string{}, "last_used_time": "", "expires_time": "",
	})
	for m := range restarting(&m) {
		verified := m.Write(integration+"/verify", nil)
		has(t, verified, data{"account": "ada", "scopes": []string{"read", "write"}, "detail": data{"region": "eu"}, "generation": 1})
		if lacks, _ := verified["lacks"].([]any); len(lacks) != 1 {
			t.Errorf("lacks %v", lacks)
		}
	}
	if used := m.Read(integration)["last_used_time"]; used == "" {
		t.Error("the time of the use is missing")
	}
	again := m.Write(integration, data{"key": server.ChangeKey()})
	has(t, again, data{"generation": 2, "state": "ready", "labels": []string{"a", "b"}})
	if again["fingerprint"] == created["fingerprint"] {
		t.Error("two generations have one fingerprint")
	}
	m.Write(integration+"/verify", nil)
	has(t, m.Patch(integration, data{"labels": nil, "region": "us", "key": server.Key()}), data{"generation": 3, "labels": []string{}, "region": "us"})
	if names := m.List("integrations/acme"); len(names) != 1 || names[0] != "toy/main" {
		t.Errorf("got %v", names)
	}
	if names := m.List("integrations/acme/toy"); len(names) != 1 || names[0] != "main" {
		t.Errorf("got %v", names)
	}
	m.Delete(integration, nil)
	expect(t, m.Refuse(logical.ReadOperation, integration, nil), 404, "not_found")
	for m := range restarting(&m) {
		m.Settle()
		for _, key := range m.Storage.Keys() {
			if key[:4] == "int/" || key[:5] == "cred/" {
				t.Errorf("%s is left", key)
			}
		}
	}
}

func TestACredentialIsReadOnlyForTheEndpointItWasSuppliedFor(t *testing.T) {
	m, server := toyed(t)
	m.Write(integration, data{"key": server.Key()})
	has(t, m.Write(integration, data{"page_size": 7}), data{"state": "ready", "generation": 1})
	for _, change := range []data{{"address": "https://elsewhere.example.com"}, {"region": "us"}, {"address": "https://toys.example.com:8443"}} {
		changed := m.Write(integration, change)
		has(t, changed, data{"state": "unreadable", "generation": 1, "key_set": true})
		for m := range restarting(&m) {
			calls := len(server.Calls())
			expect(t, m.Refuse(logical.UpdateOperation, integration+"/verify", nil), 400, "provider", "auth: toy", "supply it again")
			if len(server.Calls()) != calls {
				t.Error("the provider was called")
			}
		}
		has(t, m.Write(integration, data{"address": "https://toys.example.com", "region": "eu"}), data{"state": "ready", "generation": 1})
	}
	has(t, m.Write(integration, data{"region": "us", "key": server.Key()}), data{"state": "ready", "generation": 2})
	m.Write(integration+"/verify", nil)
}
