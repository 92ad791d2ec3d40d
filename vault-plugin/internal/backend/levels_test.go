package backend_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// The command line completes a path by a list of each of its levels.
func TestEveryLevelOfAPathCanBeListed(t *testing.T) {
	m, toys := toyed(t)
	toys.Plant("top", "PLANTED", "another's")
	m.Populate("acme-2", "api")
	m.Populate("acme", "web", "staging")
	m.Write("environments/acme/api/production", nil)
	m.Write(secret, data{"value": "x"})
	m.Write(integration, data{"key": toys.Key(), "allowed_environments": "*", "allowed_targets": "*"})
	m.Write(aSync, data{"integration": "main", "shelf": "top"})
	folders, names := []string{"acme-2/", "acme/"}, []string{"acme", "acme-2"}
	for _, c := range []struct {
		categories []string
		below      string
		keys       []string
	}{
		{strings.Fields("changes compare datakey decrypt destroy encrypt environments hmac import integrations load metadata projects render revert rewrap rollback secrets syncs undelete verify"), "", folders},
		{strings.Fields("workspaces keys status"), "", names},
		{strings.Fields("changes destroy environments import load metadata render revert rollback secrets undelete"), "/acme", []string{"api/", "web/"}},
		{strings.Fields("projects compare"), "/acme", []string{"api", "web"}},
		{strings.Fields("environments changes import load render revert"), "/acme/api", []string{"development", "production"}},
		{strings.Fields("destroy metadata rollback secrets syncs undelete"), "/acme/api", []string{"development/", "production/"}},
		{strings.Fields("destroy metadata rollback secrets undelete"), "/" + dev, []string{"DATABASE_URL"}},
		{[]string{"integrations"}, "/acme", []string{"toy/main"}},
		{[]string{"integrations"}, "/acme/toy", []string{"main"}},
		{[]string{"syncs"}, "/acme", []string{strings.TrimPrefix(aSync, "syncs/acme/")}},
		{[]string{"syncs"}, "/" + dev, []string{strings.TrimPrefix(aSync, "syncs/"+dev+"/")}},
		{[]string{"syncs"}, "/" + dev + "/" + strings.Split(aSync, "/")[4], []string{aSync[strings.LastIndex(aSync, "/")+1:]}},
	} {
		for _, category := range c.categories {
			resp := m.Must("list", category+c.below+"/", nil)
			if !equal(resp["keys"], c.keys) {
				t.Errorf("%s%s/ lists %v, want %v", category, c.below, resp["keys"], c.keys)
			}
			info := object(t, resp, "key_info")
			for _, key := range c.keys {
				if details, _ := info[key].(data); len(details) == 0 {
					t.Errorf("%s%s/ has no details of %s", category, c.below, key)
				}
			}
		}
	}
	has(t, object(t, m.Must("list", "load/acme/", nil), "key_info", "api/"), data{"environments": 2, "secrets": 1})
	has(t, m.Must("list", "secrets/", data{"limit": 1}), data{"keys": []string{"acme-2/"}, "next": "acme-2/"})
	has(t, m.Must("list", "secrets/", data{"limit": 1, "after": "acme-2/"}), data{"keys": []string{"acme/"}, "next": nil})
}

// Every path below a name can be reached through lists, whatever category it belongs to.
func TestEveryCategoryIsListedAtTheMount(t *testing.T) {
	m, _ := toyed(t)
	resp := m.Must("list", "", nil)
	keys, _ := resp["keys"].([]any)
	var want []string
	for _, p := range m.Backend.Paths {
		name, rest, below := strings.Cut(strings.TrimSuffix(strings.Trim(p.Pattern, "^$"), "/?"), "/")
		if name == "" {
			continue
		}
		if p.Operations[logical.ListOperation] != nil && (!below || rest == "") {
			want = append(want, name+"/")
		}
		if named := strings.Contains(rest, "(?P<workspace>"); named && !slices.ContainsFunc(m.Backend.Paths, func(other *framework.Path) bool { return listsCategory(other, name) }) {
			t.Errorf("the workspaces of %s cannot be listed", name)
		}
	}
	want = append(want, "config", "info")
	slices.Sort(want)
	if want = slices.Compact(want); !equal(resp["keys"], want) {
		t.Errorf("the mount lists %v, want %v", keys, want)
	}
	has(t, object(t, resp, "key_info", "load/"), data{"description": "Read the names and values of all live secrets of an environment."})
}

func TestListsBelowLoadAndRenderOfAMissingParentAre404(t *testing.T) {
	m := populated(t)
	for _, category := range []string{"load", "render"} {
		expect(t, m.Refuse(logical.ListOperation, category+"/none/", nil), 404, "not_found", `workspace "none"`)
		expect(t, m.Refuse(logical.ListOperation, category+"/acme/none/", nil), 404, "not_found", `project "none"`)
	}
	for _, category := range []string{"secrets", "metadata", "undelete"} {
		expect(t, m.Refuse(logical.ListOperation, category+"/none/", nil), 400, "not_found", `workspace "none"`)
	}
	m.Write("workspaces/acme/lock", nil)
	expect(t, m.Refuse(logical.ListOperation, "load/acme/", nil), 409, "locked")
	expect(t, m.Refuse(logical.ReadOperation, "load/"+dev, nil), 409, "locked")
}

// A client may delete its own copy of the secrets on a 404, so only an environment that does not
// exist returns it.
func TestOnlyAMissingEnvironmentIs404ForADelivery(t *testing.T) {
	m := populated(t)
	m.Write("environments/acme/api/other", data{"shared_with": "*/*"})
	m.Write("secrets/acme/api/other/TARGET", data{"value": "x"})
	m.Write(secret, data{"value": "${other/TARGET}", "references": true})
	m.Delete("metadata/acme/api/other/TARGET", nil)
	for _, category := range []string{"load", "render"} {
		if got := m.Refuse(logical.ReadOperation, category+"/"+dev, nil); got.Status == 404 || !strings.Contains(got.Text, "TARGET") {
			t.Errorf("%s with a lost reference returns %v", category, got)
		}
		expect(t, m.Refuse(logical.ReadOperation, category+"/acme/api/none", nil), 404, "not_found", "vault write -force stashbase/environments/acme/api/none")
		if got := m.Read(category + "/acme/api/other"); len(got) == 0 && category == "render" {
			t.Errorf("%s of an environment without live secrets returns %v", category, got)
		}
	}
}

func listsCategory(p *framework.Path, name string) bool {
	return p.Operations[logical.ListOperation] != nil && strings.TrimRight(strings.Trim(p.Pattern, "^$"), "/?") == name
}
