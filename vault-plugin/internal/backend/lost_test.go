package backend_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

const plaintext = "NDExMQ=="

// furnished is a mount with something of each kind, and the ciphertext of plaintext in a workspace
// that has nothing but keys.
func furnished(t *testing.T) (m *enginetest.Mount, ciphertext any) {
	t.Helper()
	m, toys := toyed(t)
	m.Write(secret, data{"value": "kept"})
	m.Write(integration, data{"key": toys.Key(), "allowed_environments": "*", "allowed_targets": "*"})
	m.Write(aSync, data{"integration": "main", "shelf": "top"})
	rest(t, m)
	m.Write("workspaces/services", nil)
	ciphertext = m.Write("encrypt/services/cards", data{"plaintext": plaintext})["ciphertext"]
	m.Settle()
	return m, ciphertext
}

func whole(t *testing.T, m *enginetest.Mount, ciphertext any) {
	t.Helper()
	has(t, m.Read("info"), data{"healthy": true})
	has(t, m.Read(secret), data{"value": "kept"})
	has(t, m.Write("decrypt/services/cards", data{"ciphertext": ciphertext}), data{"plaintext": plaintext})
	m.Write(integration+"/verify", nil)
	m.Write(aSync+"/run", nil)
	has(t, rest(t, m), data{"state": "SYNCED", "owned": 1})
}

// TestALostRecordTakesNothingWithIt loses each kind of record, as after a restore of a part of a
// snapshot. Nothing else may go, info must name what is left and what to restore, once, and with
// the record back everything is as before. A workspace that is used only to encrypt has nothing
// beneath it but its keys: a start used to take them for the rest of an interrupted creation, and
// destroyed them.
func TestALostRecordTakesNothingWithIt(t *testing.T) {
	for _, c := range []struct {
		lost string
		says []string // info, of what is left and of what to restore
	}{
		{"ws/services", []string{"keys/", "under ws/"}},
		{"ws/acme", []string{"int/", "keys/", "proj/", "under ws/"}},
		{"keys/", []string{"the key entry keys/"}},
		{"proj/", []string{"env/", "under proj/"}},
		{"env/", []string{"sec/", "sync/", "under env/"}},
		{"int/", []string{"cred/", "under int/"}},
		{"sync/", []string{"ledger/", "syncstate/", "under sync/"}},
	} {
		t.Run(c.lost, func(t *testing.T) {
			m, ciphertext := furnished(t)
			whole(t, m, ciphertext)
			key := stored(m, c.lost)[0]
			record := m.Storage.Raw(key)
			m.Storage.SetRaw(key, nil)
			before := m.Storage.Clone()
			m = m.Restart()
			m.Settle()
			m.Tick()
			m.Settle()
			for _, changed := range before.Diff(m.Storage) {
				if !strings.HasPrefix(changed, "syncstate/") { // a sync notes that it cannot run
					t.Errorf("%s has changed", changed)
				}
			}
			info := m.Read("info")
			health, _ := info["health"].([]any)
			if info["healthy"] != false || len(health) != 1 {
				t.Fatalf("info says %v", health)
			}
			for _, part := range append(c.says, "restore") {
				if !strings.Contains(fmt.Sprint(health[0]), part) {
					t.Errorf("info does not say %q: %s", part, health[0])
				}
			}
			m.Storage.SetRaw(key, record)
			m = m.Restart()
			m.Settle()
			whole(t, m, ciphertext)
		})
	}
}

// TestANameThatIsCreatedAgainFindsNothingOfOld creates names again whose record is lost, and names
// whose deletion is not swept yet. The data of old stay out of reach, and a lost thing's data stay
// as they are.
func TestANameThatIsCreatedAgainFindsNothingOfOld(t *testing.T) {
	for _, lost := range []string{"proj/", "env/"} {
		m, _ := furnished(t)
		m.Storage.SetRaw(stored(m, lost)[0], nil)
		m = m.Restart()
		m.Settle()
		before := stored(m, "sec/")
		m.Write("projects/acme/api", nil)
		m.Write("environments/"+dev, nil)
		for m := range restarting(&m) {
			m.Settle()
			if got := m.Read("load/" + dev); len(got) != 0 {
				t.Errorf("without %s, created again, load returns %v", lost, got)
			}
			expect(t, m.Refuse(logical.ReadOperation, secret, nil), 404, "not_found")
			expect(t, m.Refuse(logical.ReadOperation, aSync, nil), 404, "not_found")
			if after := stored(m, "sec/"); !slices.Equal(after, before) {
				t.Errorf("without %s, of secrets storage has %v", lost, after)
			}
		}
	}
	for _, c := range []struct{ path, confirm string }{{"environments/" + dev, "development"}, {"projects/acme/api", "api"}, {"workspaces/acme", "acme"}} {
		m := populated(t)
		m.Write("workspaces/acme", data{"deletion_allowed": true})
		m.Write(secret, data{"value": "old"})
		m.Settle() // no other background work lists anything
		m.Storage.Hook(func(op, _ string) {
			if op == "list" {
				m.Storage.FailFrom(1, false) // the sweep is cut off
			}
		})
		m.Delete(c.path, data{"confirm": c.confirm})
		m.Settle()
		m.Storage.Hook(nil)
		m.Storage.Reset()
		if len(stored(m, "undone/")) == 0 || len(stored(m, "sec/")) == 0 {
			t.Fatalf("%s is swept already: the test would show nothing", c.path)
		}
		m.Populate("acme", "api", "development")
		for m := range restarting(&m) {
			expect(t, m.Refuse(logical.ReadOperation, secret, nil), 404, "not_found")
			if got := m.Read("load/" + dev); len(got) != 0 {
				t.Errorf("%s, created again, load returns %v", c.path, got)
			}
		}
		m.Settle()
		if left := append(stored(m, "undone/"), stored(m, "sec/")...); len(left) != 0 {
			t.Errorf("after a restart %v is left", left)
		}
	}
}
