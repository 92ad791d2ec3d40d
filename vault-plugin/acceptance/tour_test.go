package acceptance_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

func TestTheTreeIsBuiltListedAndCounted(t *testing.T) {
	c := root(t, vault.Server(t))
	w := workspace(t, c)
	c.environment(w, "api", "development")
	c.environment(w, "api", "staging")
	c.environment(w, "web", "production")
	c.write("environments/"+w+"/web/production", data{"production": true, "description": "the real thing"})

	if !slices.Contains(c.list("workspaces"), w) {
		t.Error("the workspace is not listed")
	}
	same(t, "projects", c.list("projects/"+w), []string{"api", "web"})
	same(t, "environments", c.list("environments/"+w+"/api"), []string{"development", "staging"})
	expect(t, "workspace", c.read("workspaces/"+w), data{"name": w, "projects": 2, "environments": 3, "secrets": 0})
	expect(t, "project", c.read("projects/"+w+"/api"), data{"name": "api", "environments": 2})
	expect(t, "environment", c.read("environments/"+w+"/web/production"), data{"production": true, "locked": false, "description": "the real thing"})
}

func TestTheStatusDependsOnWhichNameIsMissing(t *testing.T) {
	c := root(t, vault.Server(t))
	env := environment(t, c)
	w, _, _ := strings.Cut(env, "/")
	for _, tc := range []struct {
		name, method, path string
		status             int
	}{
		{"the workspace itself", "GET", "workspaces/none", http.StatusNotFound},
		{"the keys of one", "GET", "keys/none", http.StatusNotFound},
		{"the project itself", "GET", "projects/" + w + "/none", http.StatusNotFound},
		{"the environment itself", "GET", "environments/" + w + "/api/none", http.StatusNotFound},
		{"the secret itself", "GET", "secrets/" + env + "/NONE", http.StatusNotFound},
		{"the history of a secret", "GET", "metadata/" + env + "/NONE", http.StatusNotFound},
		{"a role", "GET", "policies/none", http.StatusNotFound},
		{"the workspace above", "GET", "projects/none/api", http.StatusBadRequest},
		{"the project above", "LIST", "environments/" + w + "/none", http.StatusBadRequest},
		{"the environment above", "GET", "secrets/" + w + "/api/none/FOO", http.StatusBadRequest},
		{"the environment to load", "GET", "load/" + w + "/api/none", http.StatusNotFound},
		{"the environment to render", "GET", "render/" + w + "/api/none", http.StatusNotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if a := c.in(t).refused(tc.method, tc.path, nil, tc.status, "not_found"); strings.Contains(a.body, `"warnings":[`) {
				t.Errorf("has warnings, which make Vault's clients treat it as a success: %s", a)
			}
		})
	}
}

func TestASecretHasVersions(t *testing.T) {
	c := root(t, vault.Server(t))
	env := environment(t, c)
	path, one, two, three := "secrets/"+env+"/FOO", value(), value(), value()

	expect(t, "first write", c.write(path, data{"value": one, "comment": "begin", "tags": "a,b"}), data{"version": 1, "comment": "begin", "tags": "[a b]"})
	expect(t, "second write", c.write(path, data{"value": two, "cas": 1}), data{"version": 2})
	expect(t, "read", c.read(path), data{"value": two, "version": 2, "encoding": "text", "deletion_time": ""})
	expect(t, "read of version 1", c.read(path+"?version=1"), data{"value": one, "version": 1, "comment": "begin"})
	c.refused("POST", path, data{"value": three, "cas": 1}, http.StatusConflict, "conflict")
	c.refused("GET", path+"?version=3", nil, http.StatusNotFound, "not_found")

	expect(t, "delete", c.must("DELETE", path, nil), data{"version": 2})
	gone := c.send("GET", path, nil)
	if gone.status != http.StatusNotFound || gone.data["deletion_time"] == "" || gone.data["version"] != 2.0 || gone.data["value"] != nil {
		t.Errorf("%s\nwant 404 with metadata and no value", gone)
	}
	if loaded := c.read("load/" + env); len(loaded) != 0 {
		t.Errorf("load delivers a deleted secret: %v", loaded)
	}
	expect(t, "version 1 after the delete", c.read(path+"?version=1"), data{"value": one})
	same(t, "list", c.list("secrets/"+env), []string{"FOO"})

	expect(t, "write after the delete", c.write(path, data{"value": three}), data{"version": 3})
	expect(t, "history", c.read("metadata/"+env+"/FOO"), data{"state": "live", "version": 3, "oldest_version": 1})
	all, _ := c.read("metadata/" + env)["secrets"].(data)
	about, _ := all["FOO"].(data)
	expect(t, "metadata", about, data{"state": "live", "version": 3, "size": len(three), "value": nil})
}

func TestValuesKeepTheirBytes(t *testing.T) {
	c := root(t, vault.Server(t))
	env := environment(t, c)
	for name, v := range map[string]data{
		"EMPTY":  {"value": ""},
		"LINES":  {"value": "a\r\nb\n\ttab \u2028 \u00e9\U0001f511 ${X} \\ \""},
		"BINARY": {"value": "AAH/gP4=", "encoding": "base64"},
	} {
		c.write("secrets/"+env+"/"+name, v)
		expect(t, name, c.read("secrets/"+env+"/"+name), v)
		expect(t, "load", c.read("load/"+env), data{name: v["value"]})
	}
}

func TestAnImportIsDelivered(t *testing.T) {
	c := root(t, vault.Server(t))
	env := environment(t, c)
	c.write("secrets/"+env+"/KEEP", data{"value": "kept"})
	a, b := value(), value()

	expect(t, "of a map", c.write("import/"+env, data{"secrets": data{"A": a, "KEEP": "kept"}}), data{"created": "[A]", "updated": "[]", "unchanged": "[KEEP]", "deleted": "[]"})
	dotenv := "# settings\nA='" + b + "'\nexport B=\"x y\"\n"
	dry := data{"content": dotenv, "dry_run": true}
	expect(t, "dry", c.write("import/"+env, dry), data{"created": "[B]", "updated": "[A]", "dry_run": true})
	expect(t, "load after the dry run", c.read("load/"+env), data{"A": a, "B": nil})
	expect(t, "of dotenv", c.write("import/"+env, data{"content": dotenv}), data{"created": "[B]", "updated": "[A]", "unchanged": "[]"})
	expect(t, "load", c.read("load/"+env), data{"A": b, "B": "x y", "KEEP": "kept"})
	expect(t, "replacing", c.write("import/"+env, data{"secrets": data{"A": b}, "mode": "replace"}), data{"unchanged": "[A]", "deleted": "[B KEEP]"})
	if got := c.read("load/" + env); len(got) != 1 || got["A"] != b {
		t.Errorf("load returns %d secrets", len(got))
	}
	expect(t, "A", c.read("secrets/"+env+"/A?version=1"), data{"value": a})
}

func TestALockedEnvironmentIsReadOnly(t *testing.T) {
	c := root(t, vault.Server(t))
	env := environment(t, c)
	c.write("secrets/"+env+"/FOO", data{"value": "x"})
	c.write("environments/"+env, data{"locked": true})
	c.refused("POST", "secrets/"+env+"/FOO", data{"value": "y"}, http.StatusConflict, "locked")
	c.refused("DELETE", "secrets/"+env+"/FOO", nil, http.StatusConflict, "locked")
	c.refused("POST", "import/"+env, data{"secrets": data{"FOO": "y"}}, http.StatusConflict, "locked")
	c.refused("DELETE", "environments/"+env+"?confirm=development", nil, http.StatusConflict, "locked")
	expect(t, "load", c.read("load/"+env), data{"FOO": "x"})
	c.write("environments/"+env, data{"locked": false})
	c.write("secrets/"+env+"/FOO", data{"value": "y"})
}

func TestKeysRotateAndEverythingIsSealedAgain(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	env := environment(t, c)
	w, _, _ := strings.Cut(env, "/")
	for i := range 3 {
		for _, v := range []string{"old", "new"} {
			c.write(fmt.Sprintf("secrets/%s/S%d", env, i), data{"value": fmt.Sprint(v, i)})
		}
	}
	expect(t, "keys", c.read("keys/"+w), data{"latest_version": 1})
	expect(t, "rotation", c.write("keys/"+w+"/rotate", nil), data{"latest_version": 2})
	rewrapped(t, s, c, w, 3)
	c.write("keys/"+w+"/rewrap", nil)
	rewrapped(t, s, c, w, 3)
	s.ReloadPlugin(t)
	for i := range 3 {
		path := fmt.Sprintf("secrets/%s/S%d", env, i)
		expect(t, path, c.read(path), data{"value": fmt.Sprint("new", i), "version": 2})
		expect(t, path, c.read(path+"?version=1"), data{"value": fmt.Sprint("old", i)})
	}
}

// rewrapped waits until a workspace's rewrap is done with the given number of secrets. -1 means
// any number.
func rewrapped(t testing.TB, s *vaulttest.Server, c caller, w string, secrets int) {
	t.Helper()
	eventually(t, s, "the rewrap", func() error {
		rewrap, _ := c.read("keys/" + w)["rewrap"].(data)
		if rewrap["state"] != "done" || rewrap["failed"] != 0.0 || secrets >= 0 && rewrap["done"] != float64(secrets) {
			return &notYet{rewrap}
		}
		return nil
	})
}

func TestTheMasterKeyRotatesToIdle(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	env := environment(t, c)
	c.write("secrets/"+env+"/FOO", data{"value": "x"})
	before, _ := c.read("master-key")["latest_version"].(float64)
	expect(t, "rotation", c.write("master-key/rotate", nil), data{"latest_version": before + 1})
	masterIdle(t, s, c)
	s.ReloadPlugin(t)
	expect(t, "load", c.read("load/"+env), data{"FOO": "x"})
}

func TestConfigIsChangedAndReset(t *testing.T) {
	c := root(t, vault.Server(t))
	expect(t, "config", c.read("config"), data{"max_versions": 10, "cas_required": false, "max_value_bytes": 65536})
	t.Cleanup(func() { c.must("PATCH", "config", data{"max_versions": nil, "max_value_bytes": nil}) })
	expect(t, "write", c.write("config", data{"max_versions": 2}), data{"max_versions": 2, "max_value_bytes": 65536})
	expect(t, "patch", c.must("PATCH", "config", data{"max_value_bytes": 4}), data{"max_versions": 2, "max_value_bytes": 4})
	env := environment(t, c)
	c.refused("POST", "secrets/"+env+"/FOO", data{"value": "12345"}, http.StatusBadRequest, "limit")
	for _, v := range []string{"1", "2", "3"} {
		c.write("secrets/"+env+"/FOO", data{"value": v})
	}
	expect(t, "history", c.read("metadata/"+env+"/FOO"), data{"version": 3, "oldest_version": 2})
	c.refused("GET", "secrets/"+env+"/FOO?version=1", nil, http.StatusNotFound, "not_found")
}

func TestInfoReturnsVersionCountsAndHealth(t *testing.T) {
	c := root(t, vault.Server(t))
	before := c.read("info")
	env := environment(t, c)
	c.write("secrets/"+env+"/FOO", data{"value": "x"})
	after := c.read("info")
	expect(t, "info", after, data{"schema_version": 2, "healthy": true, "health": "[]"})
	for _, count := range []string{"workspaces", "projects", "environments", "secrets"} {
		was, _ := before[count].(float64)
		if after[count] != was+1 {
			t.Errorf("%s: %v then %v", count, was, after[count])
		}
	}
	mounts, err := vault.Server(t).Client().Sys().GetMount(vaulttest.MountPath)
	if err != nil || after["version"] != mounts.RunningVersion {
		t.Errorf("version %v, Vault runs %v (%v)", after["version"], mounts, err)
	}
}

func TestListsArePaged(t *testing.T) {
	c := root(t, vault.Server(t))
	env := environment(t, c)
	c.write("import/"+env, data{"secrets": data{"A": "1", "B": "2", "C": "3"}})
	var all []string
	for after := ""; ; {
		page := c.must("GET", "secrets/"+env+"?list=true&limit=2&after="+after, nil)
		all = append(all, texts(page["keys"])...)
		next, _ := page["next"].(string)
		if next == "" {
			break
		}
		after = next
	}
	same(t, "pages", all, []string{"A", "B", "C"})
	c.refused("GET", "secrets/"+env+"?list=true&limit=0", nil, http.StatusBadRequest, "invalid")
}
