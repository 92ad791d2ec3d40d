package policies

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// templates returns every request that the engine accepts, as `operation path` with names in braces.
// A test of the engine compares the file with the engine's paths.
func templates(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "surface.golden"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimRight(string(text), "\n"), "\n")
}

// scope holds the names that fill a template.
type scope struct{ workspace, project, environment, context string }

func (s scope) fill(template string) string {
	return strings.NewReplacer("{workspace}", s.workspace, "{project}", s.project, "{environment}", s.environment,
		"{context}", s.context, "{name}", "DATABASE_URL", "{role}", "workload", "{mount}", "").Replace(template)
}

// scopes holds the names that the policies of the examples cover, and others.
func scopes() []scope {
	var all []scope
	for _, w := range []string{"acme", "other"} {
		for _, p := range []string{"api", "web"} {
			for _, e := range []string{"dev", "production"} {
				for _, c := range []string{"billing", "ledger"} {
					all = append(all, scope{w, p, e, c})
				}
			}
		}
	}
	return all
}

func filled(templates []string, in ...scope) []string {
	var requests []string
	for _, template := range templates {
		for _, s := range in {
			requests = append(requests, s.fill(template))
		}
	}
	slices.Sort(requests)
	return slices.Compact(requests)
}

// surface returns every request that the engine accepts, with the names of two tenants.
func surface(t *testing.T) []string {
	t.Helper()
	return filled(templates(t), scopes()...)
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

const (
	inWorkspace   = "/{workspace}"
	inProject     = inWorkspace + "/{project}"
	inEnvironment = inProject + "/{environment}"
	inSecret      = inEnvironment + "/{name}"
)

// every returns a request for each operation of a path.
func every(path string, ops ...string) []string {
	var all []string
	for _, op := range ops {
		all = append(all, op+" "+path)
	}
	return all
}

// matching returns the templates whose paths begin with a prefix.
func matching(templates []string, prefix string) []string {
	var all []string
	for _, template := range templates {
		if _, path, _ := strings.Cut(template, " "); strings.HasPrefix(path, prefix) {
			all = append(all, template)
		}
	}
	return all
}

// syncsOf returns the requests for the syncs of an environment.
func syncsOf(all []string) []string {
	return append(matching(all, "syncs"+inEnvironment+"/"), "list syncs"+inWorkspace+"/", "list integrations"+inWorkspace+"/")
}

func readerOf() []string {
	return slices.Concat(
		every("secrets"+inEnvironment+"/", "list"), every("secrets"+inSecret, "read"),
		every("metadata"+inEnvironment, "read"), every("metadata"+inEnvironment+"/", "list"), every("metadata"+inSecret, "read"), every("metadata"+inSecret+"/", "list"),
		every("load"+inEnvironment, "read"), every("render"+inEnvironment, "read"),
		every("changes"+inEnvironment, "read"), every("changes"+inEnvironment+"/", "list"))
}

func developerOf() []string {
	return slices.Concat(readerOf(),
		every("projects"+inProject, "read"), every("environments"+inProject+"/", "list"), every("environments"+inEnvironment, "read"),
		every("secrets"+inProject+"/", "list"), every("secrets"+inSecret, "create", "update", "patch", "delete"),
		every("metadata"+inProject+"/", "list"), every("metadata"+inSecret, "update", "patch"),
		every("undelete"+inSecret, "update"), every("rollback"+inSecret, "update"), every("import"+inEnvironment, "update"),
		every("load"+inProject+"/", "list"), every("changes"+inProject+"/", "list"), every("revert"+inEnvironment, "update"))
}

// administered returns what the workspace admin may do: everything of the tenant, except its
// lifecycle, its keys, encryption for services, and the lists that only complete the paths of writes.
func administered(all []string) []string {
	want := slices.Concat(every("workspaces"+inWorkspace, "read"), every("keys"+inWorkspace, "read"), every("keys"+inWorkspace+"/", "list"),
		every("policies/", "list"), every("policies/{role}", "read"))
	for _, template := range all {
		op, path, _ := strings.Cut(template, " ")
		category, below, _ := strings.Cut(path, "/")
		lists := []string{"projects", "environments", "secrets", "metadata", "load", "changes", "integrations", "syncs", "status"}
		switch {
		case !strings.HasPrefix(below, "{workspace}"), strings.Contains(path, "{context}"), category == "workspaces", category == "keys":
		case op == "list" && !slices.Contains(lists, category):
		default:
			want = append(want, template)
		}
	}
	return want
}

// operated returns what the operator may do: everything above a workspace, and its lifecycle.
func operated(all []string) []string {
	want := matching(all, "workspaces")
	for _, template := range all {
		if _, path, _ := strings.Cut(template, " "); !strings.Contains(path, "{workspace}") {
			want = append(want, template)
		}
	}
	return want
}

func TestEachRoleAllowsThisAndNothingElse(t *testing.T) {
	all := templates(t)
	dev, production := scope{"acme", "api", "dev", "billing"}, scope{"acme", "api", "production", "billing"}
	in := func(templates []string, scopes ...scope) []string { return filled(templates, scopes...) }
	var everywhere []scope // of acme
	for _, s := range scopes() {
		if s.workspace == "acme" {
			everywhere = append(everywhere, s)
		}
	}
	want := map[string][]string{
		"operator": in(operated(all), scopes()...),
		"key-custodian": in(slices.Concat(every("keys"+inWorkspace, "read", "update"), every("keys"+inWorkspace+"/", "list"),
			every("keys"+inWorkspace+"/rotate", "update"), every("keys"+inWorkspace+"/rewrap", "update"), every("keys"+inWorkspace+"/trim", "update")), dev),
		"crypto-service": in([]string{
			"update encrypt/{workspace}/{context}", "update decrypt/{workspace}/{context}", "update rewrap/{workspace}/{context}",
			"update hmac/{workspace}/{context}", "update verify/{workspace}/{context}", "update datakey/{workspace}/{context}",
		}, dev),
		"integration-admin":           in(matching(all, "integrations"+inWorkspace+"/"), dev),
		"sync-operator":               in(syncsOf(all), dev),
		"workload":                    in(every("load"+inEnvironment, "read"), dev),
		"reader":                      in(readerOf(), dev),
		"developer":                   in(developerOf(), dev),
		"developer-every-environment": in(developerOf(), dev, production),
		"workspace-admin":             in(administered(all), everywhere...),
	}
	requests := surface(t)
	for _, example := range examples {
		t.Run(example.file, func(t *testing.T) {
			rules := parse(t, render(t, example.role, example.params))
			var got []string
			for _, request := range requests {
				if allows(rules, request) {
					got = append(got, request)
				}
			}
			for _, request := range got {
				if !slices.Contains(want[example.file], request) {
					t.Errorf("allowed: %s", request)
				}
			}
			for _, request := range want[example.file] {
				if !slices.Contains(got, request) {
					t.Errorf("not allowed: %s", request)
				}
			}
		})
	}
}

// Import returns which secrets already have the values that a caller sends, so it must not belong to
// a role that cannot load them. The same holds for compare.
func TestNoRoleComparesValuesThatItCannotLoad(t *testing.T) {
	for _, example := range examples {
		rules := parse(t, render(t, example.role, example.params))
		for _, s := range scopes() {
			loads := allows(rules, s.fill("read load"+inEnvironment))
			for _, oracle := range []string{"update import" + inEnvironment, "update revert" + inEnvironment, "read compare" + inProject} {
				if allows(rules, s.fill(oracle)) && !loads {
					t.Errorf("%s: %s without load", example.file, s.fill(oracle))
				}
			}
		}
	}
}
