package policies

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// granted returns the roles that may make a request with the given names in at least one case.
func granted(t *testing.T, template string) []string {
	t.Helper()
	var roles []string
	for _, example := range examples {
		rules := parse(t, render(t, example.role, example.params))
		for _, s := range scopes() {
			if allows(rules, s.fill(template)) && !slices.Contains(roles, example.role) {
				roles = append(roles, example.role)
			}
		}
	}
	slices.Sort(roles)
	return roles
}

// The guide of policies makes statements about the roles. Each is quoted here with what it means for
// the rights, so that neither changes without the other.
func TestTheGuideOfPoliciesIsTrue(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "guides", "policies.md"))
	if err != nil {
		t.Fatal(err)
	}
	guide := strings.Join(strings.Fields(string(text)), " ")
	only := func(roles []string, templates ...string) func(t *testing.T) {
		return func(t *testing.T) {
			for _, template := range templates {
				if got := granted(t, template); !slices.Equal(got, roles) {
					t.Errorf("%s is granted to %v, want %v", template, got, roles)
				}
			}
		}
	}
	implies := func(right string, rights ...string) func(t *testing.T) {
		return func(t *testing.T) {
			for _, r := range rights {
				for _, role := range granted(t, r) {
					if !slices.Contains(granted(t, right), role) {
						t.Errorf("%s has %s without %s", role, r, right)
					}
				}
			}
		}
	}
	none := func(role string, templates ...string) func(t *testing.T) {
		return func(t *testing.T) {
			for _, template := range templates {
				if slices.Contains(granted(t, template), role) {
					t.Errorf("%s has %s", role, template)
				}
			}
		}
	}
	reads := []string{"read load" + inEnvironment, "read render" + inEnvironment, "read secrets" + inSecret}
	admin, operators := []string{"workspace-admin"}, []string{"operator"}
	for sentence, holds := range map[string]func(t *testing.T){
		"Without `environment`, the policy of a developer covers all environments of the project, including production.": func(t *testing.T) {
			rules := parse(t, render(t, "developer", Params{Mount: "stashbase/", Workspace: "acme", Project: "api"}))
			for _, e := range []string{"dev", "production", "future"} {
				if !allows(rules, "update secrets/acme/api/"+e+"/A") || allows(rules, "update secrets/acme/web/"+e+"/A") {
					t.Errorf("environment %s", e)
				}
			}
		},
		"The role `operator` registers the plugin, configures the mount, and creates, changes, locks and deletes workspaces.": only(operators,
			"update config", "create workspaces"+inWorkspace, "update workspaces"+inWorkspace, "patch workspaces"+inWorkspace,
			"delete workspaces"+inWorkspace, "update workspaces"+inWorkspace+"/lock", "update workspaces"+inWorkspace+"/unlock"),
		"Of all roles, it alone has a right outside of one workspace.":                                                     only(operators, "read config", "read info", "read master-key", "update master-key/rotate"),
		"The operator cannot read secrets.":                                                                                none("operator", append(reads, "read metadata"+inEnvironment, "read changes"+inEnvironment)...),
		"Only the operator lists the workspaces of the mount.":                                                             only(operators, "list workspaces/", "list secrets/", "list load/", "list syncs/"),
		"The sync operator lists the integrations and the syncs of the whole workspace.":                                   implies("list syncs"+inWorkspace+"/", "read syncs"+inEnvironment+"/vault-kv/{name}"),
		"A role that has them can also write secrets.":                                                                     implies("update secrets"+inSecret, "update undelete"+inSecret, "update rollback"+inSecret, "update revert"+inEnvironment),
		"Of the roles, only the workspace admin has these rights.":                                                         only(admin, "update destroy"+inSecret, "delete metadata"+inSecret),
		"No role has `import` without `load`.":                                                                             implies("read load"+inEnvironment, "update import"+inEnvironment),
		"Of the roles, only the workspace admin has it.":                                                                   only(admin, "read compare"+inProject, "update environments"+inEnvironment, "patch environments"+inEnvironment),
		"The workload has no other right than `load`.":                                                                     none("workload", append(reads[1:], "list secrets"+inEnvironment+"/", "read metadata"+inEnvironment)...),
		"The sync operator cannot read secrets, but can send those of its environments wherever an integration allows it.": none("sync-operator", reads...),
	} {
		t.Run(sentence, func(t *testing.T) {
			if !strings.Contains(guide, sentence) {
				t.Error("the guide does not contain this sentence: change the test with the guide")
			}
			holds(t)
		})
	}
}
