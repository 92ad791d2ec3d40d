package policies

import (
	"errors"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// examples holds the parameters of each golden file.
var examples = []struct {
	file, role string
	params     Params
}{
	{"operator", "operator", Params{Mount: "stashbase/"}},
	{"workspace-admin", "workspace-admin", Params{Mount: "stashbase/", Workspace: "acme"}},
	{"developer", "developer", Params{Mount: "stashbase/", Workspace: "acme", Project: "api", Environment: "dev"}},
	{"developer-every-environment", "developer", Params{Mount: "stashbase/", Workspace: "acme", Project: "api"}},
	{"reader", "reader", Params{Mount: "stashbase/", Workspace: "acme", Project: "api", Environment: "dev"}},
	{"workload", "workload", Params{Mount: "stashbase/", Workspace: "acme", Project: "api", Environment: "dev"}},
	{"integration-admin", "integration-admin", Params{Mount: "stashbase/", Workspace: "acme"}},
	{"sync-operator", "sync-operator", Params{Mount: "stashbase/", Workspace: "acme", Project: "api", Environment: "dev"}},
	{"key-custodian", "key-custodian", Params{Mount: "stashbase/", Workspace: "acme"}},
	{"crypto-service", "crypto-service", Params{Mount: "stashbase/", Workspace: "acme", Context: "billing"}},
}

// ofVault lists the paths of Vault itself that the operator uses.
var ofVault = []string{
	"sys/config/state/sanitized", "sys/plugins/catalog/secret/vault-plugin-secrets-stashbase", "sys/plugins/reload/secret/vault-plugin-secrets-stashbase",
	"sys/mounts/stashbase", "sys/mounts/stashbase/tune",
}

func render(t *testing.T, role string, p Params) string {
	t.Helper()
	text, err := Render(role, p)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// parse returns the capabilities of each path, as HCL reads the policy. It fails if a path occurs
// twice, because Vault would merge the two rules.
func parse(t *testing.T, text string) map[string][]string {
	t.Helper()
	var doc struct {
		Path []map[string][]struct {
			Capabilities []string `hcl:"capabilities"`
		} `hcl:"path"`
	}
	if err := hcl.Decode(&doc, text); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	rules := map[string][]string{}
	for _, block := range doc.Path {
		for path, bodies := range block {
			if rules[path] != nil || len(bodies) != 1 || len(bodies[0].Capabilities) == 0 {
				t.Fatalf("path %q occurs twice or allows nothing", path)
			}
			rules[path] = bodies[0].Capabilities
		}
	}
	if len(rules) == 0 || len(rules) != strings.Count(text, "path \"") {
		t.Fatalf("HCL reads %d rules of\n%s", len(rules), text)
	}
	return rules
}

func TestEachPolicyEqualsItsGoldenFile(t *testing.T) {
	covered := map[string]bool{}
	for _, example := range examples {
		covered[example.role] = true
		t.Run(example.file, func(t *testing.T) {
			got := render(t, example.role, example.params)
			golden := filepath.Join("testdata", example.file+".hcl")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("differs from %s (go test -update rewrites it):\n%s", golden, got)
			}
			for path, capabilities := range parse(t, got) {
				ours, theirs := strings.HasPrefix(path, "stashbase/"), example.role == "operator" && slices.Contains(ofVault, path)
				if !ours && !theirs || strings.ContainsAny(path, "{}*") || strings.Contains(path, "//") {
					t.Errorf("path %q is outside the mount, has an empty segment, or has a glob", path)
				}
				for _, capability := range capabilities {
					sudo := capability == "sudo" && theirs
					if !sudo && !slices.Contains([]string{"create", "read", "update", "patch", "delete", "list"}, capability) {
						t.Errorf("path %q has the capability %q", path, capability)
					}
				}
			}
		})
	}
	for _, role := range Roles() {
		if !covered[role] {
			t.Errorf("role %s has no golden file", role)
		}
	}
}

func TestRolesAreSortedAndDescribed(t *testing.T) {
	want := []string{"crypto-service", "developer", "integration-admin", "key-custodian", "operator", "reader", "sync-operator", "workload", "workspace-admin"}
	if got := Roles(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, name := range Roles() {
		role, err := Lookup(name)
		if err != nil || role.Name != name || role.Description == "" || (len(role.Required) == 0) != (name == "operator") {
			t.Errorf("got %+v, %v", role, err)
		}
	}
}

func TestWrongParametersAreRefusedByName(t *testing.T) {
	const canary = "cAnArY!"
	for _, tc := range []struct {
		name   string
		role   string
		params Params
		status int
		want   string
	}{
		{"an unknown role", canary, Params{Mount: "m"}, http.StatusNotFound, "not_found: no role has this name; the roles are crypto-service, developer, integration-admin, key-custodian, operator, reader, sync-operator, workload, workspace-admin"},
		{"no workspace", "workload", Params{Mount: "m", Project: "p", Environment: "e"}, http.StatusBadRequest, "invalid: workspace: the role workload requires it"},
		{"no project", "developer", Params{Mount: "m", Workspace: "w"}, http.StatusBadRequest, "invalid: project: the role developer requires it"},
		{"no environment", "reader", Params{Mount: "m", Workspace: "w", Project: "p"}, http.StatusBadRequest, "invalid: environment: the role reader requires it"},
		{"a project too many", "key-custodian", Params{Mount: "m", Workspace: "w", Project: canary}, http.StatusBadRequest, "invalid: project: the role key-custodian does not accept it; the role accepts workspace"},
		{"a parameter of a role without parameters", "operator", Params{Mount: "m", Workspace: "w"}, http.StatusBadRequest, "invalid: workspace: the role operator does not accept it; the role accepts no parameter"},
		{"no context", "crypto-service", Params{Mount: "m", Workspace: "w"}, http.StatusBadRequest, "invalid: context: the role crypto-service requires it"},
		{"a context too many", "workload", Params{Mount: "m", Workspace: "w", Project: "p", Environment: "e", Context: "c"}, http.StatusBadRequest, "invalid: context: the role workload does not accept it; the role accepts workspace, project, environment"},
		{"an environment too many", "workspace-admin", Params{Mount: "m", Workspace: "w", Environment: "e"}, http.StatusBadRequest, "invalid: environment: the role workspace-admin does not accept it; the role accepts workspace"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Render(tc.role, tc.params)
			var refused *fault.Error
			if !errors.As(err, &refused) || refused.Status != tc.status || refused.Error() != tc.want {
				t.Errorf("\n got %v\nwant %v", err, tc.want)
			}
		})
	}
	for _, name := range []string{"*", "+", "a/b", `a"`, "a\nb", "A", "a*", "{{identity.entity.name}}", "${x}", canary} {
		for param, p := range map[string]Params{
			"workspace":   {Mount: "m", Workspace: name, Project: "p", Environment: "e"},
			"project":     {Mount: "m", Workspace: "w", Project: name, Environment: "e"},
			"environment": {Mount: "m", Workspace: "w", Project: "p", Environment: name},
		} {
			text, err := Render("workload", p)
			if !fault.Is(err, fault.Invalid) || text != "" || !strings.HasPrefix(err.Error(), "invalid: "+param+": ") || strings.Contains(err.Error(), canary) {
				t.Errorf("%s %q: got %q, %v", param, name, text, err)
			}
		}
		text, err := Render("crypto-service", Params{Mount: "m", Workspace: "w", Context: name})
		if !fault.Is(err, fault.Invalid) || text != "" || !strings.HasPrefix(err.Error(), "invalid: context: ") || strings.Contains(err.Error(), canary) {
			t.Errorf("context %q: got %q, %v", name, text, err)
		}
	}
}

func TestAMountMustBeAPlainPath(t *testing.T) {
	for mount, want := range map[string]string{
		"stashbase/": "stashbase/", "stashbase": "stashbase/", "/team/stash": "team/stash/", "Küche 7/": "Küche 7/", "a.b~c@d": "a.b~c@d/",
	} {
		text := render(t, "key-custodian", Params{Mount: mount, Workspace: "acme"})
		if rules := parse(t, text); rules[want+"keys/acme"] == nil {
			t.Errorf("mount %q: got %v", mount, rules)
		}
	}
	for _, mount := range []string{"", "/", "//", "a//b", `a"b`, `a\b`, "a\nb", "a*", "+", "+/a", "a+b", "${x}", "%{x}", "{{x}}", "a'b", "a\u2028b", "a\x00"} {
		if text, err := Render("key-custodian", Params{Mount: mount, Workspace: "acme"}); !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "invalid: mount: ") {
			t.Errorf("mount %q: got %q, %v", mount, text, err)
		}
	}
}
