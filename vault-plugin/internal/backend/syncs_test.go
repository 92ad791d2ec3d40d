package backend_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

const (
	aSync  = "syncs/acme/api/development/toy-shelf/main"
	source = "secrets/acme/api/development/"
)

// synced returns a mount with a toy, an integration that allows everything, and a sync of
// acme/api/development to the shelf top.
func synced(t *testing.T, more data) (*enginetest.Mount, *toy.Server) {
	t.Helper()
	return syncedAs(t, toy.Options{}, more)
}

func syncedAs(t *testing.T, o toy.Options, more data) (*enginetest.Mount, *toy.Server) {
	t.Helper()
	m, server := toyedAs(t, o)
	m.Write(integration, data{"key": server.Key(), "allowed_environments": "*", "allowed_targets": "*"})
	definition := data{"integration": "main", "shelf": "top"}
	for name, value := range more {
		definition[name] = value
	}
	m.Write(aSync, definition)
	return m, server
}

// rest advances the clock until the sync has a final state, within the time that a change may take.
func rest(t *testing.T, m *enginetest.Mount) data {
	t.Helper()
	m.Clock.Advance(syncs.Window)
	m.Settle()
	status := m.Read(aSync + "/status")
	switch status["state"] {
	case "PENDING", "PLANNING", "RUNNING":
		t.Fatalf("the sync does not settle: %v", status)
	}
	return status
}

func wantShelf(t *testing.T, server *toy.Server, want map[string]string) {
	t.Helper()
	if got := server.Truth("top"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the shelf has %v, want %v", got, want)
	}
}

// keyed returns an entry of a status.
func keyed(t *testing.T, status data, name string) data {
	t.Helper()
	keys, _ := status["keys"].([]any)
	for _, k := range keys {
		if one, _ := k.(data); one["name"] == name {
			return one
		}
	}
	t.Errorf("%s is not among %v", name, keys)
	return nil
}

func TestASyncBringsAnEnvironmentToItsDestination(t *testing.T) {
	m, server := synced(t, nil)
	m.Write(source+"A", data{"value": "1"})
	m.Write(source+"B", data{"value": "2"})
	has(t, m.Read(aSync+"/status"), data{"state": "PENDING"})
	has(t, rest(t, m), data{"state": "SYNCED", "owned": 2, "troubled": 0, "error_class": "", "hint": "", "next_attempt_at": "", "next_actions": []string{}})
	wantShelf(t, server, map[string]string{"A": "1", "B": "2"})

	m.Write(source+"A", data{"value": "3"})
	m.Delete(source+"B", nil)
	status := rest(t, m)
	has(t, keyed(t, status, "A"), data{"secret": "A", "state": "SYNCED", "version": 2})
	wantShelf(t, server, map[string]string{"A": "3"})

	for m := range restarting(&m) {
		calls := len(server.Calls())
		has(t, rest(t, m), data{"state": "SYNCED", "owned": 1})
		if len(server.Calls()) != calls {
			t.Error("the destination was called, although nothing had changed")
		}
	}
	has(t, m.Delete(aSync, data{"purge": true}), data{"owned": 1, "purging": true})
	m.Clock.Advance(syncs.Window)
	m.Settle()
	expect(t, m.Refuse(logical.ReadOperation, aSync, nil), 404, "not_found")
	wantShelf(t, server, map[string]string{})
	nothingLeft(t, m)
}

func nothingLeft(t *testing.T, m *enginetest.Mount) {
	t.Helper()
	m.Settle()
	for _, key := range m.Storage.Keys() {
		for _, prefix := range []string{"sync/", "syncstate/", "ledger/"} {
			if strings.HasPrefix(key, prefix) {
				t.Errorf("%s is left", key)
			}
		}
	}
}

func TestForeignEntriesStayUntilAdopted(t *testing.T) {
	m, server := synced(t, nil)
	server.Plant("top", "A", "another's")
	server.Plant("top", "X", "another's")
	m.Write(source+"A", data{"value": "1"})
	m.Write(source+"B", data{"value": "2"})
	status := rest(t, m)
	has(t, status, data{"state": "CONFLICT", "error_class": "conflict", "owned": 1, "troubled": 1})
	has(t, keyed(t, status, "A"), data{"state": "CONFLICT", "error_class": "conflict", "version": 0})
	wantShelf(t, server, map[string]string{"A": "another's", "B": "2", "X": "another's"})
	has(t, m.Read("status/acme"), data{"needs_person": 1})

	expect(t, m.Refuse(logical.UpdateOperation, aSync+"/adopt", data{"keys": "X"}), 400, "invalid", "keys", "status")
	expect(t, m.Refuse(logical.UpdateOperation, aSync+"/adopt", nil), 400, "invalid", "keys")
	m.Write(aSync+"/adopt", data{"keys": "A"})
	has(t, rest(t, m), data{"state": "SYNCED", "owned": 2})
	wantShelf(t, server, map[string]string{"A": "1", "B": "2", "X": "another's"})
	m.Delete(source+"A", nil)
	m.Delete(source+"B", nil)
	has(t, rest(t, m), data{"state": "SYNCED", "owned": 0})
	wantShelf(t, server, map[string]string{"X": "another's"})
}

func TestOnConflict(t *testing.T) {
	for _, tc := range []struct {
		policy, there string
		want          data
		shelf         string
	}{
		{"adopt", "1", data{"state": "SYNCED", "owned": 1}, "1"},
		{"adopt", "2", data{"state": "CONFLICT", "owned": 0}, "2"},
		{"overwrite", "2", data{"state": "SYNCED", "owned": 1}, "1"},
	} {
		t.Run(tc.policy+" "+tc.there, func(t *testing.T) {
			m, server := synced(t, data{"on_conflict": tc.policy})
			server.Plant("top", "A", tc.there)
			m.Write(source+"A", data{"value": "1"})
			before := len(server.Calls())
			has(t, rest(t, m), tc.want)
			wantShelf(t, server, map[string]string{"A": tc.shelf})
			for _, call := range server.Calls()[before:] {
				if tc.policy == "adopt" && call.Changes() {
					t.Errorf("the destination was changed by %v", call)
				}
			}
		})
	}
}

func TestARunThatWouldExceedALimitChangesNothing(t *testing.T) {
	m, server := synced(t, nil)
	m.Write(source+"A", data{"value": "1"})
	rest(t, m)
	m.Write("import/acme/api/development", data{"mode": "replace", "confirm": "development", "secrets": data{"B": "2", "TOY_C": "3", "D.E": "4", "BIG": strings.Repeat("x", 5000)}})
	status := rest(t, m)
	has(t, status, data{"state": "BLOCKED", "error_class": "invalid", "troubled": 3, "owned": 1})
	for _, name := range []string{"TOY_C", "D.E", "BIG"} {
		has(t, keyed(t, status, name), data{"state": "BLOCKED", "error_class": "invalid"})
	}
	wantShelf(t, server, map[string]string{"A": "1"})
	plan := m.Read(aSync + "/plan")
	has(t, plan, data{"counts": data{"create": 1, "delete": 1, "invalid": 3}})
	m.Write(aSync, data{"exclude": "TOY_*,D.E,BIG"})
	has(t, rest(t, m), data{"state": "SYNCED", "owned": 1})
	wantShelf(t, server, map[string]string{"B": "2"})
}

func TestAnUnreadableSecretDeletesNothing(t *testing.T) {
	m, server := synced(t, nil)
	m.Write("import/acme/api/development", data{"secrets": data{"A": "1", "B": "2", "C": "3"}})
	rest(t, m)
	var key string
	for _, k := range m.Storage.Keys() {
		if strings.HasPrefix(k, "sec/") && strings.HasSuffix(k, "/B") {
			key = k
		}
	}
	was := m.Storage.Raw(key)
	m.Storage.SetRaw(key, was[:len(was)-3])
	m = m.Restart()
	m.Delete(source+"A", nil)
	m.Write(source+"C", data{"value": "4"})
	status := rest(t, m)
	has(t, status, data{"state": "BLOCKED", "error_class": "internal"})
	if hint, _ := status["hint"].(string); !strings.Contains(hint, "secret B") || !strings.Contains(hint, "writes and deletes nothing") {
		t.Errorf("the hint is %q", hint)
	}
	wantShelf(t, server, map[string]string{"A": "1", "B": "2", "C": "3"})
	m.Storage.SetRaw(key, was)
	m = m.Restart()
	has(t, rest(t, m), data{"state": "SYNCED"})
	wantShelf(t, server, map[string]string{"B": "2", "C": "4"})
}

func TestFiltersThatMatchNothingDeleteNothing(t *testing.T) {
	m, server := synced(t, nil)
	m.Write(source+"A", data{"value": "1", "tags": "x"})
	rest(t, m)
	for _, filter := range []data{{"include": "NO_*"}, {"exclude": "*", "include": nil}, {"exclude": nil, "tags": "other"}} {
		m.Patch(aSync, filter)
		has(t, rest(t, m), data{"state": "BLOCKED", "owned": 1})
		wantShelf(t, server, map[string]string{"A": "1"})
	}
	m.Patch(aSync, data{"tags": "x"})
	has(t, rest(t, m), data{"state": "SYNCED"})
	m.Delete(source+"A", nil)
	has(t, rest(t, m), data{"state": "SYNCED", "owned": 0})
	wantShelf(t, server, map[string]string{})
}
