package backend_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

// A policy for a tenant has the path "stashbase/+/acme". Every path whose second segment is the
// name of a workspace must belong to that workspace.
func TestNoWritablePathOfTheEngineHasASecondSegmentThatIsAWorkspacesName(t *testing.T) {
	m, _ := toyed(t)
	for _, p := range m.Backend.Paths {
		pattern := strings.NewReplacer("^", "", "$", "", "/?", "").Replace(p.Pattern)
		segments := strings.Split(strings.ReplaceAll(pattern, "[^/]", "."), "/")
		if len(segments) < 2 || strings.Contains(segments[1], "(?P<workspace>") {
			continue
		}
		for op := range p.Operations {
			if op == logical.ReadOperation || op == logical.ListOperation {
				continue
			}
			if capture := strings.ContainsAny(segments[1], "(+"); capture || naming.Check("workspace", segments[1]) == nil {
				t.Errorf("%s %s: a workspace could be called %s", op, p.Pattern, segments[1])
			}
		}
	}
}

// The test runs every operation of every path once, in an order that succeeds. The fixture checks
// each response against the schema that its operation declares.
func TestEveryOperationReturnsItsDeclaredSchema(t *testing.T) {
	m, toys := toyed(t)
	m.Write("workspaces/acme", data{"deletion_allowed": true})
	m.Delete("workspaces/acme", data{"confirm": "acme"})
	m.Write("workspaces/other", nil)
	toys.Plant("top", "PLANTED", "another's")
	_, ciphertext := sealed(t, m, "/other/billing")
	digest := textOf(t, m.Write("hmac/other/billing", data{"input": ""}), "hmac")
	script := slices.Concat([]enginetest.Request{
		read("config", nil), write("config", data{"max_versions": 5}), patch("config", data{"max_versions": nil}), read("info", nil),
		write("workspaces/acme", data{"metadata": data{"k": "v"}}), write("workspaces/acme", data{"deletion_allowed": true}), patch("workspaces/acme", data{"metadata": data{"k": nil}}),
		read("workspaces/acme", nil), listing("workspaces", data{"limit": 1}),
		write("projects/acme/api", nil), write("projects/acme/api", data{"description": "x"}), read("projects/acme/api", nil), listing("projects/acme", nil),
		write("environments/"+dev, nil), write("environments/"+dev, data{"description": "x"}), read("environments/"+dev, nil), listing("environments/acme/api", nil),
		write(secret, data{"value": "v", "tags": "a,b"}), write(secret, data{"value": "v"}), read(secret, nil), listing("secrets/"+dev, nil),
		read("metadata/"+dev, nil), read("metadata/"+dev+"/DATABASE_URL", nil), {ID: "import", Op: "update", Path: "import/" + dev, Data: data{"secrets": data{"A": "1", "B": "2"}}}, read("load/"+dev, nil), read("render/"+dev, data{"format": "json"}),
		patch(secret, data{"value": "w"}), write("rollback/"+dev+"/DATABASE_URL", data{"version": 1}), write("destroy/"+dev+"/DATABASE_URL", data{"versions": 1}), write("undelete/"+dev+"/DATABASE_URL", data{"versions": 2}),
		write("metadata/"+dev+"/DATABASE_URL", data{"max_versions": 4}), patch("metadata/"+dev+"/DATABASE_URL", data{"max_versions": nil}), remove("metadata/"+dev+"/A", nil),
		patch("environments/"+dev, data{"shared_with": "api/*"}), read("changes/"+dev, nil), write("revert/"+dev, data{"change": "import", "dry_run": true}), read("compare/acme/api", data{"from": "development", "to": "development"}),
		write(integration, data{"key": toys.Key()}), write(integration, data{"region": "us", "key": toys.Key()}), patch(integration, data{"labels": nil}), read(integration, nil),
		write(integration+"/verify", nil), listing("integrations/acme", nil), listing("integrations/acme/toy", data{"limit": 1}),
		write(integration, data{"allowed_environments": "*", "allowed_targets": "*"}), write(aSync, data{"integration": "main", "shelf": "top"}), write(aSync, data{"readers": "a,b"}), patch(aSync, data{"readers": nil}),
		read(aSync, nil), listing("syncs/acme", nil), listing("syncs/acme/api/development", nil), read("status/acme", nil), listing("status/acme", nil), read(aSync+"/plan", nil), listing(aSync+"/plan", nil), listing(aSync+"/status", nil), write(aSync+"/plan", data{"exclude": "B"}), read(aSync+"/status", nil), write(aSync+"/run", data{"wait": "1s"}),
	}, everyList(m), []enginetest.Request{
		write(aSync+"/pause", nil), write(aSync+"/resume", nil), write("secrets/"+dev+"/PLANTED", data{"value": "1"}), write(aSync+"/run", data{"wait": "10s"}), write(aSync+"/adopt", data{"keys": "PLANTED"}), remove(aSync, data{"purge": false}), remove(integration, nil),
		write("workspaces/acme/lock", nil), write("workspaces/acme/unlock", nil),
		write("keys/acme", data{"auto_rotate_period": "48h"}), write("keys/acme/trim", nil), read("keys/acme", nil), write("keys/acme/rotate", nil), write("keys/acme/rewrap", nil), read("master-key", nil), write("master-key/rotate", nil),
		listing("policies", nil), read("policies/reader", data{"workspace": "acme", "project": "api", "environment": "development"}),
		write("encrypt/other/billing", data{"plaintext": ""}), write("decrypt/other/billing", data{"ciphertext": ciphertext}), write("rewrap/other/billing", data{"ciphertext": ciphertext}),
		write("hmac/other/billing", data{"input": ""}), write("verify/other/billing", data{"input": "", "hmac": digest}), write("datakey/other/billing", data{"type": "wrapped"}),
		remove(secret, nil), remove("environments/"+dev, data{"confirm": "development"}), remove("projects/acme/api", nil), remove("workspaces/acme", data{"confirm": "acme"}),
	})
	done := make(map[string]bool)
	for _, req := range script {
		op := req.Op
		if path := m.Backend.Route(req.Path); op == logical.UpdateOperation && path.ExistenceCheck != nil && !m.Exists(req.Path) {
			op = logical.CreateOperation
		}
		done[fmt.Sprint(op, " ", m.Backend.Route(req.Path).Pattern)] = true
		if _, err := m.Do(req); err != nil {
			t.Errorf("%s %s: %v", req.Op, req.Path, err)
		}
	}
	var missing []string
	for _, p := range m.Backend.Paths {
		for op := range p.Operations {
			if step := fmt.Sprint(op, " ", p.Pattern); !done[step] {
				missing = append(missing, step)
			}
		}
	}
	slices.Sort(missing)
	if missing != nil {
		t.Errorf("the script above has no request for:\n%s", strings.Join(missing, "\n"))
	}
}

// everyList returns a request for each list.
func everyList(m *enginetest.Mount) []enginetest.Request {
	names := strings.NewReplacer("{mount}", "", "{workspace}", "acme", "{project}", "api", "{environment}", "development", "{name}", "DATABASE_URL")
	var all []enginetest.Request
	for _, p := range m.Backend.Paths {
		if p.Operations[logical.ListOperation] != nil {
			path := template(p, logical.ListOperation)
			if strings.HasPrefix(path, "syncs/") {
				path = strings.ReplaceAll(path, "{name}", "main") // of a sync, not of a secret
			}
			all = append(all, enginetest.Request{Op: logical.ListOperation, Path: names.Replace(path)})
		}
	}
	return all
}

// The framework uses the first pattern that matches. If two patterns matched the same path, the
// second would be unreachable.
func TestNoTwoPatternsMatchTheSamePath(t *testing.T) {
	m, _ := toyed(t)
	for _, p := range m.Backend.Paths {
		for _, like := range []string{"acme", "rotate", "x", "UPPER"} {
			path := strings.TrimSuffix(capture.ReplaceAllString(strings.Trim(p.Pattern, "^$"), like), "/?")
			if got := m.Backend.Route(path); got != p {
				t.Errorf("%s, built for %s, matches another pattern: %v", path, p.Pattern, got)
			}
		}
	}
}
