package resources_test

import (
	"strings"
	"testing"
)

const secretsConfig = `
resource "stashbase_secrets" "it" {
  workspace         = "WORKSPACE"
  project           = "api"
  environment       = "dev"
  values_wo         = { A = "a", B = "b", C = "c" }
  values_wo_version = 1
}
`

func TestManySecretsAreWrittenAndRepairedByName(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		const address = "stashbase_secrets.it"
		environment := w.workspace + "/api/dev"
		w.write("secrets/"+environment+"/OTHER", map[string]any{"value": "theirs"})
		w.configure(secretsConfig)
		w.Apply()
		w.holds(w.read("load/"+environment), "B", "b")
		w.holds(w.State(address), "versions", "map[A:1 B:1 C:1]")
		w.PlansNothing()

		// One was changed and one deleted elsewhere. Those two are written again, the third is not.
		w.write("secrets/"+environment+"/A", map[string]any{"value": "theirs"})
		w.remove("secrets/"+environment+"/B", nil)
		w.PlansOnly(address, "update")
		w.Apply()
		w.holds(w.read("load/"+environment), "A", "a")
		w.holds(w.read("load/"+environment), "B", "b")
		w.holds(w.State(address), "versions", "map[A:3 B:2 C:1]")
		w.PlansNothing()

		// One name is added and one removed. A changed value alone has no effect until the number
		// changes.
		w.configure(strings.Replace(secretsConfig, `A = "a", B = "b", C = "c"`, `A = "new", B = "b", D = "d"`, 1))
		w.Apply()
		w.holds(w.read("load/"+environment), "A", "a")
		w.holds(w.read("load/"+environment), "C", nil)
		w.holds(w.State(address), "versions", "map[A:3 B:2 D:1]")
		w.configure(strings.Replace(strings.Replace(secretsConfig, `A = "a", B = "b", C = "c"`, `A = "new", B = "b", D = "d"`, 1), "version = 1", "version = 2", 1))
		w.Apply()
		w.holds(w.read("load/"+environment), "A", "new")
		w.holds(w.State(address), "versions", "map[A:4 B:2 D:1]") // an unchanged value gets no new version
		w.PlansNothing()

		w.Destroy()
		w.holds(w.read("load/"+environment), "OTHER", "theirs")
		if left := w.read("load/" + environment); len(left) != 1 {
			t.Fatalf("%d secrets exist after destroy", len(left))
		}
	})
}

func TestManySecretsTakeOverOnlyAfterAnImport(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		environment := w.workspace + "/api/dev"
		w.write("secrets/"+environment+"/A", map[string]any{"value": "theirs"})
		w.write("secrets/"+environment+"/OTHER", map[string]any{"value": "theirs"})
		w.configure(secretsConfig)
		w.Fails([]string{"not managed here: A", "terraform import stashbase_secrets.<name> " + environment}, "apply", "-auto-approve")
		w.Import("stashbase_secrets.it", environment)
		w.PlansOnly("stashbase_secrets.it", "update") // B and C are new
		w.Apply()
		w.holds(w.read("load/"+environment), "A", "theirs")
		w.holds(w.read("load/"+environment), "B", "b")
		w.holds(w.read("load/"+environment), "OTHER", "theirs")
		w.PlansNothing()

		// A different number sends all values.
		w.configure(strings.Replace(secretsConfig, "version = 1", "version = 2", 1))
		w.Apply()
		w.holds(w.read("load/"+environment), "A", "a")
		w.Destroy()
		w.holds(w.read("load/"+environment), "OTHER", "theirs")
		if left := w.read("load/" + environment); len(left) != 1 {
			t.Fatalf("%d secrets exist after destroy", len(left))
		}
	})
}

// An import does not see the configuration. Until the first write, nothing shows which secrets of
// the environment belong to the resource.
func TestImportedSecretsAreNotDeletedUnasked(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		environment := w.workspace + "/api/dev"
		w.write("import/"+environment, map[string]any{"secrets": map[string]any{"A": "a", "B": "b", "C": "c"}})
		w.configure(secretsConfig)
		w.Import("stashbase_secrets.it", environment)
		w.PlansNothing()
		if out := w.Destroy(); !strings.Contains(out, "No secret was deleted") {
			t.Error(out)
		}
		w.holds(w.read("load/"+environment), "A", "a")

		// Drift of the configured secrets is repaired, and a name that is left out stays.
		w.Import("stashbase_secrets.it", environment)
		w.write("secrets/"+environment+"/B", map[string]any{"value": "theirs"})
		w.configure(strings.Replace(secretsConfig, `A = "a", B = "b", C = "c"`, `A = "a", B = "b"`, 1))
		w.PlansOnly("stashbase_secrets.it", "update")
		w.Apply()
		w.holds(w.read("load/"+environment), "B", "b")
		w.holds(w.read("load/"+environment), "C", "c")
		w.holds(w.State("stashbase_secrets.it"), "versions", "map[A:1 B:3]")
		w.PlansNothing()
	})
}

func TestManySecretsCanLeaveDriftAloneOrFail(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		environment := w.workspace + "/api/dev"
		w.configure(strings.Replace(secretsConfig, "version = 1", "version = 1\n"+`on_drift = "ignore"`, 1))
		w.Apply()
		w.write("secrets/"+environment+"/A", map[string]any{"value": "theirs"})
		w.PlansNothing()
		w.configure(strings.Replace(secretsConfig, "version = 1", "version = 1\n"+`on_drift = "error"`, 1))
		w.Fails([]string{"Someone else wrote newer versions of: A."}, "plan")
	})
}

func TestAWriteToOneOfManyBetweenPlanAndApplyIsNotOverwritten(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		environment := w.workspace + "/api/dev"
		w.write("workspaces/"+w.workspace, map[string]any{"cas_required": true})
		w.configure(secretsConfig)
		w.Apply()
		w.configure(strings.Replace(strings.Replace(secretsConfig, `A = "a"`, `A = "new"`, 1), "version = 1", "version = 2", 1))
		w.Plan()
		w.write("secrets/"+environment+"/A", map[string]any{"value": "theirs", "cas": 1})
		w.Fails([]string{"Cannot update stashbase_secrets", "plan again"}, "apply", "planned")
		w.holds(w.read("load/"+environment), "A", "theirs")
		w.Apply()
		w.holds(w.read("load/"+environment), "A", "new")
		w.PlansNothing()
	})
}

func TestNamesOfSecretsAreCheckedInThePlan(t *testing.T) {
	each(t, func(w *world) {
		w.configure(strings.Replace(secretsConfig, `A = "a"`, `"A B" = "a"`, 1))
		w.Fails([]string{"values_wo", "beginning with a letter"}, "validate")
	})
}
