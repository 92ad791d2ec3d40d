package backend_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

func TestAWorkspaceIsCreatedReadChangedAndPatched(t *testing.T) {
	m := enginetest.New(t)
	if m.Exists("workspaces/acme") {
		t.Error("a workspace exists before it was created")
	}
	created := m.Write("workspaces/acme", data{"description": "billing", "metadata": data{"team": "a", "cost": "1"}})
	want := data{
		"name": "acme", "description": "billing", "metadata": data{"team": "a", "cost": "1"}, "deletion_allowed": false,
		"projects": 0, "environments": 0, "secrets": 0, "max_versions": 0,
		"created_time": "2026-01-02T03:04:05Z", "updated_time": "2026-01-02T03:04:05Z",
	}
	has(t, created, want)
	if !m.Exists("workspaces/acme") {
		t.Error("a created workspace does not exist")
	}

	m.Clock.Advance(time.Hour)
	has(t, m.Write("workspaces/acme", data{"deletion_allowed": true}), data{
		"description": "billing", "deletion_allowed": true, "id": created["id"],
		"created_time": "2026-01-02T03:04:05Z", "updated_time": "2026-01-02T04:04:05Z",
	})
	has(t, m.Patch("workspaces/acme", data{"metadata": data{"team": "b", "cost": nil, "new": ""}}), data{"metadata": data{"team": "b", "new": ""}})
	has(t, m.Write("workspaces/acme", data{"metadata": data{"only": "this"}}), data{"metadata": data{"only": "this"}})
	has(t, m.Patch("workspaces/acme", data{"metadata": nil, "description": nil, "deletion_allowed": nil}), data{
		"metadata": data{}, "description": "", "deletion_allowed": false,
	})
	m.Populate("acme", "api", "development")
	m.Write(secret, data{"value": planted()})
	counts := data{"projects": 1, "environments": 1, "secrets": 1, "id": created["id"], "metadata": data{}}
	has(t, m.Read("workspaces/acme"), counts)
	has(t, m.Restart().Read("workspaces/acme"), counts)
}

func TestAWorkspaceKeepsDescriptionAndMetadataWithinLimits(t *testing.T) {
	m := enginetest.New(t)
	entries := func(n int) data {
		all := make(data)
		for i := range n {
			all[fmt.Sprint("key", i)] = ""
		}
		return all
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	cases := []struct {
		name  string
		legal data
		wrong data
		field string
	}{
		{"description", data{"description": long(512)}, data{"description": long(513)}, "description:"},
		{"metadata entries", data{"metadata": entries(64)}, data{"metadata": entries(65)}, "metadata:"},
		{"metadata key", data{"metadata": data{long(128): ""}}, data{"metadata": data{long(129): ""}}, "metadata:"},
		{"metadata value", data{"metadata": data{"k": long(512)}}, data{"metadata": data{"k": long(513)}}, "metadata:"},
		{"empty metadata key", data{"metadata": data{"k": ""}}, data{"metadata": data{"": ""}}, "metadata:"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m.Write("workspaces/acme", c.legal)
			expect(t, m.Refuse(logical.UpdateOperation, "workspaces/acme", c.wrong), 400, "limit", c.field)
			expect(t, m.Refuse(logical.UpdateOperation, "workspaces/new", c.wrong), 400, "limit", c.field)
		})
	}
	t.Run("metadata of all patches together", func(t *testing.T) {
		m.Write("workspaces/acme", data{"metadata": entries(64)})
		expect(t, m.Refuse(logical.PatchOperation, "workspaces/acme", data{"metadata": data{"another": ""}}), 400, "limit", "metadata:")
	})
	if m.Exists("workspaces/new") || len(m.Read("master-key")) == 0 {
		t.Error("a refused creation has created")
	}
}

func TestAPatchCreatesNoWorkspace(t *testing.T) {
	m := enginetest.New(t)
	before := m.Storage.Clone()
	expect(t, m.Refuse(logical.PatchOperation, "workspaces/acme", data{"description": "x"}), 404, "not_found", "acme")
	if changed := before.Diff(m.Storage); changed != nil {
		t.Errorf("it has stored %v", changed)
	}
}

func TestAWorkspaceIsShreddedOnlyWhenAllowedAndConfirmed(t *testing.T) {
	m := populated(t)
	first := m.Read("workspaces/acme")["id"]
	m.Write(secret, data{"value": planted()})
	m.Write("keys/acme/rotate", nil)
	m.Settle()
	before := m.Storage.Clone()
	expect(t, m.Refuse(logical.DeleteOperation, "workspaces/acme", data{"confirm": "acme"}), 409, "conflict", "deletion_allowed=true")
	m.Write("workspaces/acme", data{"deletion_allowed": true})
	expect(t, m.Refuse(logical.DeleteOperation, "workspaces/acme", nil), 400, "invalid", "confirm:", "confirm=acme")
	expect(t, m.Refuse(logical.DeleteOperation, "workspaces/acme", data{"confirm": "acm"}), 400, "invalid", "confirm:")
	if changed := before.Diff(m.Storage); len(changed) != 1 || changed[0] != "ws/acme" {
		t.Errorf("refused deletions have changed %v", changed)
	}

	has(t, m.Delete("workspaces/acme", data{"confirm": "acme"}), data{"name": "acme", "key_versions": 2, "projects": 1, "environments": 1, "secrets": 1})
	expect(t, m.Refuse(logical.ReadOperation, "workspaces/acme", nil), 404, "not_found", "acme")
	expect(t, m.Refuse(logical.ReadOperation, secret, nil), 400, "not_found", "workspace", "vault write -force stashbase/workspaces/acme")
	if got := m.Delete("workspaces/acme", data{"confirm": "acme"}); got != nil {
		t.Errorf("a second delete of the workspace returned %v", got)
	}

	m.Populate("acme", "api", "development")
	if again := m.Read("workspaces/acme")["id"]; again == first {
		t.Error("a workspace created again is the same incarnation")
	}
	expect(t, m.Refuse(logical.ReadOperation, secret, nil), 404, "not_found", "DATABASE_URL")
	has(t, m.Write(secret, data{"value": planted()}), data{"version": 1})
}

func TestARotationRewrapsEverythingInTheBackground(t *testing.T) {
	m := populated(t)
	old, newest := planted(), planted()
	m.Write(secret, data{"value": old})
	m.Write(secret, data{"value": newest})
	m.Write("secrets/"+dev+"/GONE", data{"value": planted()})
	m.Delete("secrets/"+dev+"/GONE", nil)
	has(t, m.Read("keys/acme"), data{
		"latest_version": 1, "min_decryption_version": 1, "rewrap": data{"state": "idle", "total": 0, "done": 0, "failed": 0},
		"versions": data{"1": data{"created_time": "2026-01-02T03:04:05Z", "state": "active"}},
	})
	sealed := m.Storage.Clone()

	m.Clock.Advance(time.Hour)
	rotated := m.Write("keys/acme/rotate", nil)
	has(t, rotated, data{"latest_version": 2, "versions": data{
		"1": data{"created_time": "2026-01-02T03:04:05Z", "state": "decrypt-only"},
		"2": data{"created_time": "2026-01-02T04:04:05Z", "state": "active"},
	}})
	has(t, object(t, rotated, "rewrap"), data{"total": 2, "target_version": 2, "started_time": "2026-01-02T04:04:05Z"})
	m.Settle()
	has(t, object(t, m.Read("keys/acme"), "rewrap"), data{"state": "done", "total": 2, "done": 2, "failed": 0})
	for _, key := range m.Storage.Keys() {
		if strings.HasPrefix(key, "sec/") || strings.HasPrefix(key, "ver/") {
			if string(sealed.Raw(key)) == string(m.Storage.Raw(key)) {
				t.Errorf("%s was not encrypted again", key)
			}
		}
	}
	for m := range restarting(&m) {
		has(t, m.Read(secret), data{"value": newest, "version": 2})
		has(t, m.Must("read", secret, data{"version": 1}), data{"value": old, "version": 1})
		has(t, object(t, m.Read("keys/acme"), "rewrap"), data{"state": "done", "total": 2, "done": 2})
	}

	before := m.Storage.Clone()
	m.Write("keys/acme/rewrap", nil)
	m.Settle()
	for _, key := range before.Diff(m.Storage) {
		if !strings.HasPrefix(key, "keys/") {
			t.Errorf("a rewrap with nothing to do has changed %s", key)
		}
	}
	for _, path := range []string{"keys/none/rotate", "keys/none/rewrap"} {
		expect(t, m.Refuse(logical.UpdateOperation, path, nil), 400, "not_found", `"none"`, "vault write -force stashbase/workspaces/none")
	}
	expect(t, m.Refuse(logical.ReadOperation, "keys/none", nil), 404, "not_found", `"none"`)
}

func TestAMasterRotationRewrapsAllWorkspaceKeysAndDestroysTheOldMaster(t *testing.T) {
	m := populated(t)
	m.Populate("other", "api", "development")
	value := planted()
	m.Write(secret, data{"value": value})
	before := m.Storage.Clone()
	has(t, m.Read("master-key"), data{"latest_version": 1, "rewrap": data{"state": "idle", "total": 2, "done": 2, "failed": 0, "waiting": 0, "locked": 0}})
	has(t, m.Write("master-key/rotate", nil), data{"latest_version": 2})
	m.Settle()
	after := m.Read("master-key")
	has(t, after, data{"latest_version": 2, "rewrap": data{"state": "idle", "total": 2, "done": 2, "failed": 0, "waiting": 0, "locked": 0}})
	if versions := object(t, after, "versions"); len(versions) != 1 || versions["2"] == nil {
		t.Errorf("the old master key is still there: %v", versions)
	}
	for _, key := range before.Diff(m.Storage) {
		if key != "core/master" && !strings.HasPrefix(key, "keys/") {
			t.Errorf("a master rotation has changed %s", key)
		}
	}
	if n := len(before.Diff(m.Storage)); n != 3 {
		t.Errorf("it has changed %d entries, want core/master and two key entries", n)
	}
	has(t, m.Read(secret), data{"value": value})
	has(t, m.Restart().Read(secret), data{"value": value})
}
