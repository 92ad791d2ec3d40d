package rewrap_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

type data = enginetest.Data

const (
	secret = "secrets/acme/api/development/A"
	aSync  = "syncs/acme/api/development/toy-shelf/main"
	large  = 9 << 10 // bytes of a value that no head has room for as an older value
)

// sealed returns a mount with at least one record of each kind that is sealed under the keys of the
// workspace acme.
func sealed(t *testing.T) *enginetest.Mount {
	t.Helper()
	toys, server := toy.Options{}.New()
	registry, err := provider.NewRegistry(toys)
	if err != nil {
		t.Fatal(err)
	}
	m := enginetest.Setup{Providers: registry}.Open(t)
	m.Populate("acme", "api", "development")
	for n := range 3 {
		m.Write(secret, data{"value": value(n + 1)})
	}
	m.Write("integrations/acme/toy/main", data{"key": server.Key(), "allowed_environments": "*", "allowed_targets": "*"})
	m.Write(aSync, data{"integration": "main", "shelf": "top", "trigger": "manual"})
	m.Write(aSync+"/run", nil)
	m.Settle()
	if state := m.Read(aSync + "/status")["state"]; state != "SYNCED" {
		t.Fatalf("the sync is %v", state)
	}
	return m
}

// value returns the value of a version. Version 1 is spilled, and version 2 is in the head.
func value(version int) string {
	return fmt.Sprintf("version %d %s", version, strings.Repeat(".", map[bool]int{true: large}[version == 1]))
}

// under returns the keys with a prefix.
func under(t *testing.T, s *enginetest.Storage, prefix string) (keys []string) {
	t.Helper()
	for _, key := range s.Keys() {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		t.Fatalf("storage has nothing under %s, so the test would prove nothing", prefix)
	}
	return keys
}

// restart restarts a mount and waits for its background work.
func restart(m *enginetest.Mount) *enginetest.Mount {
	m.Settle()
	m = m.Restart()
	m.Settle()
	return m
}

func rewrapState(m *enginetest.Mount) string {
	progress, _ := m.Read("keys/acme")["rewrap"].(data)
	return fmt.Sprint(progress["state"])
}

// refusesToRetire checks that version 1 of the key is kept, and that the refusal names the kind of
// record that may need the version.
func refusesToRetire(t *testing.T, m *enginetest.Mount, kind string) {
	t.Helper()
	got := m.Refuse(logical.UpdateOperation, "keys/acme", data{"min_decryption_version": 2})
	if got.Status != 409 || got.Word() != "conflict" || !strings.Contains(got.Text, kind) {
		t.Errorf("raising the minimum is refused with %v, want a conflict that names %q", got, kind)
	}
	m.Write("keys/acme", data{"min_decryption_version": 2, "force": true})
	if got := m.Refuse(logical.UpdateOperation, "keys/acme/trim", nil); got.Status != 409 || !strings.Contains(got.Text, kind) {
		t.Errorf("a trim after a forced minimum is refused with %v, want a conflict that names %q", got, kind)
	}
	m.Write("keys/acme", data{"min_decryption_version": 1})
}

// retires rewraps, retires version 1 of the key, and checks that everything still opens.
func retires(t *testing.T, m *enginetest.Mount) {
	t.Helper()
	m.Write("keys/acme/rewrap", nil)
	m.Settle()
	if state := rewrapState(m); state != "done" {
		t.Fatalf("the rewrap is %s: %v", state, m.Read("info")["health"])
	}
	m.Write("keys/acme", data{"min_decryption_version": 2})
	m.Write("keys/acme/trim", nil)
	m = restart(m)
	for n := range 3 {
		got := m.Must(logical.ReadOperation, secret, data{"version": n + 1})
		if got["value"] != value(n+1) {
			t.Errorf("version %d is %.30v", n+1, got["value"])
		}
	}
	m.Write("integrations/acme/toy/main/verify", nil)
	m.Write(aSync+"/run", nil)
	m.Settle()
	if got := m.Read(aSync + "/status"); got["state"] != "SYNCED" {
		t.Errorf("the sync is %v: %v", got["state"], got["hint"])
	}
}

// Each kind of record is put back as it was before the rotation. The record alone must keep the old
// key version, whatever has become of the other kinds.
func TestEachKindOfRecordKeepsTheKeyThatItNeeds(t *testing.T) {
	for prefix, kind := range map[string]string{
		"sec/": "1 secrets", "ver/": "1 older versions of secrets", "cred/": "1 credentials", "sync/": "1 syncs", "ledger/": "1 syncs",
	} {
		t.Run(prefix, func(t *testing.T) {
			m := sealed(t)
			before := m.Storage.Clone()
			m.Write("keys/acme/rotate", nil)
			m.Settle()
			for _, key := range under(t, before, prefix) {
				m.Storage.SetRaw(key, before.Raw(key))
			}
			m = restart(m)
			m.Storage.FailFrom(3, false) // the rewrap is begun with two calls, but reaches nothing
			m.Write("keys/acme/rewrap", nil)
			m.Settle()
			m.Storage.Reset()
			if state := rewrapState(m); state != "running" {
				t.Fatalf("the rewrap is %s, so the test would prove nothing", state)
			}
			refusesToRetire(t, m, kind)
			retires(t, m)
		})
	}
}

// A record that cannot be read may need any key version, and so may all that only this record leads
// to. The rewrap must not count as done, and the old version must stay until the record is
// restored.
func TestADamagedRecordKeepsTheOldKey(t *testing.T) {
	for prefix, kind := range map[string]string{
		"proj/": "1 projects and environments whose records are damaged", "env/": "1 projects and environments whose records are damaged",
		"int/": "1 credentials", "cred/": "1 credentials", "sync/": "1 syncs", "ledger/": "1 syncs",
		"sec/": "1 secrets that cannot be read", "ver/": "1 older versions of secrets", "log/": "1 imports that cannot be read",
	} {
		t.Run(prefix, func(t *testing.T) {
			m := sealed(t)
			if prefix == "log/" {
				// No sync reads this environment, so that only the import can make the rewrap fail.
				m.Write("environments/acme/api/staging", nil)
				m.Settle()
				m.Storage.FailFrom(2, false) // only the commit is stored
				m.Write("import/acme/api/staging", data{"secrets": data{"NEW": "new"}})
				m.Settle()
			}
			whole := m.Storage.Clone()
			damaged := under(t, whole, prefix)[:1]
			storage := whole.Clone()
			for _, key := range damaged {
				raw := whole.Raw(key)
				storage.SetRaw(key, raw[:len(raw)/2])
			}
			m = m.On(storage)
			m.Write("keys/acme/rotate", nil)
			m.Settle()
			if state := rewrapState(m); state != "failed" {
				t.Errorf("the rewrap is %s", state)
			}
			refusesToRetire(t, m, kind)
			for _, key := range damaged {
				m.Storage.SetRaw(key, whole.Raw(key))
			}
			retires(t, restart(m))
		})
	}
}
