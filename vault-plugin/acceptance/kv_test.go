package acceptance_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// as returns a caller with the policy of a role, as the engine generates it for the given
// parameters.
func as(t testing.TB, s *vaulttest.Server, role, parameters string) caller {
	t.Helper()
	policy, _ := root(t, s).read("policies/" + role + "?" + parameters)["policy"].(string)
	return callerOf(t, s.ClientWithPolicy(t, policy))
}

// about returns the parameters of a role for an environment.
func about(env string) string {
	names := strings.Split(env, "/")
	return fmt.Sprintf("workspace=%s&project=%s&environment=%s", names[0], names[1], names[2])
}

// reads compares the values of a secret's versions, from version 1 on. "" means that the
// version is not found.
func (c caller) reads(when, path string, want ...string) {
	c.t.Helper()
	for i, value := range want {
		version := fmt.Sprintf("secrets/%s?version=%d", path, i+1)
		a := c.send("GET", version, nil)
		if value == "" && (a.status != http.StatusNotFound || a.data["value"] != nil) {
			c.t.Errorf("%s: %s\nwant 404 and no value", when, a)
		}
		if value != "" && (a.status != http.StatusOK || a.data["value"] != value) {
			c.t.Errorf("%s: %s\nwant %q", when, a, value)
		}
	}
}

func TestKVVersionsAreDeletedAndUndeleted(t *testing.T) {
	s := vault.Server(t)
	env := environment(t, root(t, s))
	c := as(t, s, developer, about(env))
	path := env + "/KEY"
	for _, v := range []string{"one", "two", "three"} {
		c.write("secrets/"+path, data{"value": v})
	}
	expect(t, "patch of the tags", c.must("PATCH", "secrets/"+path, data{"tags": "a,b"}), data{"version": 4, "tags": "[a b]"})
	expect(t, "patch of the value", c.must("PATCH", "secrets/"+path, data{"value": "five", "cas": 4}), data{"version": 5, "tags": "[a b]"})
	c.refused("PATCH", "secrets/"+path, data{"value": "x", "cas": 4}, http.StatusConflict, "conflict")
	c.refused("PATCH", "secrets/"+env+"/NONE", data{"value": "x"}, http.StatusNotFound, "not_found")
	c.refused("POST", "secrets/"+path, data{"value": "x", "versions": "1"}, http.StatusBadRequest, "invalid")

	c.must("DELETE", "secrets/"+path+"?versions=1,3", nil)
	c.reads("after a delete of 1 and 3", path, "", "two", "", "three", "five")
	c.must("DELETE", "secrets/"+path, nil)
	expect(t, "history", c.read("metadata/"+path), data{"state": "deleted", "version": 5, "oldest_version": 1})
	c.refused("PATCH", "secrets/"+path, data{"value": "x"}, http.StatusNotFound, "not_found")
	c.refused("POST", "undelete/"+path, data{"versions": []int{1, 5, 77}}, http.StatusBadRequest, "not_found")
	c.write("undelete/"+path, data{"versions": []int{1, 5}})
	s.ReloadPlugin(t)
	c.reads("after the undelete of 1 and 5", path, "one", "two", "", "three", "five")
	c.refused("POST", "undelete/"+path, nil, http.StatusBadRequest, "invalid")

	expect(t, "rollback", c.write("rollback/"+path, data{"version": 2, "comment": "back"}), data{"version": 6, "comment": "back"})
	c.refused("POST", "rollback/"+path, data{"version": 3}, http.StatusBadRequest, "not_found")
	c.refused("POST", "rollback/"+path, data{"version": 1, "cas": 1}, http.StatusConflict, "conflict")
	expect(t, "load", c.read("load/"+env), data{"KEY": "two"})
	c.reads("at the end", path, "one", "two", "", "three", "five", "two")
}

func TestKVDestroyedValuesLeaveStorage(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	b := &storageTest{c, s, newSearch(textWindow), map[string]string{}, map[string]string{}}
	env := environment(t, c)
	path := env + "/KEY"
	long := strings.Repeat("0123456789", 900) // no head has room for an older value of this size
	for range 3 {
		c.write("secrets/"+path, data{"value": long})
	}
	// The middle of an entry is all ciphertext. The bytes around it may remain.
	sealed := func(label, key string) *search {
		found := newSearch(keyWindow)
		found.plant(label, string(b.entry(key)[200:1800]))
		return found
	}
	one, two, newest := sealed("version 1", b.version(path, "1")), sealed("version 2", b.version(path, "2")), sealed("version 3", b.head(path))
	all := func() string {
		var text strings.Builder
		for _, value := range decrypted(t, s) {
			text.WriteString(value + "\x00")
		}
		return text.String()
	}
	c.must("DELETE", "secrets/"+path+"?versions=1,2,3", nil)
	for where, found := range map[string]*search{"version 1": one, "version 2": two, "version 3": newest} {
		found.present(t, "storage, of the deleted "+where, all())
	}
	c.write("destroy/"+path, data{"versions": "1,3"})
	c.refused("POST", "undelete/"+path, data{"versions": "1,2,3"}, http.StatusBadRequest, "not_found")
	c.write("undelete/"+path, data{"versions": "2"})
	s.ReloadPlugin(t)
	c.reads("after the destruction", path, "", long, "")
	left := all()
	one.absent(t, "storage", left)
	newest.absent(t, "storage", left)
	two.present(t, "storage", left)
	if s.RawRead(t, b.version(path, "1")) != nil {
		t.Error("the entry of version 1 still exists")
	}
	expect(t, "history", c.read("metadata/"+path), data{"state": "destroyed", "version": 3})

	expect(t, "removal", c.must("DELETE", "metadata/"+path, nil), data{"name": "KEY", "version": 3})
	two.absent(t, "storage after the removal", all())
	c.refused("GET", "secrets/"+path, nil, http.StatusNotFound, "not_found")
	s.ReloadPlugin(t)
	expect(t, "the name again", c.write("secrets/"+path, data{"value": "again"}), data{"version": 4})
	c.must("DELETE", "metadata/"+path, nil)
	c.write("import/"+env, data{"secrets": data{"KEY": "imported"}})
	expect(t, "the name by an import", c.read("secrets/"+path), data{"version": 5, "value": "imported"})
}

func TestKVDestroyedInlineValuesLeaveStorage(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	b := &storageTest{c, s, newSearch(textWindow), map[string]string{}, map[string]string{}}
	path := environment(t, c) + "/KEY"
	for _, value := range []string{"one", "two", "three"} {
		c.write("secrets/"+path, data{"value": value})
	}
	var head map[int]any
	if err := cbor.Unmarshal(b.entry(b.head(path)), &head); err != nil {
		t.Fatal(err)
	}
	values, _ := head[11].([]any)
	if len(values) != 2 {
		t.Fatalf("the head holds %d older values, want 2", len(values))
	}
	var sealed [2]*search
	for i := range sealed {
		envelope, _ := values[i].([]byte)
		sealed[i] = newSearch(keyWindow)
		sealed[i].plant(fmt.Sprintf("version %d", i+1), string(envelope[len(envelope)/2:])) // its beginning is the same in each
	}
	c.write("destroy/"+path, data{"versions": "1"})
	left := strings.Join(slices.Collect(maps.Values(decrypted(t, s))), "\x00")
	sealed[0].absent(t, "storage", left)
	sealed[1].present(t, "storage", left)
	s.ReloadPlugin(t)
	c.reads("after the destruction", path, "", "two", "three")
}

func TestKVMetadataBelongsToTheSecret(t *testing.T) {
	s := vault.Server(t)
	env := environment(t, root(t, s))
	c := as(t, s, developer, about(env))
	path := env + "/KEY"
	for _, v := range []string{"one", "two", "three"} {
		c.write("secrets/"+path, data{"value": v})
	}
	c.refused("POST", "metadata/"+path, data{"max_versions": 2}, http.StatusConflict, "conflict")
	c.refused("PATCH", "metadata/"+path, data{"max_versions": 1}, http.StatusConflict, "conflict")
	c.reads("after a refused setting", path, "one", "two", "three")
	root(t, s).write("destroy/"+path, data{"versions": 1})
	c.write("metadata/"+path, data{"custom_metadata": data{"owner": "a", "team": "b"}, "max_versions": 2, "cas_required": true})
	c.must("PATCH", "metadata/"+path, data{"custom_metadata": data{"owner": "c", "team": nil}, "tags": []string{"x"}})
	s.ReloadPlugin(t)
	expect(t, "metadata", c.read("metadata/"+path), data{
		"custom_metadata": "map[owner:c]", "tags": "[x]", "max_versions": 2, "cas_required": true, "version": 3, "oldest_version": 1,
	})
	all, _ := c.read("metadata/" + env)["secrets"].(data)
	about, _ := all["KEY"].(data)
	expect(t, "metadata of the environment", about, data{"version": 3, "tags": "[x]"})
	c.refused("POST", "secrets/"+path, data{"value": "x"}, http.StatusBadRequest, "invalid")
	c.write("secrets/"+path, data{"value": "four", "cas": 3})
	if a := c.send("DELETE", "metadata/"+path, nil); a.status != http.StatusForbidden {
		t.Errorf("a developer removes history: %s", a)
	}

	c.must("PATCH", "metadata/"+path, data{"cas_required": nil, "delete_version_after": "1s"})
	if written := c.write("secrets/"+path, data{"value": "five"}); written["deletion_time"] == "" {
		t.Errorf("no time of deletion in %v", written)
	}
	eventually(t, s, "the version to expire", func() error {
		if a := c.send("GET", "secrets/"+path, nil); a.status != http.StatusNotFound {
			return &notYet{a}
		}
		return nil
	})
	if loaded := c.read("load/" + env); len(loaded) != 0 {
		t.Errorf("load delivers an expired version: %v", loaded)
	}
	c.must("PATCH", "metadata/"+path, data{"delete_version_after": "-1s"})
	expect(t, "a version that does not expire", c.write("secrets/"+path, data{"value": "six"}), data{"version": 6, "deletion_time": ""})
}

func TestACustodianRetiresKeys(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	env := environment(t, c)
	w, _, _ := strings.Cut(env, "/")
	keeper := as(t, s, custodian, "workspace="+w)
	c.write("secrets/"+env+"/KEY", data{"value": "one"})
	c.write("secrets/"+env+"/KEY", data{"value": "two"})

	keeper.refused("POST", "keys/"+w, data{"min_decryption_version": 2}, http.StatusBadRequest, "invalid")
	keeper.write("keys/"+w+"/rotate", nil)
	rewrapped(t, s, keeper, w, 1)
	expect(t, "the minimum", keeper.write("keys/"+w, data{"min_decryption_version": 2}), data{"latest_version": 2, "min_decryption_version": 2})
	trimmed := keeper.write("keys/"+w+"/trim", nil)
	if versions, _ := trimmed["versions"].(data); len(versions) != 1 || versions["2"] == nil {
		t.Errorf("after the trim the versions are %v", trimmed["versions"])
	}
	keeper.refused("POST", "keys/"+w, data{"auto_rotate_period": "23h"}, http.StatusBadRequest, "invalid")
	if got := keeper.write("keys/"+w, data{"auto_rotate_period": "48h"}); got["auto_rotate_period"] != 172800.0 || got["next_rotation"] == "" {
		t.Errorf("keys with a rotation period: %v", got)
	}
	s.ReloadPlugin(t)
	c.reads("after the trim", env+"/KEY", "one", "two")
}

func TestAWorkspaceIsLockedUntilTheUnlock(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	env := environment(t, c)
	w, _, _ := strings.Cut(env, "/")
	c.write("secrets/"+env+"/KEY", data{"value": "kept"})
	expect(t, "lock", c.write("workspaces/"+w+"/lock", nil), data{"name": w, "locked": true})
	for _, when := range []string{"at once", "after a reload"} {
		for method, path := range map[string]string{
			"GET": "load/" + env, "POST": "secrets/" + env + "/KEY", "PATCH": "metadata/" + env + "/KEY", "LIST": "secrets/" + env, "DELETE": "workspaces/" + w + "?confirm=" + w,
		} {
			body := map[string]data{"POST": {"value": "x"}, "PATCH": {"tags": "x"}}[method]
			if a := c.send(method, path, body); a.status != http.StatusConflict || a.word() != "locked" {
				t.Errorf("%s: %s\nwant 409 locked:", when, a)
			}
		}
		c.refused("POST", "keys/"+w+"/rotate", data{}, http.StatusConflict, "locked")
		expect(t, when, c.read("workspaces/"+w), data{"locked": true})
		s.ReloadPlugin(t)
	}
	expect(t, "unlock", c.write("workspaces/"+w+"/unlock", nil), data{"locked": false})
	expect(t, "load", c.read("load/"+env), data{"KEY": "kept"})
}

// The developer of one environment tries every way to read the value of another environment.
func TestReferencesNeedPermissionOfTheirTarget(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	development := environment(t, c)
	w, _, _ := strings.Cut(development, "/")
	production, staging := c.environment(w, "api", "production"), c.environment(w, "api", "staging")
	c.write("environments/"+production, data{"production": true})
	c.write("environments/"+staging, data{"shared_with": "api/development"})
	planted := newSearch(textWindow)
	secret := planted.value("a secret of production")
	c.write("secrets/"+production+"/KEY", data{"value": secret})
	c.write("secrets/"+staging+"/HOST", data{"value": "db"})

	dev := as(t, s, developer, about(development))
	refer := func(value string) data { return data{"value": value, "references": true} }
	dev.write("secrets/"+development+"/URL", refer(`${staging/HOST}/\${x}`))
	expect(t, "load", dev.read("load/"+development), data{"URL": "db/${x}"})
	planted.absent(t, "a response", dev.refused("POST", "secrets/"+development+"/X", refer("${production/KEY}"), http.StatusForbidden, "denied").body)
	for _, a := range []response{
		dev.send("POST", "environments/"+development, data{"base": "production"}),
		dev.send("PATCH", "environments/"+production, data{"shared_with": "api/*"}),
		dev.send("GET", "compare/"+w+"/api?from=development&to=production", nil),
		dev.send("GET", "changes/"+production, nil),
		dev.send("POST", "rollback/"+production+"/KEY", data{"version": 1}),
	} {
		if planted.absent(t, a.request, a.body); a.status != http.StatusForbidden {
			t.Errorf("%s\nwant 403", a)
		}
	}

	c.must("PATCH", "environments/"+production, data{"shared_with": "api/development"})
	dev.write("secrets/"+development+"/X", refer("${production/KEY}"))
	expect(t, "what is shared", dev.read("load/"+development), data{"X": secret})
	c.must("PATCH", "environments/"+production, data{"shared_with": nil})
	s.ReloadPlugin(t)
	planted.absent(t, "a response", dev.refused("GET", "load/"+development, nil, http.StatusForbidden, "denied").body)
	dev.must("DELETE", "secrets/"+development+"/X", nil)

	c.write("secrets/"+staging+"/PORT", data{"value": "1"})
	c.write("environments/"+development, data{"base": "staging"})
	dev.write("secrets/"+development+"/PORT", data{"value": "2"})
	expect(t, "with a base", dev.read("load/"+development), data{"HOST": "db", "PORT": "2", "URL": "db/${x}"})
	if got := dev.read("load/" + development + "?include=P*,U*&exclude=URL"); len(got) != 1 || got["PORT"] != "2" {
		t.Errorf("a filtered load returns %v", got)
	}
	c.refused("POST", "environments/"+staging, data{"base": "development"}, http.StatusForbidden, "denied")
	c.must("PATCH", "environments/"+development, data{"shared_with": "api/staging"})
	c.refused("POST", "environments/"+staging, data{"base": "development"}, http.StatusBadRequest, "invalid")
	c.refused("DELETE", "environments/"+staging+"?confirm=staging", nil, http.StatusConflict, "conflict")
}

func TestKVEnvironmentsAreComparedAndReverted(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	env := environment(t, c)
	w, _, _ := strings.Cut(env, "/")
	staging := c.environment(w, "api", "staging")
	c.write("import/"+staging, data{"secrets": data{"A": "one", "B": "other", "C": "3"}})
	dev := as(t, s, developer, about(env))
	dev.write("import/"+env, data{"secrets": data{"A": "one", "B": "two"}, "comment": "begin"})
	first, _ := dev.read("changes/" + env)["changes"].([]any)
	if len(first) != 1 {
		t.Fatalf("the changelog is %v", first)
	}
	begin, _ := first[0].(data)
	then := dev.read("secrets/" + env + "/B")["created_time"]
	dev.write("secrets/"+env+"/B", data{"value": "changed"})
	dev.write("secrets/"+env+"/D", data{"value": "new"})
	dev.must("DELETE", "secrets/"+env+"/A", nil)

	expect(t, "compare", as(t, s, admin, "workspace="+w).read("compare/"+w+"/api?from=development&to=staging"), data{
		"only_in_from": "[D]", "only_in_to": "[A C]", "different": "[B]", "same": "[]",
	})
	// A is deleted now, so it is not delivered as of then either.
	dev.refused("GET", fmt.Sprintf("load/%s?version_at=%v", env, then), nil, http.StatusBadRequest, "not_found")
	expect(t, "load as of then", dev.read(fmt.Sprintf("load/%s?version_at=%v&exclude=A", env, then)), data{"B": "two", "D": nil})
	dev.refused("GET", "load/"+env+"?version_at=2999-01-01T00:00:00Z", nil, http.StatusBadRequest, "invalid")

	log := as(t, s, reader, about(env)).read("changes/" + env + "?limit=2")
	if all, _ := log["changes"].([]any); len(all) != 2 || !strings.Contains(fmt.Sprint(all[0]), "action:deleted name:A") {
		t.Errorf("the newest changes are %v", log)
	}
	back := data{"created": "[]", "updated": "[A B]", "deleted": "[D]"}
	expect(t, "dry run", dev.write("revert/"+env, data{"change": begin["change"], "dry_run": true}), data{"dry_run": true, "deleted": "[D]"})
	expect(t, "load after the dry run", dev.read("load/"+env), data{"A": nil, "B": "changed", "D": "new"})
	expect(t, "revert", dev.write("revert/"+env, data{"change": begin["change"]}), back)
	s.ReloadPlugin(t)
	expect(t, "load after the revert", dev.read("load/"+env), data{"A": "one", "B": "two", "D": nil})

	c.write("destroy/"+env+"/B", data{"versions": "1"})
	dev.refused("POST", "revert/"+env, data{"change": begin["change"]}, http.StatusBadRequest, "not_found")
	dev.refused("GET", fmt.Sprintf("load/%s?version_at=%v", env, then), nil, http.StatusBadRequest, "not_found")
	expect(t, "load after the refused requests", dev.read("load/"+env), data{"A": "one", "B": "two"})
}
