package backend_test

import (
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

// mixed returns a mount whose sync owns A and B. Others have added content to A.
func mixed(t *testing.T, more data) (*enginetest.Mount, *toy.Server) {
	t.Helper()
	m, server := synced(t, more)
	m.Write("import/acme/api/development", data{"secrets": data{"A": "1", "B": "1"}})
	has(t, rest(t, m), data{"state": "SYNCED", "owned": 2})
	server.Extend("top", "A")
	return m, server
}

// A change of a secret must not lose what others have added to its entry. Until a person decides,
// the entry is a conflict, and the other entries are written.
func TestContentOfOthersIsAConflictUntilItIsAdopted(t *testing.T) {
	m, server := mixed(t, nil)
	m.Write("import/acme/api/development", data{"secrets": data{"A": "2", "B": "2"}})
	status := rest(t, m)
	has(t, status, data{"state": "CONFLICT", "error_class": "conflict", "owned": 2, "troubled": 1})
	has(t, keyed(t, status, "A"), data{"state": "CONFLICT", "error_class": "conflict", "hint": "others have added content to the entry: remove it, or adopt the entry by name"})
	wantShelf(t, server, map[string]string{"A": "1", "B": "2"})
	if !server.Extended("top", "A") {
		t.Fatal("the content of others is lost")
	}
	for m := range restarting(&m) {
		m.Write(aSync+"/run", data{"wait": "1s"})
		has(t, rest(t, m), data{"state": "CONFLICT"})
	}

	// A request that is lost does not use up the decision of the person.
	m.Write(aSync+"/adopt", data{"keys": "A"})
	lost := true
	server.OnCall(func(c toy.Call) toy.Fault {
		if c.Operation == toy.Write && lost {
			lost = false
			return toy.Refused("permission", 0)
		}
		return toy.Fault{}
	})
	has(t, rest(t, m), data{"state": "PARTIAL"})
	m.Write(aSync+"/run", data{"wait": "1s"})
	has(t, rest(t, m), data{"state": "SYNCED", "owned": 2, "troubled": 0})
	wantShelf(t, server, map[string]string{"A": "2", "B": "2"})
	if server.Extended("top", "A") {
		t.Error("the adopted entry was not replaced")
	}

	// The decision was for the content of then.
	server.Extend("top", "A")
	m.Write(source+"A", data{"value": "3"})
	has(t, rest(t, m), data{"state": "CONFLICT"})
}

func TestOverwriteReplacesContentOfOthers(t *testing.T) {
	m, server := mixed(t, data{"on_conflict": "overwrite"})
	m.Write(source+"A", data{"value": "2"})
	has(t, rest(t, m), data{"state": "SYNCED"})
	wantShelf(t, server, map[string]string{"A": "2", "B": "1"})
	// on_conflict is about entries that are written. A deletion loses the content without a trace.
	server.Extend("top", "A")
	m.Delete(source+"A", nil)
	has(t, rest(t, m), data{"state": "CONFLICT", "owned": 2})
	wantShelf(t, server, map[string]string{"A": "2", "B": "1"})
}

func TestAPurgeKeepsContentOfOthers(t *testing.T) {
	m, server := mixed(t, nil)
	m.Delete(aSync, data{"purge": true})
	m.Clock.Advance(syncs.Window)
	m.Settle()
	has(t, m.Read(aSync+"/status"), data{"state": "CONFLICT", "purging": true, "owned": 1})
	wantShelf(t, server, map[string]string{"A": "1"})
	m.Write(aSync+"/adopt", data{"keys": "A"})
	m.Clock.Advance(syncs.Window)
	m.Settle()
	expect(t, m.Refuse(logical.ReadOperation, aSync, nil), 404, "not_found")
	wantShelf(t, server, map[string]string{})
	nothingLeft(t, m)
}

// A key sync writes the KV secret <path>/<NAME>. A bundle of that path would be replaced.
func TestSyncsThatWriteOneObjectAreRefused(t *testing.T) {
	m := enginetest.Setup{}.Open(t)
	m.Populate("acme", "api", "development")
	m.Write("integrations/acme/vault/main", data{"address": "https://vault.example.com", "token": planted(), "allowed_environments": "*", "allowed_targets": "*"})
	const folder = "syncs/acme/api/development/vault-kv/"
	define := func(path, granularity string, more data) data {
		all := data{"integration": "main", "mount": "team/", "path": path, "granularity": granularity}
		for name, value := range more {
			all[name] = value
		}
		return all
	}
	m.Write("config", data{"paused": true}) // the syncs do not run
	has(t, m.Write(folder+"keys", define("apps/", "key", nil)), data{"mount": "team", "path": "apps", "target": "team/apps"})
	for _, path := range []string{"apps/api", "/apps/api/"} {
		got := m.Refuse(logical.UpdateOperation, folder+"bundle", define(path, "bundle", nil))
		expect(t, got, 409, "conflict", "api/development/vault-kv/keys", "team/apps/api")
		expect(t, m.Refuse(logical.UpdateOperation, folder+"bundle/plan", define(path, "bundle", nil)), 409, "conflict", "team/apps/api")
	}
	expect(t, m.Refuse(logical.UpdateOperation, folder+"again", define("/apps", "key", nil)), 409, "conflict", "same target")
	m.Write(folder+"deeper", define("apps/api/production", "bundle", nil))
	m.Write(folder+"beside", define("apps", "bundle", nil))
	m.Write(folder+"below", define("apps/api", "key", data{"exclude": "production"}))
	m.Write(folder+"keys", data{"exclude": "api"})
	m.Write(folder+"bundle", define("apps/api", "bundle", nil))
	expect(t, m.Refuse(logical.UpdateOperation, folder+"keys", data{"exclude": ""}), 409, "conflict", "api/development/vault-kv/bundle", "team/apps/api")
	// Another form of the same path changes nothing; another path does.
	m.Write(folder+"keys", data{"mount": "/team", "path": "apps"})
	expect(t, m.Refuse(logical.UpdateOperation, folder+"keys", data{"path": "other"}), 409, "conflict", "path")
}
