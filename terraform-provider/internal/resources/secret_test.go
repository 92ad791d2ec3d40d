package resources_test

import (
	"encoding/json"
	"strings"
	"testing"
)

const secretConfig = `
resource "stashbase_secret" "it" {
  workspace        = "WORKSPACE"
  project          = "api"
  environment      = "dev"
  name             = "API_KEY"
  value_wo         = "VALUE"
  value_wo_version = 1
}
`

func TestASecretIsWrittenRepairedAndDeleted(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		const address = "stashbase_secret.it"
		path := w.workspace + "/api/dev/API_KEY"
		w.configure(secretConfig)
		w.Apply()
		w.holds(w.read("secrets/"+path), "value", "VALUE")
		w.holds(w.State(address), "version", json.Number("1"))
		w.PlansNothing()

		// Someone else writes: the plan shows it, and the apply writes the value again.
		w.write("secrets/"+path, map[string]any{"value": "theirs"})
		w.PlansOnly(address, "update")
		w.Apply()
		w.holds(w.read("secrets/"+path), "value", "VALUE")
		w.holds(w.read("secrets/"+path), "version", 3)
		w.PlansNothing()

		// A secret that was deleted elsewhere is written again, as the next version.
		w.remove("secrets/"+path, nil)
		w.PlansOnly(address, "create")
		w.Apply()
		w.holds(w.read("secrets/"+path), "version", 4)
		w.PlansNothing()

		// A secret that was removed with all its versions is written again too.
		w.remove("metadata/"+path, nil)
		w.Apply()
		w.holds(w.read("secrets/"+path), "value", "VALUE")

		w.Destroy()
		if left := w.read("secrets/" + path); left["value"] != nil {
			t.Fatal("the secret exists after destroy")
		}
		w.holds(w.read("metadata/"+path), "state", "deleted")
	})
}

func TestASecretChangesWhenItsVersionNumberDoes(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		path := "secrets/" + w.workspace + "/api/dev/API_KEY"
		config := func(value, version, more string) {
			text := strings.Replace(secretConfig, `"VALUE"`, `"`+value+`"`, 1)
			text = strings.Replace(text, "value_wo_version = 1", "value_wo_version = "+version+"\n"+more, 1)
			w.configure(text)
		}
		config("one", "7", "")
		w.Apply()
		config("two", "7", "")
		w.PlansNothing()
		// A smaller number is a different number.
		config("two", "3", `comment = "why"`)
		w.PlansOnly("stashbase_secret.it", "update")
		w.Apply()
		w.holds(w.read(path), "value", "two")
		w.holds(w.read(path), "comment", "why")

		// Tags are metadata: a change writes no version.
		config("two", "3", `tags = ["b", "a"]`)
		w.Apply()
		w.holds(w.read(path), "tags", "[a b]")
		w.holds(w.read(path), "version", 2)
		w.PlansNothing()
		w.write("metadata/"+w.workspace+"/api/dev/API_KEY", map[string]any{"tags": "theirs"})
		w.PlansOnly("stashbase_secret.it", "update")
		w.Apply()
		w.holds(w.read(path), "tags", "[a b]")

		// From a write-only value to a value in the state, and back.
		plain := `resource "stashbase_secret" "it" {
  workspace = "WORKSPACE"
  project = "api"
  environment = "dev"
  name = "API_KEY"
  value = "$${USER}"
  references = true
}`
		w.write("secrets/"+w.workspace+"/api/dev/USER", map[string]any{"value": "someone"})
		w.configure(plain)
		w.Apply()
		w.holds(w.State("stashbase_secret.it"), "value", "${USER}")
		w.holds(w.read("load/"+w.workspace+"/api/dev"), "API_KEY", "someone")
		w.PlansNothing()
		config("two", "3", "")
		w.Apply()
		w.holds(w.read(path), "value", "two")
		w.PlansNothing()
	})
}

func TestWhatIsDoneAboutDriftIsChosen(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		path := "secrets/" + w.workspace + "/api/dev/API_KEY"
		config := func(choice string) {
			w.configure(strings.Replace(secretConfig, "value_wo_version = 1", "value_wo_version = 1\n"+`on_drift = "`+choice+`"`, 1))
		}
		config("ignore")
		w.Apply()
		w.write(path, map[string]any{"value": "theirs"})
		w.PlansNothing()
		config("error")
		w.Fails([]string{"Version 2 was written by someone else; this resource last wrote version 1", `on_drift = "error"`}, "plan")
		w.holds(w.read(path), "value", "theirs")
		config("overwrite")
		w.Apply()
		w.holds(w.read(path), "value", "VALUE")
	})
}

func TestASecretWhoseValueIsSetElsewhere(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		const address = "stashbase_secret.it"
		path := w.workspace + "/api/dev/API_KEY"
		w.configure(`resource "stashbase_secret" "it" {
  workspace = "WORKSPACE"
  project = "api"
  environment = "dev"
  name = "API_KEY"
  tags = ["ours"]
}`)
		w.Apply()
		w.holds(w.State(address), "version", 0)
		w.PlansNothing()
		w.write("secrets/"+path, map[string]any{"value": "theirs"})
		w.PlansOnly(address, "update")
		w.Apply()
		w.holds(w.State(address), "version", 1)
		w.holds(w.read("secrets/"+path), "tags", "[ours]")
		w.write("secrets/"+path, map[string]any{"value": "theirs again"})
		w.PlansNothing()
		w.Destroy()
		w.holds(w.read("secrets/"+path), "value", "theirs again")
	})
}

func TestASecretIsPurgedOnDestroy(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		w.configure(strings.Replace(secretConfig, "value_wo_version = 1", "value_wo_version = 1\n"+`on_destroy = "purge"`, 1))
		w.Apply()
		w.Destroy()
		if left := w.read("metadata/" + w.workspace + "/api/dev/API_KEY"); left != nil {
			t.Fatalf("the secret exists after destroy: %v", left)
		}
		// The name can be used again.
		w.Apply()
		w.holds(w.read("secrets/"+w.workspace+"/api/dev/API_KEY"), "value", "VALUE")
	})
}

func TestASecretOfSomebodyElseIsNotOverwrittenButImported(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		path := w.workspace + "/api/dev/API_KEY"
		w.write("secrets/"+path, map[string]any{"value": "theirs"})
		w.configure(secretConfig)
		w.Fails([]string{"The object already exists", "terraform import stashbase_secret.<name> " + path}, "apply", "-auto-approve")
		w.holds(w.read("secrets/"+path), "value", "theirs")

		w.Fails([]string{"an id is <workspace>/<project>/<environment>/<name>"}, "import", "stashbase_secret.it", w.workspace+"/api")
		w.Import("stashbase_secret.it", path)
		state := w.State("stashbase_secret.it")
		w.holds(state, "version", 1)
		w.holds(state, "value", nil) // an import puts no value into the state
		w.PlansNothing()
		w.holds(w.read("secrets/"+path), "value", "theirs")

		// A different number sends the value.
		w.configure(strings.Replace(secretConfig, "value_wo_version = 1", "value_wo_version = 2", 1))
		w.PlansOnly("stashbase_secret.it", "update")
		w.Apply()
		w.holds(w.read("secrets/"+path), "value", "VALUE")
		w.PlansNothing()
	})
}

// An import records the version that it finds. Later versions of others are drift, as after a
// write.
func TestAnImportedSecretIsRepairedAndNotDeletedUnasked(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		path := w.workspace + "/api/dev/API_KEY"
		w.write("secrets/"+path, map[string]any{"value": "first", "tags": "a,b", "comment": "theirs"})
		w.configure(secretConfig)
		w.Import("stashbase_secret.it", path)
		w.PlansNothing() // although the configuration has neither tags nor a comment
		if out := w.Destroy(); !strings.Contains(out, "The secret was not deleted") {
			t.Error(out)
		}
		w.holds(w.read("secrets/"+path), "value", "first")

		w.Import("stashbase_secret.it", path)
		w.write("secrets/"+path, map[string]any{"value": "theirs", "comment": "theirs"})
		w.PlansOnly("stashbase_secret.it", "update")
		w.Apply()
		w.holds(w.read("secrets/"+path), "value", "VALUE")
		w.holds(w.read("secrets/"+path), "comment", "")
		w.holds(w.read("secrets/"+path), "tags", "[a b]")
		w.PlansNothing()
		w.Destroy()
		w.holds(w.read("metadata/"+path), "state", "deleted")

		// One whose value is set elsewhere, with references, is imported without a change too.
		w.write("secrets/"+path, map[string]any{"value": "plain", "references": true})
		w.configure(`resource "stashbase_secret" "it" {
  workspace  = "WORKSPACE"
  project    = "api"
  environment = "dev"
  name       = "API_KEY"
  references = true
}`)
		w.Import("stashbase_secret.it", path)
		w.PlansNothing()
		w.remove("secrets/"+path, nil)
		w.PlansOnly("stashbase_secret.it", "create")
	})
}

func TestAWriteBetweenPlanAndApplyIsNotOverwritten(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		path := "secrets/" + w.workspace + "/api/dev/API_KEY"
		w.configure(secretConfig)
		w.Apply()
		w.configure(strings.Replace(secretConfig, "value_wo_version = 1", "value_wo_version = 2", 1))
		w.Plan()
		w.write(path, map[string]any{"value": "theirs"})
		w.Fails([]string{"Cannot update stashbase_secret", "plan again"}, "apply", "planned")
		w.holds(w.read(path), "value", "theirs")
	})
}

func TestAValueIsGivenInOneWay(t *testing.T) {
	each(t, func(w *world) {
		w.configure(strings.Replace(secretConfig, "value_wo_version = 1", "value_wo_version = 1\n"+`value = "VALUE"`, 1))
		w.Fails([]string{`with stashbase_secret.it`, `Attribute "value" cannot be specified when "value_wo" is specified`}, "validate")
		w.configure(strings.Replace(secretConfig, "value_wo_version = 1", "", 1))
		w.Fails([]string{`Attribute "value_wo_version" must be specified when "value_wo" is specified`}, "validate")
		w.configure(strings.Replace(secretConfig, "value_wo_version = 1", "value_wo_version = 1\n"+`on_drift = "perhaps"`, 1))
		w.Fails([]string{`on_drift = "perhaps"`, `"overwrite" "ignore" "error"`}, "validate")
	})
}
