package resources_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// The derived resources are tested with one provider, with the Vault of this package as its server.
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

		// An import keeps the credential. If someone else then supplies another one, the plan shows
		// it.
		if out, err := w.Try("state", "rm", address); err != nil {
			t.Fatal(out)
		}
		w.Import(address, w.workspace+"/kv")
		w.PlansNothing()
		w.write(path, map[string]any{"token": "theirs"})
		w.PlansOnly(address, "update")
		w.Apply()
		w.holds(w.State(address), "generation", 3)
		w.PlansNothing()

		// Changing a setting that is no endpoint keeps the credential. A setting that is removed is
		// reset to its default.
		w.configure(strings.Replace(integrationConfig, `allowed_targets      = ["secret/*"]`, `description = "new"`, 1))
		w.Apply()
		w.holds(w.read(path), "allowed_targets", "[]")
		w.holds(w.read(path), "generation", 3)
		w.PlansNothing()

		// A different number supplies the credential.
		w.configure(strings.Replace(integrationConfig, "token_wo_version     = 1", "token_wo_version = 2", 1))
		w.Apply()
		w.holds(w.read(path), "generation", 4)

		// If someone else supplies a credential, the plan shows it.
		w.write(path, map[string]any{"token": "theirs"})
		w.PlansOnly(address, "update")
		w.Apply()
		w.holds(w.read(path), "generation", 6)
		w.PlansNothing()

		// A deleted integration is created again.
		w.remove(path, nil)
		w.PlansOnly(address, "create")
		w.Apply()
		w.Destroy()
		if left := w.read(path); left != nil {
			t.Fatal("the integration exists after destroy")
		}
	})
}

func TestACredentialFollowsItsEndpointOrWarns(t *testing.T) {
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

		// With the credential in the configuration, changing the address supplies it again.
		w.configure(moved)
		w.Apply()
		w.holds(w.read(path), "state", "ready")
		w.holds(w.read(path), "generation", 2)

		// Without it, plan and apply warn that the credential will be unreadable.
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

		// After it is supplied again, the state is ready.
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
