package resources_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// What derives from the providers' declarations is shown here with one of them, on the Vault of this package.
const integrationConfig = `
resource "stashbase_integration_vault" "it" {
  workspace            = "WORKSPACE"
  name                 = "kv"
  address              = "https://vault.acme.example:8200"
  namespace            = "team"
  token_wo             = "TOKEN"
  token_wo_version     = 1
  allowed_environments = ["api/*"]
  allowed_targets      = ["secret/*"]
}
`

func TestAnIntegrationIsMadeChangedAndDestroyed(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		const address = "stashbase_integration_vault.it"
		path := "integrations/" + w.workspace + "/vault/kv"
		w.configure(integrationConfig)
		w.Apply()
		w.holds(w.read(path), "address", "https://vault.acme.example:8200")
		w.holds(w.read(path), "namespace", "team")
		w.holds(w.read(path), "token_set", true)
		w.holds(w.read(path), "allowed_environments", "[api/*]")
		w.holds(w.State(address), "generation", json.Number("1"))
		w.PlansNothing()

		// Imported, all is known but the credential, which is supplied again.
		if out, err := w.Try("state", "rm", address); err != nil {
			t.Fatal(out)
		}
		w.Import(address, w.workspace+"/kv")
		w.Apply()
		w.holds(w.State(address), "generation", 2)
		w.PlansNothing()

		// A setting that is no endpoint leaves the credential alone; left out, it is back at its default.
		w.configure(strings.Replace(integrationConfig, `allowed_targets      = ["secret/*"]`, `description = "new"`, 1))
		w.Apply()
		w.holds(w.read(path), "allowed_targets", "[]")
		w.holds(w.read(path), "generation", 2)
		w.PlansNothing()

		// Another number supplies the credential.
		w.configure(strings.Replace(integrationConfig, "token_wo_version     = 1", "token_wo_version = 2", 1))
		w.Apply()
		w.holds(w.read(path), "generation", 3)

		// So does somebody else: the plan shows it.
		w.write(path, map[string]any{"token": "theirs"})
		w.PlansOnly(address, "update")
		w.Apply()
		w.holds(w.read(path), "generation", 5)
		w.PlansNothing()

		// Gone, it is made anew.
		w.remove(path, nil)
		w.PlansOnly(address, "create")
		w.Apply()
		w.Destroy()
		if left := w.read(path); left != nil {
			t.Fatal("the integration is there after destroy")
		}
	})
}

func TestACredentialFollowsItsEndpointOrSaysThatItDoesNot(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		const address = "stashbase_integration_vault.it"
		path := "integrations/" + w.workspace + "/vault/kv"
		moved := strings.Replace(integrationConfig, "vault.acme.example", "vault2.acme.example", 1)
		without := func(text string) string {
			return strings.NewReplacer(`token_wo             = "TOKEN"`, "", "token_wo_version     = 1", "").Replace(text)
		}
		w.configure(integrationConfig)
		w.Apply()

		// With the credential in the configuration, a changed address supplies it again.
		w.configure(moved)
		w.Apply()
		w.holds(w.read(path), "state", "ready")
		w.holds(w.read(path), "generation", 2)

		// Without it, plan and apply say that it will be unreadable.
		w.configure(without(moved))
		w.Apply()
		w.configure(without(integrationConfig))
		if plan := w.Plan(); !strings.Contains(plan.Text, "The credential will be unreadable") || !strings.Contains(plan.Text, "token_wo and token_wo_version") {
			t.Fatal(plan.Text)
		}
		if out := w.Apply(); !strings.Contains(out, "The credential is unreadable") {
			t.Fatal(out)
		}
		w.holds(w.State(address), "state", "unreadable")
		if plan := w.Plan(); len(plan.Changes) > 0 || !strings.Contains(plan.Text, "The credential is unreadable") {
			t.Fatal(plan.Text)
		}

		// Supplied again, it is ready.
		w.configure(integrationConfig)
		w.Apply()
		w.holds(w.State(address), "state", "ready")
		w.PlansNothing()
	})
}

func TestAnIntegrationIsCheckedByTheProvidersOwnRules(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		w.configure(strings.Replace(integrationConfig, "https://vault.acme.example:8200", "https://user@vault.acme.example", 1))
		w.Fails([]string{`address`, "must be a URL such as", "without user name"}, "validate")
		w.configure(strings.NewReplacer(`token_wo             = "TOKEN"`, "", "token_wo_version     = 1", "").Replace(integrationConfig))
		w.Fails([]string{"Cannot create stashbase_integration_vault", "token"}, "apply", "-auto-approve")
	})
}
