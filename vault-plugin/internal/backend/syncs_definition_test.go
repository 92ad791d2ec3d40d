package backend_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestInvalidDefinitionsAreRejected(t *testing.T) {
	m, _ := synced(t, nil)
	m.Write("integrations/acme/toy/narrow", data{"key": "any", "allowed_environments": "web/*", "allowed_targets": "top"})
	m.Write("integrations/acme/toy/elsewhere", data{"key": "any", "allowed_environments": "*", "allowed_targets": "low/*"})
	const other = "syncs/acme/api/development/toy-shelf/other"
	for _, tc := range []struct {
		path   string
		given  data
		status int
		word   string
		says   string
	}{
		{other, data{"shelf": "low"}, 400, "invalid", "integration: is required"},
		{other, data{"integration": "main"}, 400, "invalid", "shelf"},
		{other, data{"integration": "nothing", "shelf": "low"}, 400, "not_found", "vault write stashbase/integrations/acme/toy/nothing"},
		{other, data{"integration": "narrow", "shelf": "low"}, 403, "denied", "allowed_environments"},
		{other, data{"integration": "elsewhere", "shelf": "low"}, 403, "denied", "allowed_targets"},
		{other, data{"integration": "main", "shelf": "a b"}, 400, "invalid", "shelf: must be a word"},
		{other, data{"integration": "main", "shelf": "low", "visibility": "some"}, 400, "invalid", "visibility"},
		{other, data{"integration": "main", "shelf": "low", "on_conflict": "win"}, 400, "invalid", "on_conflict: must be one of"},
		{other, data{"integration": "main", "shelf": "low", "deletion": "all"}, 400, "invalid", "deletion"},
		{other, data{"integration": "main", "shelf": "low", "trigger": "never"}, 400, "invalid", "trigger"},
		{other, data{"integration": "main", "shelf": "low", "granularity": "heap"}, 400, "invalid", "granularity"},
		{other, data{"integration": "main", "shelf": "low", "include": "[a"}, 400, "invalid", "include"},
		{other, data{"integration": "main", "shelf": "low", "name_template": "{{ range . }}"}, 400, "invalid", "name_template"},
		{other, data{"integration": "main", "shelf": "low", "drift": "repair"}, 400, "invalid", "drift"},
		{other, data{"integration": "main", "shelf": "low", "description": strings.Repeat("x", 600)}, 400, "limit", "description"},
		{other, data{"integration": "main", "shelf": "top"}, 409, "conflict", "api/development/toy-shelf/main"},
		{other, data{"integration": "main", "shelf": "top", "name_template": "X_{{ .Name | upper }}"}, 409, "conflict", "name_template"},
		{aSync, data{"shelf": "low"}, 409, "conflict", "shelf: cannot be changed; create another sync"},
		{"syncs/acme/api/nothing/toy-shelf/main", data{"integration": "main", "shelf": "low"}, 400, "not_found", "environment"},
		{"syncs/acme/api/development/toy-shelf/No", data{"integration": "main", "shelf": "low"}, 400, "invalid", "name"},
		{"syncs/acme/api/development/nothing/main", data{"integration": "main"}, 400, "not_found", "the destinations are: toy-shelf"},
	} {
		got := m.Refuse(logical.UpdateOperation, tc.path, tc.given)
		expect(t, got, tc.status, tc.word, tc.says)
	}
	for _, act := range []string{"run", "adopt", "pause", "resume"} {
		expect(t, m.Refuse(logical.UpdateOperation, other+"/"+act, nil), 400, "not_found", "vault write stashbase/"+other)
	}
	for _, look := range []string{"plan", "status"} {
		expect(t, m.Refuse(logical.ReadOperation, other+"/"+look, nil), 400, "not_found", "vault write stashbase/"+other)
	}
	expect(t, m.Refuse(logical.DeleteOperation, aSync, nil), 400, "invalid", "purge")
	if got := m.Delete(other, data{"purge": true}); got != nil {
		t.Errorf("a delete of a missing sync returned %v", got)
	}
	expect(t, m.Refuse(logical.PatchOperation, other, data{"description": "x"}), 404, "not_found")
	m.Write("config", data{"max_syncs": 1})
	expect(t, m.Refuse(logical.UpdateOperation, other, data{"integration": "main", "shelf": "low"}), 400, "limit", "max_syncs")
}

func TestSyncsThatCannotMeetShareATarget(t *testing.T) {
	m, server := synced(t, data{"include": "DB_*"})
	m.Write("integrations/acme/toy/second", data{"key": server.Key(), "allowed_environments": "*", "allowed_targets": "*"})
	const other = "syncs/acme/api/development/toy-shelf/other"
	expect(t, m.Refuse(logical.UpdateOperation, other, data{"integration": "second", "shelf": "top"}), 409, "conflict", "toy-shelf/main")
	m.Write(other, data{"integration": "second", "shelf": "top", "exclude": "DB_*"})
	m.Write("import/acme/api/development", data{"secrets": data{"DB_URL": "1", "OTHER": "2"}})
	rest(t, m)
	wantShelf(t, server, map[string]string{"DB_URL": "1", "OTHER": "2"})
	// Another workspace learns nothing: for it, the entries of this workspace are foreign.
	m.Populate("rival", "api", "development")
	m.Write("integrations/rival/toy/main", data{"key": server.Key(), "allowed_environments": "*", "allowed_targets": "*"})
	m.Write("syncs/rival/api/development/toy-shelf/main", data{"integration": "main", "shelf": "top"})
	m.Write("secrets/rival/api/development/OTHER", data{"value": "theirs"})
	rest(t, m)
	has(t, m.Read("syncs/rival/api/development/toy-shelf/main/status"), data{"state": "CONFLICT", "owned": 0})
	wantShelf(t, server, map[string]string{"DB_URL": "1", "OTHER": "2"})
}

func TestDependenciesOfASyncAreNotDeleted(t *testing.T) {
	m, _ := synced(t, nil)
	rest(t, m)
	m.Write("workspaces/acme", data{"deletion_allowed": true})
	const named = "api/development/toy-shelf/main"
	expect(t, m.Refuse(logical.DeleteOperation, integration, nil), 409, "conflict", named)
	expect(t, m.Refuse(logical.DeleteOperation, "environments/acme/api/development", data{"confirm": "development"}), 409, "conflict", "sync "+named)
	expect(t, m.Refuse(logical.DeleteOperation, "projects/acme/api", data{"confirm": "api"}), 409, "conflict", "sync "+named)
	expect(t, m.Refuse(logical.DeleteOperation, "workspaces/acme", data{"confirm": "acme"}), 409, "conflict", "sync "+named)
	has(t, m.Read(integration), data{"syncs": []string{named}})
	has(t, m.Delete(aSync, data{"purge": false}), data{"purging": false})
	nothingLeft(t, m)
	m.Delete(integration, nil)
	m.Delete("workspaces/acme", data{"confirm": "acme"})
}

func TestASyncThatOwnsEntriesKeepsItsTarget(t *testing.T) {
	m, server := synced(t, nil)
	m.Write(source+"A", data{"value": "1"})
	m.Write(aSync, data{"granularity": "bundle"}) // the sync owns no entries yet
	m.Write(aSync, data{"granularity": "key"})
	rest(t, m)
	expect(t, m.Refuse(logical.UpdateOperation, aSync, data{"granularity": "bundle"}), 409, "conflict", "purge=true", "purge=false")
	m.Write(integration, data{"region": "us", "key": server.Key()})
	m.Write(source+"A", data{"value": "2"})
	has(t, rest(t, m), data{"state": "BLOCKED", "error_class": "invalid"})
	wantShelf(t, server, map[string]string{"A": "1"})
	expect(t, m.Refuse(logical.UpdateOperation, aSync, data{"description": "x"}), 409, "conflict", "purge")
	m.Write(integration, data{"region": "eu", "key": server.Key()})
	has(t, rest(t, m), data{"state": "SYNCED"})
	wantShelf(t, server, map[string]string{"A": "2"})
	m.Delete(aSync, data{"purge": false})
	wantShelf(t, server, map[string]string{"A": "2"})
	nothingLeft(t, m)
}

// A change of names or settings changes the entries: entries that the sync owns are deleted under
// the old names, and new settings are written.
func TestAChangedDefinitionChangesTheEntries(t *testing.T) {
	m, server := synced(t, nil)
	m.Write(source+"A", data{"value": "1"})
	rest(t, m)
	server.Plant("top", "X", "another's")
	m.Write(aSync, data{"name_template": "APP_{{ .Name | lower }}"})
	has(t, rest(t, m), data{"state": "SYNCED", "owned": 1})
	wantShelf(t, server, map[string]string{"APP_a": "1", "X": "another's"})
	m.Write(aSync, data{"name_template": "{{ .Name }}", "deletion": "retain"})
	has(t, rest(t, m), data{"state": "SYNCED", "owned": 2})
	wantShelf(t, server, map[string]string{"A": "1", "APP_a": "1", "X": "another's"})
	writes := func() (n int) {
		for _, call := range server.Calls() {
			if call.Changes() {
				n++
			}
		}
		return n
	}
	before := writes()
	m.Write(aSync, data{"visibility": "private"})
	rest(t, m)
	if writes() != before+1 {
		t.Errorf("another setting was written %d times", writes()-before)
	}
	m.Patch(aSync, data{"visibility": nil, "deletion": nil, "name_template": nil, "description": "x"})
	has(t, rest(t, m), data{"state": "SYNCED", "owned": 1})
	wantShelf(t, server, map[string]string{"A": "1", "X": "another's"})
	m.Write(source+"A", data{"value": "1"}) // a new version of the same value
	status := rest(t, m)
	has(t, keyed(t, status, "A"), data{"state": "SYNCED"})
	if writes() != before+3 { // the setting is restored, and APP_a is deleted
		t.Errorf("written %d times", writes()-before)
	}
}

func TestABundleKeepsTheFieldsOfOthers(t *testing.T) {
	m, server := synced(t, data{"granularity": "bundle"})
	server.Plant("top", "X", "another's")
	m.Write("import/acme/api/development", data{"secrets": data{"A": "1", "B": "2"}})
	rest(t, m)
	m.Delete(source+"A", nil)
	rest(t, m)
	wantShelf(t, server, map[string]string{"B": "2", "X": "another's"})
}
