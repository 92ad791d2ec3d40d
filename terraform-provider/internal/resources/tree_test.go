package resources_test

import (
	"strings"
	"testing"
)

const treeConfig = `
resource "stashbase_workspace" "it" {
  name             = "WORKSPACE"
  description      = "first"
  metadata         = { owner = "payments" }
  deletion_allowed = true
  max_versions     = 5
}

resource "stashbase_project" "it" {
  workspace   = stashbase_workspace.it.name
  name        = "api"
  description = "first"
}

resource "stashbase_environment" "base" {
  workspace = stashbase_project.it.workspace
  project   = stashbase_project.it.name
  name      = "shared"
  shared_with = ["api/*"]
}

resource "stashbase_environment" "it" {
  workspace   = stashbase_project.it.workspace
  project     = stashbase_project.it.name
  name        = "prod"
  description = "first"
  base        = stashbase_environment.base.name
  shared_with = ["api/dev"]
}
`

func TestATreeIsMadeImportedChangedAndDestroyed(t *testing.T) {
	each(t, func(w *world) {
		w.configure(treeConfig)
		w.Apply()
		w.holds(w.read("workspaces/"+w.workspace), "max_versions", 5)
		w.holds(w.read("workspaces/"+w.workspace), "metadata", "map[owner:payments]")
		w.holds(w.read("projects/"+w.workspace+"/api"), "description", "first")
		w.holds(w.read("environments/"+w.workspace+"/api/prod"), "base", "api/shared")
		w.PlansNothing()

		// An import restores all attributes: the plan after it is empty.
		for address, id := range map[string]string{
			"stashbase_workspace.it":   w.workspace,
			"stashbase_project.it":     w.workspace + "/api",
			"stashbase_environment.it": w.workspace + "/api/prod",
		} {
			w.holds(w.State(address), "id", id)
			if out, err := w.Try("state", "rm", address); err != nil {
				t.Fatal(out)
			}
			w.Import(address, id)
		}
		w.PlansNothing()

		w.configure(strings.ReplaceAll(strings.ReplaceAll(treeConfig, `"first"`, `"second"`), `shared_with = ["api/dev"]`, "production = true"))
		if plan := w.Plan(); len(plan.Changes) != 3 {
			t.Fatalf("planned: %v", plan.Changes)
		}
		w.Apply()
		w.holds(w.read("workspaces/"+w.workspace), "description", "second")
		w.holds(w.read("environments/"+w.workspace+"/api/prod"), "production", true)
		w.holds(w.read("environments/"+w.workspace+"/api/prod"), "shared_with", "[]") // back to the default
		w.PlansNothing()

		// Someone else changes the project.
		w.write("projects/"+w.workspace+"/api", map[string]any{"description": "theirs"})
		w.PlansOnly("stashbase_project.it", "update")
		w.Apply()
		w.holds(w.read("projects/"+w.workspace+"/api"), "description", "second")

		// A production environment is protected until deletion_allowed is set.
		w.Fails([]string{"deletion_allowed", "production environment"}, "destroy", "-auto-approve")
		w.write("environments/"+w.workspace+"/api/prod", map[string]any{"deletion_allowed": true, "production": false})
		w.Destroy()
		if left := w.read("workspaces/" + w.workspace); left != nil {
			t.Fatalf("the workspace exists after destroy: %v", left)
		}
	})
}

func TestWhatIsGoneIsRecreatedOrForgotten(t *testing.T) {
	each(t, func(w *world) {
		w.configure(treeConfig)
		w.Apply()
		w.remove("workspaces/"+w.workspace, map[string][]string{"confirm": {w.workspace}})
		if plan := w.Plan(); len(plan.Changes) != 4 {
			t.Fatalf("planned: %v", plan.Changes)
		}
		w.Destroy()
		w.Apply()
		w.PlansNothing()
		w.Destroy()
	})
}

func TestWhatIsNotManagedHereIsNotDestroyed(t *testing.T) {
	each(t, func(w *world) {
		w.configure(treeConfig)
		w.Apply()
		w.write("secrets/"+w.workspace+"/api/prod/THEIRS", map[string]any{"value": "theirs"})
		w.Fails([]string{"secrets that are not managed here: THEIRS", "force_destroy = true"}, "destroy", "-auto-approve")
		w.holds(w.read("secrets/"+w.workspace+"/api/prod/THEIRS"), "value", "theirs")

		w.configure(strings.Replace(treeConfig, `shared_with = ["api/dev"]`, "force_destroy = true", 1))
		w.Apply()
		w.Destroy()
	})
}

func TestAnExistingWorkspaceIsNotTakenOver(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		w.configure(treeConfig)
		w.Fails([]string{"The object already exists", "terraform import stashbase_workspace.<name> " + w.workspace}, "apply", "-auto-approve")
		w.holds(w.read("workspaces/"+w.workspace), "description", "")
	})
}

// A rename replaces the object. What that destroys must not be a surprise.
func TestARenameThatDestroysSecretsWarnsInThePlan(t *testing.T) {
	each(t, func(w *world) {
		w.configure(treeConfig + secretInProd)
		w.Apply()
		w.PlansNothing()
		for _, c := range []struct{ from, to, address, says string }{
			{`"prod"`, `"live"`, "stashbase_environment.it", `The environment "` + w.workspace + `/api/prod" will be destroyed, not renamed`},
			{`"WORKSPACE"`, `"WORKSPACE-2"`, "stashbase_workspace.it", `The workspace "` + w.workspace + `" will be destroyed, not renamed`},
		} {
			w.configure(strings.Replace(treeConfig, c.from, c.to, 1) + secretInProd)
			plan := w.Plan()
			if !strings.Contains(plan.Text, c.says) || len(plan.Changes[c.address]) != 2 {
				t.Errorf("the plan has %v and lacks %q:\n%s", plan.Changes, c.says, plan.Text)
			}
			if c.address == "stashbase_environment.it" && !strings.Contains(plan.Text, "It contains 1 secret,") {
				t.Errorf("the plan does not count the secrets:\n%s", plan.Text)
			}
		}
		w.configure(treeConfig + secretInProd)
		w.Destroy()
	})
}

const secretInProd = `
resource "stashbase_secret" "it" {
  workspace        = stashbase_environment.it.workspace
  project          = stashbase_environment.it.project
  environment      = stashbase_environment.it.name
  name             = "API_KEY"
  value_wo         = "VALUE"
  value_wo_version = 1
}
`

func TestABadNameIsShownAtItsAttribute(t *testing.T) {
	each(t, func(w *world) {
		w.configure(strings.Replace(treeConfig, `name             = "WORKSPACE"`, `name = "Bad Name"`, 1))
		w.Fails([]string{`with stashbase_workspace.it`, `name = "Bad Name"`, "1 to 64 characters"}, "validate")
	})
}
