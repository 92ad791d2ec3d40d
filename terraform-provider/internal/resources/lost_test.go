package resources_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/stashbase/vault-stashbase/shared/catalog"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/provider"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/tftest"
)

// creation is a resource that an apply creates.
type creation struct {
	kind, id   string
	attributes string
	before     func(*world)            // creates the parents of the object
	exists     func(*world)            // creates the object itself
	differs    map[string]func(*world) // changes the object so that it must not be adopted
}

// creations has one creation of each type.
var creations = []creation{
	{
		kind: "config", id: "config",
		attributes: `max_versions = 7`,
		before:     func(*world) {},
		exists:     func(w *world) { w.write("config", map[string]any{"max_versions": 7}) },
	},
	{
		kind: "workspace", id: "WORKSPACE",
		attributes: `
  name             = "WORKSPACE"
  description      = "first"
  metadata         = { owner = "payments" }
  deletion_allowed = true`,
		before: func(*world) {},
		exists: func(w *world) {
			w.write("workspaces/"+w.workspace, map[string]any{"description": "first", "metadata": map[string]any{"owner": "payments"}, "deletion_allowed": true})
		},
		differs: map[string]func(*world){
			"another description": func(w *world) { w.write("workspaces/"+w.workspace, map[string]any{"description": "theirs"}) },
			"a project":           func(w *world) { w.write("projects/"+w.workspace+"/theirs", nil) },
			"an integration":      func(w *world) { w.integration("vault") },
		},
	},
	{
		kind: "project", id: "WORKSPACE/web",
		attributes: `
  workspace   = "WORKSPACE"
  name        = "web"
  description = "first"`,
		before: (*world).tree,
		exists: func(w *world) { w.write("projects/"+w.workspace+"/web", map[string]any{"description": "first"}) },
		differs: map[string]func(*world){
			"another description": func(w *world) { w.write("projects/"+w.workspace+"/web", map[string]any{"description": "theirs"}) },
			"an environment":      func(w *world) { w.write("environments/"+w.workspace+"/web/dev", nil) },
		},
	},
	{
		kind: "environment", id: "WORKSPACE/api/prod",
		attributes: `
  workspace   = "WORKSPACE"
  project     = "api"
  name        = "prod"
  base        = "dev"
  shared_with = ["web/*", "api/dev"]`,
		before: func(w *world) {
			w.tree()
			w.write("environments/"+w.workspace+"/api/dev", map[string]any{"shared_with": "api/prod"})
		},
		exists: func(w *world) {
			w.write("environments/"+w.workspace+"/api/prod", map[string]any{"base": "dev", "shared_with": []string{"api/dev", "web/*"}})
		},
		differs: map[string]func(*world){
			"another base": func(w *world) { w.write("environments/"+w.workspace+"/api/prod", map[string]any{"base": ""}) },
			"a secret": func(w *world) {
				w.write("secrets/"+w.workspace+"/api/prod/THEIRS", map[string]any{"value": "theirs"})
			},
			"a deleted secret": func(w *world) {
				w.write("secrets/"+w.workspace+"/api/prod/THEIRS", map[string]any{"value": "theirs"})
				w.remove("secrets/"+w.workspace+"/api/prod/THEIRS", nil)
			},
			"a sync": func(w *world) {
				w.integration("vault")
				w.write("syncs/"+w.workspace+"/api/prod/vault-kv/it", map[string]any{"integration": "it", "mount": "kv", "path": "a", "trigger": "manual"})
			},
		},
	},
	{
		kind: "secret", id: "WORKSPACE/api/dev/API_KEY",
		attributes: `
  workspace        = "WORKSPACE"
  project          = "api"
  environment      = "dev"
  name             = "API_KEY"
  value_wo         = "VALUE"
  value_wo_version = 1
  comment          = "why"
  tags             = ["a", "b"]`,
		before: (*world).tree,
		exists: func(w *world) { w.secret("VALUE", "why", "b,a", false) },
		differs: map[string]func(*world){
			"another value":   func(w *world) { w.secret("theirs", "why", "a,b", false) },
			"another comment": func(w *world) { w.secret("VALUE", "theirs", "a,b", false) },
			"another tag":     func(w *world) { w.secret("VALUE", "why", "a", false) },
			"references":      func(w *world) { w.secret("VALUE", "why", "a,b", true) },
		},
	},
	{
		kind: "secrets", id: "WORKSPACE/api/dev",
		attributes: `
  workspace         = "WORKSPACE"
  project           = "api"
  environment       = "dev"
  values_wo         = { A = "a", B = "b" }
  values_wo_version = 1`,
		before: (*world).tree,
		exists: func(w *world) {
			w.write("import/"+w.workspace+"/api/dev", map[string]any{"secrets": map[string]any{"A": "a", "B": "b"}})
		},
		differs: map[string]func(*world){
			"another value": func(w *world) { w.write("secrets/"+w.workspace+"/api/dev/B", map[string]any{"value": "theirs"}) },
		},
	},
	{
		kind: "integration_vault", id: "WORKSPACE/it",
		attributes: `
  workspace            = "WORKSPACE"
  name                 = "it"
  address              = "https://vault.acme.example:8200"
  token_wo             = "TOKEN"
  token_wo_version     = 1
  allowed_environments = ["*"]
  allowed_targets      = ["*"]`,
		before: (*world).tree,
		exists: func(w *world) { w.integration("vault") },
		differs: map[string]func(*world){
			"another setting": func(w *world) {
				w.write("integrations/"+w.workspace+"/vault/it", map[string]any{"allowed_targets": "kv/*"})
			},
			"a sync that uses it": func(w *world) {
				w.write("syncs/"+w.workspace+"/api/dev/vault-kv/it", map[string]any{"integration": "it", "mount": "kv", "path": "a", "trigger": "manual"})
			},
		},
	},
	{
		kind: "integration_github", id: "WORKSPACE/it",
		attributes: `
  workspace            = "WORKSPACE"
  name                 = "it"
  token_wo             = "TOKEN"
  token_wo_version     = 1
  allowed_environments = ["*"]
  allowed_targets      = ["*"]`,
		before: (*world).tree,
		exists: func(w *world) { w.integration("github") },
	},
	{
		kind: "sync_vault_kv", id: "WORKSPACE/api/dev/it",
		attributes: `
  workspace   = "WORKSPACE"
  project     = "api"
  environment = "dev"
  name        = "it"
  integration = "it"
  mount       = "kv"
  path        = "a"
  trigger     = "manual"
  include     = ["B_*", "A_*"]`,
		before: func(w *world) {
			w.tree()
			w.integration("vault")
		},
		exists: func(w *world) { w.sync("vault-kv", map[string]any{"mount": "kv", "path": "a"}) },
		differs: map[string]func(*world){
			"another definition": func(w *world) {
				w.write("syncs/"+w.workspace+"/api/dev/vault-kv/it", map[string]any{"on_conflict": "adopt"})
			},
			"one that is paused": func(w *world) { w.write("syncs/"+w.workspace+"/api/dev/vault-kv/it/pause", nil) },
		},
	},
	{
		kind: "sync_github_actions", id: "WORKSPACE/api/dev/it",
		attributes: `
  workspace   = "WORKSPACE"
  project     = "api"
  environment = "dev"
  name        = "it"
  integration = "it"
  owner       = "acme"
  repository  = "api"
  trigger     = "manual"
  include     = ["B_*", "A_*"]`,
		before: func(w *world) {
			w.tree()
			w.integration("github")
		},
		exists: func(w *world) { w.sync("github-actions", map[string]any{"owner": "acme", "repository": "api"}) },
	},
}

func (w *world) secret(value, comment, tags string, references bool) {
	w.Helper()
	w.write("secrets/"+w.workspace+"/api/dev/API_KEY", map[string]any{"value": value, "comment": comment, "tags": tags, "references": references})
}

// integration creates an integration "it" whose credential does not work.
func (w *world) integration(provider string) {
	w.Helper()
	settings := map[string]any{"token": "TOKEN", "allowed_environments": "*", "allowed_targets": "*"}
	if provider == "vault" {
		settings["address"] = "https://vault.acme.example:8200"
	}
	w.write("integrations/"+w.workspace+"/"+provider+"/it", settings)
	w.write("workspaces/"+w.workspace, map[string]any{"paused": true}) // no plan of a sync waits for a name server
}

// sync creates a sync "it" that never runs.
func (w *world) sync(destination string, settings map[string]any) {
	w.Helper()
	settings["integration"], settings["trigger"], settings["include"] = "it", "manual", "A_*,B_*"
	w.write("syncs/"+w.workspace+"/api/dev/"+destination+"/it", settings)
}

func (w *world) one(kind, attributes string) string {
	w.configure("resource \"stashbase_" + kind + "\" \"it\" {\n" + attributes + "\n}\n")
	return "stashbase_" + kind + ".it"
}

func TestEveryTypeIsAmongTheCreations(t *testing.T) {
	providers, err := catalog.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, open := range provider.New("v0.0.0", providers).Resources(t.Context()) {
		var metadata resource.MetadataResponse
		open().Metadata(t.Context(), resource.MetadataRequest{}, &metadata)
		if !slices.ContainsFunc(creations, func(c creation) bool { return "stashbase_"+c.kind == metadata.TypeName }) {
			t.Errorf("%s has no creation", metadata.TypeName)
		}
	}
}

// changes reports whether a request changes something.
func changes(r *http.Request) bool {
	return r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/plan")
}

// first treats the first write with the given fault.
func first(fault tftest.Fault) func(*http.Request) tftest.Fault {
	done := false
	return func(r *http.Request) tftest.Fault {
		if done || !changes(r) {
			return tftest.Pass
		}
		done = true
		return fault
	}
}

// writes treats every write with the given fault.
func writes(fault tftest.Fault) func(*http.Request) tftest.Fault {
	return func(r *http.Request) tftest.Fault {
		if changes(r) {
			return fault
		}
		return tftest.Pass
	}
}

// untilTheFirst forwards requests up to the first write, whose response it loses. After that it
// cuts every connection.
func untilTheFirst() func(*http.Request) tftest.Fault {
	lost := false
	return func(r *http.Request) tftest.Fault {
		switch {
		case lost:
			return tftest.Cut
		case !changes(r):
			return tftest.Pass
		}
		lost = true
		return tftest.Lose
	}
}

func TestACreateWhoseResponseIsLostIsNoDeadEnd(t *testing.T) {
	w := newWorld(t, tftest.Tofu(t))
	proxy := tftest.NewProxy(t, w.server)
	for _, c := range creations {
		t.Run(c.kind, func(t *testing.T) {
			in := w.again(t)
			in.Env = append(in.Env, proxy.Env()...)
			c.before(in)
			in.one(c.kind, c.attributes)
			id := strings.ReplaceAll(c.id, "WORKSPACE", in.workspace)

			// The first apply ends with the write. The next apply finds the object.
			proxy.Play(untilTheFirst())
			in.Fails([]string{
				"Cannot create stashbase_" + c.kind, "The response was lost, so the write may have happened",
				"terraform import stashbase_" + c.kind + ".<name> " + id,
			}, "apply", "-auto-approve")
			proxy.Play(nil)
			if out := in.Apply(); c.kind != "config" && !strings.Contains(out, "already existed") {
				t.Errorf("the apply does not mention the existing object:\n%s", out)
			}
			in.PlansNothing()
			in.Destroy()

			// If only the response is lost, the same apply finds the object.
			proxy.Play(first(tftest.Break))
			in.Apply()
			proxy.Play(nil)
			in.PlansNothing()
			in.Destroy()
		})
	}
}

// The control of this test is TestAnImportedResourcePlansEmpty: without the change, the object is
// exactly as configured.
func TestWhatIsNotExactAndEmptyIsNotTakenOver(t *testing.T) {
	w := newWorld(t, tftest.Tofu(t))
	for _, c := range creations {
		for name, change := range c.differs {
			t.Run(c.kind+" with "+name, func(t *testing.T) {
				in := w.again(t)
				c.before(in)
				c.exists(in)
				change(in)
				address := in.one(c.kind, c.attributes)
				in.Fails([]string{"terraform import stashbase_" + c.kind + ".<name> " + strings.ReplaceAll(c.id, "WORKSPACE", in.workspace)}, "apply", "-auto-approve")
				if state := in.State(address); state != nil {
					t.Errorf("the object is in the state: %v", state)
				}
			})
		}
	}
}

func TestAnImportedResourcePlansEmpty(t *testing.T) {
	w := newWorld(t, tftest.Tofu(t))
	for _, c := range creations {
		t.Run(c.kind, func(t *testing.T) {
			in := w.again(t)
			c.before(in)
			c.exists(in)
			in.Import(in.one(c.kind, c.attributes), strings.ReplaceAll(c.id, "WORKSPACE", in.workspace))
			in.PlansNothing()
		})
	}
	w.write("config", map[string]any{"max_versions": 10}) // the default
}

// A token that may write but not read cannot compare, so the resource adopts nothing.
func TestWithoutTheRightToCompareNothingIsTakenOver(t *testing.T) {
	w := newWorld(t, tftest.Tofu(t))
	w.tree()
	w.secret("VALUE", "", "", false)
	w.Env = append(w.Env, "VAULT_TOKEN="+token(w, `
path "stashbase/secrets/+/+/+/+"  { capabilities = ["create", "update"] }
path "stashbase/metadata/+/+/+/+" { capabilities = ["read"] }`))
	w.configure(secretConfig)
	w.Fails([]string{"The object already exists", "terraform import stashbase_secret.<name> " + w.workspace + "/api/dev/API_KEY"}, "apply", "-auto-approve")
}

func TestALostResponseToAChangeIsShownByTheNextPlan(t *testing.T) {
	w := newWorld(t, tftest.Tofu(t))
	proxy := tftest.NewProxy(t, w.server)
	w.Env = append(w.Env, proxy.Env()...)
	w.configure(treeConfig)
	w.Apply()
	w.configure(strings.Replace(treeConfig, `description      = "first"`, `description = "second"`, 1))
	proxy.Play(writes(tftest.Lose))
	w.Fails([]string{"Cannot update stashbase_workspace", "so the write may have happened. Plan again"}, "apply", "-auto-approve")
	proxy.Play(nil)
	w.holds(w.read("workspaces/"+w.workspace), "description", "second")
	w.PlansNothing()
	proxy.Play(writes(tftest.Lose))
	w.Fails([]string{"Cannot delete stashbase_environment", "so the write may have happened. Plan again"}, "destroy", "-auto-approve")
	proxy.Play(nil)
	w.Destroy()
}
