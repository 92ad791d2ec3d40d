package backend_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// tick calls the periodic function, as Vault's rollback manager does once a minute.
func tick(t *testing.T, m *enginetest.Mount) {
	t.Helper()
	_, err := m.Do(enginetest.Request{Op: logical.RollbackOperation, Path: ""})
	var refused *enginetest.Refused
	if errors.As(err, &refused) && refused.Status != 405 {
		t.Fatalf("the periodic function: %v", err)
	}
	m.Settle()
}

func TestOldKeyVersionsAreRetiredOnlyWhenNothingNeedsThem(t *testing.T) {
	m := threeVersions(t)
	rotated := m.Storage.Clone()
	m.Write("keys/acme/rotate", nil)
	m.Settle()
	m.Write("keys/acme", enginetest.Data{"min_decryption_version": 2})
	m.Write("keys/acme/trim", nil)
	got := m.Read("keys/acme")
	if versions := got["versions"].(map[string]any); len(versions) != 1 || versions["2"] == nil {
		t.Errorf("after the trim the versions are %v", versions)
	}
	if got := values(t, m.Restart(), "1", "2", "3"); got != "v1 v2 v3" {
		t.Errorf("after the trim the secret reads %q", got)
	}

	// Without a completed rewrap, nothing is retired.
	m = enginetest.Open(t, rotated, enginetest.NewClock())
	sealedBefore := m.Storage.Clone()
	m.Write("keys/acme/rotate", nil)
	m.Settle()
	for _, key := range sealedBefore.Keys() {
		if key[:3] == "sec" || key[:3] == "ver" {
			m.Storage.SetRaw(key, sealedBefore.Raw(key))
		}
	}
	m.Write("keys/acme/rotate", nil) // its rewrap finds the restored record, under version 1
	m = m.Restart()
	m.Settle()
	if got := values(t, m, "1", "2", "3"); got != "v1 v2 v3" {
		t.Errorf("after two rotations the secret reads %q", got)
	}
}

func TestRaisingTheMinimumFailsWithCounts(t *testing.T) {
	m := threeVersions(t)
	before := m.Storage.Clone()
	m.Write("keys/acme/rotate", nil)
	m.Settle()
	// A record was restored from before the rotation, and the rewrap failed on it.
	for _, key := range before.Keys() {
		if key[:3] == "sec" {
			raw := before.Raw(key)
			raw[60] ^= 1 // within the sealed value, which comes first
			m.Storage.SetRaw(key, raw)
		}
	}
	m = m.Restart()
	m.Write("keys/acme/rewrap", nil)
	m.Settle()
	for path, data := range map[string]enginetest.Data{"keys/acme": {"min_decryption_version": 2}} {
		refused := m.Refuse(logical.UpdateOperation, path, data)
		if refused.Status != 409 || refused.Word() != "conflict" {
			t.Errorf("%s is refused with %v", path, refused)
		}
	}
	m.Write("keys/acme", enginetest.Data{"min_decryption_version": 2, "force": true})
	if refused := m.Refuse(logical.UpdateOperation, "keys/acme/trim", nil); refused.Status != 409 {
		t.Errorf("a trim after a forced minimum is refused with %v", refused)
	}
	m.Write("keys/acme/trim", enginetest.Data{"force": true})
	if got := values(t, m.Restart(), "1", "2"); got != "v1 v2" {
		t.Errorf("after the rewrap the secret reads %q", got)
	}
}

func TestTheMinimumStaysAmongTheVersions(t *testing.T) {
	m := threeVersions(t)
	for _, lowest := range []any{0, 2, 99, -1, "x", 1.5} {
		if refused := m.Refuse(logical.UpdateOperation, "keys/acme", enginetest.Data{"min_decryption_version": lowest}); refused.Status != 400 {
			t.Errorf("a minimum of %v is refused with %v", lowest, refused)
		}
	}
}

func TestKeysAreRotatedAtTheirMaximumAge(t *testing.T) {
	m := threeVersions(t)
	if refused := m.Refuse(logical.UpdateOperation, "keys/acme", enginetest.Data{"auto_rotate_period": "23h"}); refused.Status != 400 {
		t.Errorf("a period under a day is refused with %v", refused)
	}
	m.Write("keys/acme", enginetest.Data{"auto_rotate_period": "48h"})
	m = m.Restart()
	for _, step := range []struct {
		after time.Duration
		want  float64
	}{{47 * time.Hour, 1}, {2 * time.Hour, 2}, {time.Minute, 2}, {48 * time.Hour, 3}} {
		m.Clock.Advance(step.after)
		tick(t, m)
		if got := m.Read("keys/acme")["latest_version"]; got != step.want {
			t.Errorf("%v later the latest version is %v, want %v", step.after, got, step.want)
		}
	}
	m.Storage.Reset()
	tick(t, m)
	if calls := m.Storage.Calls(); calls != 0 {
		t.Errorf("with nothing due a tick costs %d storage calls", calls)
	}
	m.Write("keys/acme", enginetest.Data{"auto_rotate_period": 0})
	m.Clock.Advance(1000 * time.Hour)
	tick(t, m)
	if got := m.Read("keys/acme"); got["latest_version"] != 3.0 || got["next_rotation"] != "" {
		t.Errorf("without a period the keys are %v", got)
	}
}

func TestALockedWorkspaceRejectsEverything(t *testing.T) {
	m := threeVersions(t)
	m.Populate("other", "api", "development")
	m.Write("workspaces/acme/lock", nil)
	requests := []enginetest.Request{
		{Op: logical.ReadOperation, Path: "secrets/" + versioned},
		{Op: logical.UpdateOperation, Path: "secrets/" + versioned, Data: enginetest.Data{"value": "x"}},
		{Op: logical.UpdateOperation, Path: "import/acme/api/development", Data: enginetest.Data{"secrets": enginetest.Data{"A": "1"}}},
		{Op: logical.ReadOperation, Path: "load/acme/api/development"},
		{Op: logical.ReadOperation, Path: "metadata/acme/api/development"},
		{Op: logical.ReadOperation, Path: "projects/acme/api"},
		{Op: logical.UpdateOperation, Path: "environments/acme/api/new"},
		{Op: logical.ListOperation, Path: "environments/acme/api/"},
		{Op: logical.ReadOperation, Path: "keys/acme"},
		{Op: logical.UpdateOperation, Path: "keys/acme/rotate"},
		{Op: logical.UpdateOperation, Path: "workspaces/acme", Data: enginetest.Data{"description": "x"}},
		{Op: logical.DeleteOperation, Path: "workspaces/acme", Data: enginetest.Data{"confirm": "acme"}},
	}
	for _, when := range []string{"at once", "after a restart"} {
		for _, request := range requests {
			_, err := m.Do(request)
			var refused *enginetest.Refused
			if !errors.As(err, &refused) || refused.Status != 409 || refused.Word() != "locked" {
				t.Errorf("%s %s %s returned %v", when, request.Op, request.Path, err)
			}
		}
		if got := m.Read("workspaces/acme"); got["locked"] != true {
			t.Errorf("%s the workspace reads %v", when, got)
		}
		m.Write("secrets/other/api/development/KEY", enginetest.Data{"value": "x"})
		m.Write("master-key/rotate", nil)
		m = m.Restart()
	}
	m.Settle()
	m.Write("workspaces/acme/unlock", nil)
	if got := values(t, m, "1", "2", "3"); got != "v1 v2 v3" {
		t.Errorf("after the unlock the secret reads %q", got)
	}
}

func TestARewrapWaitsForTheUnlock(t *testing.T) {
	m := threeVersions(t)
	m.Write("keys/acme/rotate", nil)
	m.Write("workspaces/acme/lock", nil)
	m.Settle()
	m = m.Restart()
	tick(t, m)
	m.Write("workspaces/acme/unlock", nil)
	m.Settle()
	if rewrap := m.Read("keys/acme")["rewrap"].(map[string]any); rewrap["state"] != "done" || rewrap["failed"] != 0.0 {
		t.Errorf("after the unlock the rewrap is %v", rewrap)
	}
}

// A credential and a sync need the key as secrets do. A record that was restored from before a
// rotation is counted, although the rewrap was complete.
func TestATrimIsRefusedWhileACredentialOrASyncNeedsAnOldKey(t *testing.T) {
	for prefix, counted := range map[string]string{"cred/": "1 credentials", "ledger/": "1 syncs", "sec/": "1 secrets"} {
		t.Run(counted, func(t *testing.T) {
			m, server := synced(t, nil)
			m.Write(source+"A", data{"value": "1"})
			has(t, rest(t, m), data{"state": "SYNCED"})
			before := m.Storage.Clone()
			m.Write("keys/acme/rotate", nil)
			m.Settle()
			has(t, object(t, m.Read("keys/acme"), "rewrap"), data{"state": "done", "failed": 0})
			restored := 0
			for _, key := range before.Keys() {
				if strings.HasPrefix(key, prefix) {
					m.Storage.SetRaw(key, before.Raw(key))
					restored++
				}
			}
			m = m.Restart()
			m.Write("keys/acme", data{"min_decryption_version": 2})
			expect(t, m.Refuse(logical.UpdateOperation, "keys/acme/trim", nil), 409, "conflict", counted, "stashbase/keys/acme/rewrap")
			if versions := object(t, m.Read("keys/acme"), "versions"); len(versions) != 2 || restored == 0 {
				t.Fatalf("with %d restored records, the versions are %v", restored, versions)
			}
			m.Write("keys/acme", data{"min_decryption_version": 1})
			m.Write("keys/acme/rewrap", nil)
			m.Settle()
			m.Write("keys/acme", data{"min_decryption_version": 2})
			m.Write("keys/acme/trim", nil)
			m = m.Restart()
			m.Write(integration+"/verify", nil)
			has(t, rest(t, m), data{"state": "SYNCED"})
			wantShelf(t, server, map[string]string{"A": "1"})
		})
	}
}
