package policies

import (
	"slices"
	"strings"
	"testing"
)

// surface lists every request that the engine accepts, with the names of one tenant. It also has
// requests with the names of another tenant, which a policy must not allow.
func surface() []string {
	engine := []string{
		"read config", "update config", "patch config", "read info", "read master-key", "update master-key/rotate", "list workspaces/",
		"list policies/", "read policies/workload",
	}
	tenant := []string{
		"create workspaces/W", "read workspaces/W", "update workspaces/W", "patch workspaces/W", "delete workspaces/W",
		"update workspaces/W/lock", "update workspaces/W/unlock",
		"read keys/W", "update keys/W", "update keys/W/rotate", "update keys/W/rewrap", "update keys/W/trim", "list projects/W/",
	}
	tenant = append(tenant, integrations()...)
	tenant = append(tenant, "list syncs/W/", "read status/W", "list status/W/")
	inContext := []string{"update encrypt/W/C", "update decrypt/W/C", "update rewrap/W/C", "update hmac/W/C", "update verify/W/C", "update datakey/W/C"}
	project := []string{
		"create projects/W/P", "read projects/W/P", "update projects/W/P", "patch projects/W/P", "delete projects/W/P", "list environments/W/P/", "read compare/W/P",
	}
	environment := []string{
		"create environments/W/P/E", "read environments/W/P/E", "update environments/W/P/E", "patch environments/W/P/E", "delete environments/W/P/E",
		"list secrets/W/P/E/", "create secrets/W/P/E/N", "read secrets/W/P/E/N", "update secrets/W/P/E/N", "patch secrets/W/P/E/N", "delete secrets/W/P/E/N",
		"read metadata/W/P/E", "read metadata/W/P/E/N", "create metadata/W/P/E/N", "update metadata/W/P/E/N", "patch metadata/W/P/E/N", "delete metadata/W/P/E/N",
		"update undelete/W/P/E/N", "update destroy/W/P/E/N", "update rollback/W/P/E/N",
		"update import/W/P/E", "read load/W/P/E", "read render/W/P/E", "read changes/W/P/E", "update revert/W/P/E",
	}
	environment = append(environment, syncs()...)
	all := engine
	for _, w := range []string{"acme", "other"} {
		all = append(all, named(tenant, w, "", "")...)
		for _, c := range []string{"billing", "ledger"} {
			all = append(all, contextual(named(inContext, w, "", ""), c)...)
		}
		for _, p := range []string{"api", "web"} {
			all = append(all, named(project, w, p, "")...)
			for _, e := range []string{"dev", "production"} {
				all = append(all, named(environment, w, p, e)...)
			}
		}
	}
	return all
}

func integrations() []string {
	all := []string{"list integrations/W/"}
	for _, provider := range []string{"github", "vault"} {
		all = append(all, "list integrations/W/"+provider+"/", "update integrations/W/"+provider+"/main/verify")
		for _, op := range []string{"create", "read", "update", "patch", "delete"} {
			all = append(all, op+" integrations/W/"+provider+"/main")
		}
	}
	return all
}

func syncs() []string {
	all := []string{"list syncs/W/P/E/"}
	for _, destination := range []string{"github-actions", "vault-kv"} {
		one := "syncs/W/P/E/" + destination + "/main"
		for _, op := range []string{"create", "read", "update", "patch", "delete"} {
			all = append(all, op+" "+one)
		}
		all = append(all, "read "+one+"/plan", "update "+one+"/plan", "list "+one+"/plan/", "update "+one+"/run", "read "+one+"/status", "list "+one+"/status/", "update "+one+"/adopt", "update "+one+"/pause", "update "+one+"/resume")
	}
	return all
}

func named(requests []string, w, p, e string) []string {
	var out []string
	fill := strings.NewReplacer("/W", "/"+w, "/P", "/"+p, "/E", "/"+e, "/N", "/DATABASE_URL")
	for _, request := range requests {
		out = append(out, fill.Replace(request))
	}
	return out
}

// contextual inserts the name of a context.
func contextual(requests []string, c string) []string {
	var out []string
	for _, request := range requests {
		out = append(out, strings.Replace(request, "/C", "/"+c, 1))
	}
	return out
}

// allows decides as Vault 1.21 does (vault/acl.go, AllowOperation). An exact rule comes first; for
// a list, the exact rule without the slash comes second. Then the rule with the rightmost first
// wildcard wins, and among these the rule with fewer wildcards.
func allows(rules map[string][]string, request string) bool {
	op, path, _ := strings.Cut(request, " ")
	path = "stashbase/" + path
	short := strings.TrimSuffix(path, "/")
	for _, exact := range []string{path, short} {
		if capabilities, ok := rules[exact]; ok && (exact == path || op == "list") {
			return slices.Contains(capabilities, op)
		}
	}
	if op == "list" && wildcardRule(rules, short) != "" {
		return slices.Contains(rules[wildcardRule(rules, short)], op)
	}
	return slices.Contains(rules[wildcardRule(rules, path)], op)
}

func wildcardRule(rules map[string][]string, path string) string {
	segments := strings.Split(path, "/")
	best := ""
	for pattern := range rules {
		parts := strings.Split(pattern, "/")
		if !slices.Contains(parts, "+") || !slices.EqualFunc(parts, segments, func(part, segment string) bool { return part == "+" || part == segment }) {
			continue
		}
		ahead := strings.Index(pattern, "+") - strings.Index(best, "+")
		if best == "" || ahead > 0 || ahead == 0 && strings.Count(pattern, "+") < strings.Count(best, "+") {
			best = pattern
		}
	}
	return best
}

func TestEachRoleAllowsThisAndNothingElse(t *testing.T) {
	develop := []string{
		"read environments/W/P/E", "list secrets/W/P/E/", "create secrets/W/P/E/N", "read secrets/W/P/E/N", "update secrets/W/P/E/N",
		"patch secrets/W/P/E/N", "delete secrets/W/P/E/N", "read metadata/W/P/E", "read metadata/W/P/E/N", "create metadata/W/P/E/N",
		"update metadata/W/P/E/N", "patch metadata/W/P/E/N", "update import/W/P/E", "read load/W/P/E", "read render/W/P/E",
		"update undelete/W/P/E/N", "update rollback/W/P/E/N", "read changes/W/P/E", "update revert/W/P/E",
	}
	inProject := named([]string{"read projects/W/P", "list environments/W/P/"}, "acme", "api", "")
	want := map[string][]string{
		"key-custodian": {"read keys/acme", "update keys/acme", "update keys/acme/rotate", "update keys/acme/rewrap", "update keys/acme/trim"},
		"crypto-service": {
			"update encrypt/acme/billing", "update decrypt/acme/billing", "update rewrap/acme/billing",
			"update hmac/acme/billing", "update verify/acme/billing", "update datakey/acme/billing",
		},
		"integration-admin": named(integrations(), "acme", "", ""),
		"sync-operator":     named(syncs(), "acme", "api", "dev"),
		"workload":          {"read load/acme/api/dev"},
		"reader": named([]string{
			"list secrets/W/P/E/", "read secrets/W/P/E/N", "read metadata/W/P/E", "read metadata/W/P/E/N", "read load/W/P/E", "read render/W/P/E",
			"read changes/W/P/E",
		}, "acme", "api", "dev"),
		"developer":                   slices.Concat(inProject, named(develop, "acme", "api", "dev")),
		"developer-every-environment": slices.Concat(inProject, named(develop, "acme", "api", "dev"), named(develop, "acme", "api", "production")),
		"workspace-admin":             tenantOnly(surface()),
	}
	for _, example := range examples {
		t.Run(example.file, func(t *testing.T) {
			rules := parse(t, render(t, example.role, example.params))
			var got []string
			for _, request := range surface() {
				if allows(rules, request) {
					got = append(got, request)
				}
			}
			slices.Sort(got)
			slices.Sort(want[example.file])
			if !slices.Equal(got, want[example.file]) {
				t.Errorf("\n got %v\nwant %v", got, want[example.file])
			}
		})
	}
}

// tenantOnly lists what the workspace admin of acme may do: everything of the tenant, except its
// lifecycle, its keys, and encryption for services.
func tenantOnly(all []string) []string {
	want := []string{"read workspaces/acme", "read keys/acme", "read status/acme", "list policies/", "read policies/workload"}
	for _, request := range all {
		crypto := strings.Contains(request, "/billing") || strings.Contains(request, "/ledger")
		if strings.Contains(request, "/acme/") && !strings.Contains(request, " keys/") && !strings.Contains(request, " workspaces/") && !crypto {
			want = append(want, request)
		}
	}
	return want
}

// A response that lists equal and different values lets a caller test guesses of a value. Roles with
// such a request may therefore also load the values.
func TestWhoCanCompareValuesMayLoadThem(t *testing.T) {
	oracles := map[string][]string{
		"update import/W/P/E": {"read load/W/P/E"},
		"update revert/W/P/E": {"read load/W/P/E"},
		"read compare/W/P":    {"read load/W/P/dev", "read load/W/P/production"},
	}
	found := 0
	for _, example := range examples {
		rules := parse(t, render(t, example.role, example.params))
		for oracle, loads := range oracles {
			for _, environment := range []string{"dev", "production"} {
				if !allows(rules, named([]string{oracle}, "acme", "api", environment)[0]) {
					continue
				}
				found++
				for _, load := range named(loads, "acme", "api", environment) {
					if !allows(rules, load) {
						t.Errorf("%s allows %q without %q", example.file, oracle, load)
					}
				}
			}
		}
	}
	if found < 6 {
		t.Errorf("only %d requests of roles compare values", found)
	}
}
