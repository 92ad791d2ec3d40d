package backend_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/policies"
)

func TestListsAreSortedAndCompleteWithDetails(t *testing.T) {
	m := populated(t)
	m.Populate("zeta", "api")
	m.Populate("beta", "web", "two", "one")
	m.Write("environments/acme/api/production", data{"production": true, "locked": true})
	m.Write("projects/acme/a-first", nil)
	for _, name := range []string{"B", "a", "A", "_x"} {
		m.Write("secrets/"+dev+"/"+name, data{"value": planted()})
	}
	m.Delete("secrets/"+dev+"/a", nil)
	now := "2026-01-02T03:04:05Z"
	cases := []struct {
		path string
		keys []string
		info data // details of one entry
	}{
		{"workspaces", []string{"acme", "beta", "zeta"}, data{"beta": data{"updated_time": now, "locked": false, "projects": 1, "environments": 2, "secrets": 0}}},
		{"projects/acme", []string{"a-first", "api"}, data{"api": data{"updated_time": now, "environments": 2, "secrets": 4}}},
		{"environments/acme/api", []string{"development", "production"}, data{"production": data{"updated_time": now, "production": true, "locked": true, "secrets": 0}}},
		{"secrets/" + dev, []string{"A", "B", "_x", "a"}, data{"a": data{"state": "deleted", "version": 1, "updated_time": now}}},
		{"secrets/" + dev, []string{"A", "B", "_x", "a"}, data{"B": data{"state": "live", "version": 1, "updated_time": now}}},
	}
	for m := range restarting(&m) {
		for _, c := range cases {
			resp := m.Must("list", c.path+"/", nil)
			has(t, resp, data{"keys": c.keys, "next": nil})
			has(t, object(t, resp, "key_info"), c.info)
			if got := m.List(c.path); !slices.Equal(got, c.keys) {
				t.Errorf("%s lists %v", c.path, got)
			}
			if got := m.Must("list", c.path, nil); !equal(got["keys"], c.keys) {
				t.Errorf("%s without its slash lists %v", c.path, got["keys"])
			}
		}
	}
}

func TestAListIsPagedByLimitAfterAndNext(t *testing.T) {
	m := populated(t)
	var all []string
	secrets := make(data)
	for i := range 25 {
		all = append(all, fmt.Sprintf("NAME_%02d", i))
		secrets[all[i]] = ""
	}
	m.Write("import/"+dev, data{"secrets": secrets})
	for _, limit := range []any{1, 7, "10", 24, 25, 26, 1000} {
		var got []string
		params := data{"limit": limit}
		for {
			page := m.Must("list", "secrets/"+dev+"/", params)
			keys, _ := page["keys"].([]any)
			for _, key := range keys {
				got = append(got, key.(string))
			}
			if info := object(t, page, "key_info"); len(info) != len(keys) {
				t.Errorf("limit %v: %d names come with %d infos", limit, len(keys), len(info))
			}
			next, more := page["next"].(string)
			if !more {
				break
			}
			params = data{"limit": limit, "after": next}
		}
		if !slices.Equal(got, all) {
			t.Errorf("in pages of %v, the list is %v", limit, got)
		}
	}
	has(t, m.Must("list", "secrets/"+dev+"/", data{"after": "NAME_22"}), data{"keys": []string{"NAME_23", "NAME_24"}, "next": nil})
	has(t, m.Must("list", "secrets/"+dev+"/", data{"after": "NAME_225", "limit": 1}), data{"keys": []string{"NAME_23"}, "next": "NAME_23"})
	if keys := m.Must("list", "secrets/"+dev+"/", data{"after": "zzz"})["keys"]; keys != nil {
		t.Errorf("after the last name the list has %v", keys)
	}
	for _, path := range []string{"workspaces", "projects/acme", "environments/acme/api", "secrets/" + dev, "policies"} {
		for _, wrong := range []any{0, -1, 1001, "many"} {
			expect(t, m.Refuse(logical.ListOperation, path+"/", data{"limit": wrong}), 400, "invalid", "limit:")
		}
	}
}

func TestListsOfAMissingParentSayHowToCreateIt(t *testing.T) {
	m := populated(t)
	cases := []struct{ path, says string }{
		{"projects/none", "vault write -force stashbase/workspaces/none"},
		{"environments/none/api", "vault write -force stashbase/workspaces/none"},
		{"environments/acme/none", "vault write -force stashbase/projects/acme/none"},
		{"secrets/acme/none/development", "vault write -force stashbase/projects/acme/none"},
		{"secrets/acme/api/none", "vault write -force stashbase/environments/acme/api/none"},
	}
	for _, c := range cases {
		expect(t, m.Refuse(logical.ListOperation, c.path+"/", nil), 400, "not_found", `"none"`, c.says)
	}
}

func TestPoliciesAreListedAndRenderedForTheMount(t *testing.T) {
	m := populated(t)
	if got := m.List("policies"); !slices.Equal(got, policies.Roles()) || !slices.IsSorted(got) {
		t.Errorf("the list has %v", got)
	}
	has(t, object(t, m.Must("list", "policies/", nil), "key_info", "workload"), data{"required": []string{"workspace", "project", "environment"}})
	resp := m.Must("read", "policies/workload", data{"workspace": "acme", "project": "api", "environment": "production"})
	has(t, resp, data{"role": "workload"})
	if policy, _ := resp["policy"].(string); !strings.Contains(policy, `path "stashbase/load/acme/api/production"`) {
		t.Errorf("the policy is %s", policy)
	}
	expect(t, m.Refuse(logical.ReadOperation, "policies/none", nil), 404, "not_found", "the roles are crypto-service, developer")
	expect(t, m.Refuse(logical.ReadOperation, "policies/workload", nil), 400, "invalid", "workspace")
	expect(t, m.Refuse(logical.ReadOperation, "policies/workload", data{"workspace": "A B"}), 400, "invalid", "workspace:")
}
