package backend_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

const versioned = "acme/api/development/KEY"

// threeVersions returns a mount with one secret, whose versions 1 to 3 have the values v1 to v3.
func threeVersions(t *testing.T) *enginetest.Mount {
	t.Helper()
	m := enginetest.New(t)
	m.Populate("acme", "api", "development")
	for _, value := range []string{"v1", "v2", "v3"} {
		m.Write("secrets/"+versioned, enginetest.Data{"value": value})
	}
	return m
}

// valueOf returns the value of a version as a client reads it, or "" if the version is not found.
func valueOf(t *testing.T, m *enginetest.Mount, version string) string {
	t.Helper()
	data, err := m.Do(enginetest.Request{Op: logical.ReadOperation, Path: "secrets/" + versioned, Data: enginetest.Data{"version": version}})
	if err != nil {
		return ""
	}
	value, _ := data["value"].(string)
	return value
}

func values(t *testing.T, m *enginetest.Mount, versions ...string) string {
	t.Helper()
	var all []string
	for _, v := range versions {
		all = append(all, valueOf(t, m, v))
	}
	return strings.Join(all, " ")
}

func TestVersionsAreDeletedAndRestored(t *testing.T) {
	m := threeVersions(t)
	m.Delete("secrets/"+versioned, enginetest.Data{"versions": "1,3"})
	if got := values(t, m, "1", "2", "3"); got != " v2 " {
		t.Errorf("after deleting 1 and 3 the versions read %q", got)
	}
	if _, there := m.Read("load/acme/api/development")["KEY"]; there {
		t.Error("a secret whose newest version is deleted is delivered")
	}
	m = m.Restart()
	expect(t, m.Refuse(logical.UpdateOperation, "undelete/"+versioned, enginetest.Data{"versions": []string{"1", "3", "77"}}), 400, "not_found", "versions:", "version 77", "1 to 3")
	if got := values(t, m, "1", "2", "3"); got != " v2 " {
		t.Errorf("after a refused undelete the versions read %q", got)
	}
	m.Write("undelete/"+versioned, enginetest.Data{"versions": []string{"1", "2", "3"}})
	if got := values(t, m.Restart(), "1", "2", "3"); got != "v1 v2 v3" {
		t.Errorf("after undeleting them the versions read %q", got)
	}
}

func TestOnlyADeleteTakesVersions(t *testing.T) {
	m := threeVersions(t)
	for op, data := range map[logical.Operation]enginetest.Data{
		logical.ReadOperation:   {"versions": "1"},
		logical.UpdateOperation: {"versions": "1", "value": "x"},
		logical.PatchOperation:  {"versions": "1", "value": "x"},
	} {
		if got := m.Refuse(op, "secrets/"+versioned, data); got.Status != 400 || got.Word() != "invalid" || !strings.Contains(got.Text, "versions") {
			t.Errorf("%s with versions is refused with %v", op, got)
		}
	}
}

func TestDestroyedVersionsLeaveNothingInStorage(t *testing.T) {
	m := threeVersions(t)
	m.Write("destroy/"+versioned, enginetest.Data{"versions": "1,3"})
	if got := values(t, m, "1", "2", "3"); got != " v2 " {
		t.Errorf("after destroying 1 and 3 the versions read %q", got)
	}
	for _, key := range m.Storage.Keys() {
		if strings.HasPrefix(key, "ver/") && strings.HasSuffix(key, "/1") {
			t.Errorf("%s is still there", key)
		}
	}
	expect(t, m.Refuse(logical.UpdateOperation, "undelete/"+versioned, enginetest.Data{"versions": "1,3"}), 400, "not_found", "versions:", "version 1", "is destroyed")
	m = m.Restart()
	if got := values(t, m, "1", "2", "3"); got != " v2 " {
		t.Errorf("after undeleting destroyed versions they read %q", got)
	}
	m.Write("destroy/"+versioned, enginetest.Data{"versions": "77"}) // ignored, as in KV
	m = m.Restart()
	if got := enginetest.Version(m.Write("secrets/"+versioned, enginetest.Data{"value": "v4"})); got != 4 {
		t.Errorf("the next version is %d", got)
	}
	m.Write("keys/acme/rotate", nil)
	m.Settle()
	if state := m.Read("keys/acme")["rewrap"].(map[string]any)["state"]; state != "done" {
		t.Errorf("a rewrap over destroyed versions ends %v", state)
	}
}

func TestDestructionIsCompletedAfterACrash(t *testing.T) {
	for calls := 1; calls <= 4; calls++ {
		m := threeVersions(t)
		m.Storage.FailFrom(calls, false)
		_, err := m.Do(enginetest.Request{Op: logical.UpdateOperation, Path: "destroy/" + versioned, Data: enginetest.Data{"versions": "1,2"}})
		m = m.Restart()
		got := values(t, m, "1", "2", "3")
		if got != "v1 v2 v3" && got != "  v3" || err == nil && got != "  v3" {
			t.Errorf("a crash at call %d (%v) leaves the versions %q", calls, err, got)
		}
		m.Settle()
		if left := strings.Count(strings.Join(m.Storage.Keys(), "\n"), "ver/"); got == "  v3" && left != 0 {
			t.Errorf("a crash at call %d leaves %d destroyed values in storage", calls, left)
		}
	}
}

func TestRollbackMakesAnOldValueTheNewest(t *testing.T) {
	m := threeVersions(t)
	m.Write("secrets/"+versioned, enginetest.Data{"value": "AQI=", "encoding": "base64"})
	if got := enginetest.Version(m.Write("rollback/"+versioned, enginetest.Data{"version": 1, "comment": "back"})); got != 5 {
		t.Errorf("a rollback writes version %d", got)
	}
	if got := m.Read("secrets/" + versioned); got["value"] != "v1" || got["encoding"] != "text" || got["comment"] != "back" {
		t.Errorf("after the rollback the secret is %v", got)
	}
	m.Write("rollback/"+versioned, enginetest.Data{"version": "4"})
	if got := m.Read("secrets/" + versioned); got["value"] != "AQI=" || got["encoding"] != "base64" {
		t.Errorf("after a rollback to bytes the secret is %v", got)
	}
	m.Delete("secrets/"+versioned, enginetest.Data{"versions": "2"})
	for name, data := range map[string]enginetest.Data{
		"a deleted version": {"version": 2}, "a version that never was": {"version": 99}, "no version": {}, "version 0": {"version": 0},
		"a wrong cas": {"version": 1, "cas": 1},
	} {
		if got := m.Refuse(logical.UpdateOperation, "rollback/"+versioned, data); got.Status != 400 && got.Status != 409 {
			t.Errorf("%s is refused with %v", name, got)
		}
	}
}

func TestPatchChangesOnlyTheGivenFields(t *testing.T) {
	m := threeVersions(t)
	m.Must(logical.PatchOperation, "secrets/"+versioned, enginetest.Data{"tags": "a,b", "comment": "tagged"})
	if got := m.Read("secrets/" + versioned); got["value"] != "v3" || enginetest.Version(got) != 4 || len(got["tags"].([]any)) != 2 {
		t.Errorf("after a patch of the tags the secret is %v", got)
	}
	m.Must(logical.PatchOperation, "secrets/"+versioned, enginetest.Data{"value": "v5"})
	if got := m.Read("secrets/" + versioned); got["value"] != "v5" || len(got["tags"].([]any)) != 2 {
		t.Errorf("after a patch of the value the secret is %v", got)
	}
	if got := m.Refuse(logical.PatchOperation, "secrets/"+versioned, enginetest.Data{"value": nil}); got.Status != 400 {
		t.Errorf("a null value is refused with %v", got)
	}
	m.Delete("secrets/"+versioned, nil)
	for _, path := range []string{"secrets/" + versioned, "secrets/acme/api/development/NONE"} {
		if got := m.Refuse(logical.PatchOperation, path, enginetest.Data{"value": "x"}); got.Status != 404 {
			t.Errorf("a patch of %s is refused with %v", path, got)
		}
	}
}

func TestVersionsExpire(t *testing.T) {
	m := enginetest.New(t)
	m.Populate("acme", "api", "development")
	m.Write("workspaces/acme", enginetest.Data{"delete_version_after": "1h"})
	m.Write("secrets/"+versioned, enginetest.Data{"value": "v1"})
	m.Clock.Advance(59 * time.Minute)
	if got := valueOf(t, m, "0"); got != "v1" {
		t.Errorf("before its time the version reads %q", got)
	}
	m.Clock.Advance(2 * time.Minute)
	if got := valueOf(t, m, "0"); got != "" {
		t.Errorf("after its time the version reads %q", got)
	}
	if got := m.Read("load/acme/api/development"); len(got) != 0 {
		t.Errorf("after its time the version is delivered: %v", got)
	}
	m.Write("metadata/"+versioned, enginetest.Data{"delete_version_after": "-1s"})
	m.Write("secrets/"+versioned, enginetest.Data{"value": "v2"})
	m.Clock.Advance(1000 * time.Hour)
	if got := valueOf(t, m.Restart(), "0"); got != "v2" {
		t.Errorf("a version that never expires reads %q", got)
	}
}

func TestMetadataBelongToTheSecret(t *testing.T) {
	m := threeVersions(t)
	m.Write("destroy/"+versioned, enginetest.Data{"versions": 1})
	m.Write("metadata/"+versioned, enginetest.Data{"custom_metadata": enginetest.Data{"owner": "a", "team": "b"}, "max_versions": 2, "cas_required": true})
	m.Must(logical.PatchOperation, "metadata/"+versioned, enginetest.Data{"custom_metadata": enginetest.Data{"owner": "c", "team": nil}})
	m = m.Restart()
	got := m.Read("metadata/" + versioned)
	if custom := got["custom_metadata"].(map[string]any); len(custom) != 1 || custom["owner"] != "c" {
		t.Errorf("custom_metadata are %v", custom)
	}
	if got["oldest_version"] != 1.0 || values(t, m, "1", "2", "3") != " v2 v3" {
		t.Errorf("a lower max_versions leaves %v", got)
	}
	if got := m.Refuse(logical.UpdateOperation, "secrets/"+versioned, enginetest.Data{"value": "x"}); got.Word() != "invalid" {
		t.Errorf("a write without cas is refused with %v", got)
	}
	m.Write("secrets/"+versioned, enginetest.Data{"value": "v4", "cas": 3})
	m.Write("import/acme/api/development", enginetest.Data{"secrets": enginetest.Data{"KEY": "v5"}, "cas": enginetest.Data{"KEY": 4}})
	m.Settle()
	if got := m.Restart().Read("metadata/" + versioned); got["oldest_version"] != 4.0 || got["max_versions"] != 2.0 {
		t.Errorf("after writes and an import the metadata are %v", got)
	}
}

func TestARemovedSecretContinuesItsVersionNumbers(t *testing.T) {
	m := threeVersions(t)
	m.Delete("metadata/"+versioned, nil)
	if keys := strings.Join(m.Storage.Keys(), "\n"); strings.Contains(keys, "sec/") || strings.Contains(keys, "ver/") {
		t.Errorf("a removed secret leaves\n%s", keys)
	}
	for _, step := range []string{"at once", "after a restart"} {
		if got := m.Refuse(logical.ReadOperation, "secrets/"+versioned, nil); got.Status != 404 {
			t.Errorf("%s a removed secret reads %v", step, got)
		}
		if _, err := m.Do(enginetest.Request{Op: logical.ListOperation, Path: "secrets/acme/api/development/"}); err != nil {
			t.Errorf("%s the list is refused: %v", step, err)
		}
		m = m.Restart()
	}
	if got := enginetest.Version(m.Write("secrets/"+versioned, enginetest.Data{"value": "v4"})); got != 4 {
		t.Errorf("the secret comes back with version %d", got)
	}
	m.Delete("metadata/"+versioned, nil)
	m.Write("import/acme/api/development", enginetest.Data{"secrets": enginetest.Data{"KEY": "v5"}})
	if got := enginetest.Version(m.Read("secrets/" + versioned)); got != 5 {
		t.Errorf("an import brings it back with version %d", got)
	}
}

func TestRemovalIsCompletedAfterACrash(t *testing.T) {
	for _, stored := range []bool{false, true} {
		for calls := 1; calls <= 7; calls++ {
			m := threeVersions(t)
			m.Storage.FailFrom(calls, stored)
			_, err := m.Do(enginetest.Request{Op: logical.DeleteOperation, Path: "metadata/" + versioned})
			m = m.Restart()
			got := values(t, m, "1", "2", "3")
			if got != "v1 v2 v3" && got != "  " || err == nil && got != "  " {
				t.Fatalf("a crash at call %d (%v) leaves the versions %q", calls, err, got)
			}
			m.Settle()
			gone := got == "  "
			if keys := strings.Join(m.Storage.Keys(), "\n"); gone && (strings.Contains(keys, "ver/") || strings.Contains(keys, "sec/")) {
				t.Errorf("a crash at call %d leaves\n%s", calls, keys)
			}
			if next := enginetest.Version(m.Write("secrets/"+versioned, enginetest.Data{"value": "v4"})); next != 4 {
				t.Errorf("after a crash at call %d the next version is %d", calls, next)
			}
		}
	}
}

// A setting removes no version: only who may destroy can remove values that a write does not push
// out.
func TestASettingRemovesNoVersion(t *testing.T) {
	const path = "metadata/" + versioned
	lower := enginetest.Data{"max_versions": 1}
	m := threeVersions(t)
	for _, op := range []logical.Operation{logical.UpdateOperation, logical.PatchOperation} {
		expect(t, m.Refuse(op, path, lower), 409, "conflict", "max_versions:", "2 versions", "vault write stashbase/destroy/"+versioned+" versions=1,2")
	}
	m.Write(path, enginetest.Data{"max_versions": 20})
	m.Write("config", lower) // it would apply to the secret if its own setting were removed
	expect(t, m.Refuse(logical.PatchOperation, path, enginetest.Data{"max_versions": nil}), 409, "conflict", "max_versions:", "2 versions")
	expect(t, m.Refuse(logical.UpdateOperation, path, enginetest.Data{"max_versions": 0}), 409, "conflict", "max_versions:", "2 versions")
	m.Write("destroy/"+versioned, enginetest.Data{"versions": 1})
	expect(t, m.Refuse(logical.UpdateOperation, path, lower), 409, "conflict", "1 versions", "versions=2")
	m.Write(path, enginetest.Data{"tags": "x", "custom_metadata": enginetest.Data{"owner": "a"}})
	m.Write(path, enginetest.Data{"max_versions": 2})
	m.Write(path, enginetest.Data{"max_versions": 3, "delete_version_after": "1h"})
	m.Settle()
	m = m.Restart()
	if got := values(t, m, "1", "2", "3"); got != " v2 v3" {
		t.Errorf("after changes of settings the versions read %q", got)
	}
	m.Write("destroy/"+versioned, enginetest.Data{"versions": 2})
	m.Write(path, lower)
	m.Write("secrets/"+versioned, enginetest.Data{"value": "v4"})
	if got := m.Restart().Read(path); got["oldest_version"] != 4.0 {
		t.Errorf("after the destruction and a write, the metadata are %v", got)
	}
}

// A lower default applies to every secret of a workspace or of the mount. The next write of a
// secret, or the next import, must not remove its history at once.
func TestAWriteEndsTheHistoryOfOneVersion(t *testing.T) {
	for _, where := range []string{"config", "workspaces/acme"} {
		m := threeVersions(t)
		m.Write(where, enginetest.Data{"max_versions": 1})
		m.Write("metadata/"+versioned, enginetest.Data{"tags": "x"}) // is not refused
		m.Write("secrets/"+versioned, enginetest.Data{"value": "v4"})
		m.Settle()
		m = m.Restart()
		if got := values(t, m, "1", "2", "3", "4"); got != " v2 v3 v4" {
			t.Errorf("%s: after a write the versions read %q", where, got)
		}
		m.Write("import/acme/api/development", enginetest.Data{"secrets": enginetest.Data{"KEY": "v5"}})
		if got := values(t, m, "2", "3", "4", "5"); got != " v3 v4 v5" {
			t.Errorf("%s: after an import the versions read %q", where, got)
		}
		m.Settle()
		m = m.Restart()
		m.Write("destroy/"+versioned, enginetest.Data{"versions": "3"})
		m.Write("secrets/"+versioned, enginetest.Data{"value": "v6"})
		m.Settle()
		if got := values(t, m.Restart(), "3", "4", "5", "6"); got != "  v5 v6" {
			t.Errorf("%s: after a destruction and a write the versions read %q", where, got)
		}
	}
}
