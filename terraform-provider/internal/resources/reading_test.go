package resources_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

func TestAnEnvironmentIsLoadedIntoAnotherWriteOnlyValue(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		w.write("environments/"+w.workspace+"/api/copy", nil)
		// The same apply creates the secret: `after` delays the ephemeral resource until then.
		config := secretConfig + `
ephemeral "stashbase_environment" "it" {
  workspace   = "WORKSPACE"
  project     = "api"
  environment = "dev"
  include     = ["API_*"]
  after       = [stashbase_secret.it.version]
}

resource "stashbase_secrets" "copy" {
  workspace         = "WORKSPACE"
  project           = "api"
  environment       = "copy"
  values_wo         = { COPY = ephemeral.stashbase_environment.it.values["API_KEY"] }
  values_wo_version = stashbase_secret.it.version
}
`
		w.configure(config)
		w.Apply()
		w.holds(w.read("load/"+w.workspace+"/api/copy"), "COPY", "VALUE")
		w.PlansNothing()
		w.configure(strings.Replace(config, `environment = "dev"
  include`, `environment = "nowhere"
  include`, 1))
		w.Fails([]string{"Cannot load environment " + w.workspace + "/api/nowhere", "in `after` of this ephemeral resource"}, "plan")
	})
}

func TestMetadataHaveVersionsAndNoValues(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		w.write("secrets/"+w.workspace+"/api/dev/A", map[string]any{"value": "not to be seen", "tags": "x"})
		w.configure(`
data "stashbase_environment_metadata" "it" {
  workspace   = "WORKSPACE"
  project     = "api"
  environment = "dev"
}
output "secrets" { value = jsonencode(data.stashbase_environment_metadata.it.secrets) }
`)
		w.Apply()
		var secrets map[string]map[string]any
		if err := json.Unmarshal([]byte(w.Output("secrets")), &secrets); err != nil {
			t.Fatal(err)
		}
		w.holds(secrets["A"], "version", 1)
		w.holds(secrets["A"], "state", "live")
		w.holds(secrets["A"], "tags", "[x]")
		if strings.Contains(w.Output("secrets"), "not to be seen") {
			t.Fatal("the metadata contains a value")
		}
	})
}

func TestAPolicyIsTheEngines(t *testing.T) {
	each(t, func(w *world) {
		config := `
data "stashbase_policy" "it" {
  role        = "workload"
  workspace   = "WORKSPACE"
  project     = "api"
  environment = "dev"
}
output "policy" { value = data.stashbase_policy.it.policy }
`
		w.configure(config)
		w.Apply()
		if got := w.Output("policy"); !strings.Contains(got, "stashbase/load/"+w.workspace+"/api/dev") {
			t.Fatal(got)
		}
		w.configure(strings.Replace(config, `workspace   = "WORKSPACE"`, "", 1))
		w.Fails([]string{"workspace: the role workload requires it"}, "plan")
	})
}

// One request for an environment's metadata refreshes all its secrets. Without that, a plan of many
// secrets costs one request each.
func TestARefreshAsksOnceForEachEnvironment(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		w.configure(`
resource "stashbase_secret" "it" {
  count            = 20
  workspace        = "WORKSPACE"
  project          = "api"
  environment      = "dev"
  name             = "KEY_${count.index}"
  value_wo         = "VALUE"
  value_wo_version = 1
}`)
		w.Apply()
		before := len(w.server.AuditLog())
		w.PlansNothing()
		asked := vaulttest.Requests(t, w.server.AuditLog()[before:], "stashbase/metadata/"+w.workspace)
		if len(asked) != 1 {
			t.Errorf("the plan made %d requests: %v", len(asked), asked)
		}

		// A token that may read only single secrets works too.
		w.Env = append(w.Env, "VAULT_TOKEN="+token(w, `path "stashbase/metadata/+/+/+/+" { capabilities = ["read"] }`))
		before = len(w.server.AuditLog())
		w.PlansNothing()
		if asked := vaulttest.Requests(t, w.server.AuditLog()[before:], "stashbase/metadata/"+w.workspace); len(asked) != 21 {
			t.Errorf("the plan made %d requests: %v", len(asked), asked)
		}
	})
}

func TestAMissingRightIsNamed(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		w.configure(secretConfig)
		w.Env = append(w.Env, "VAULT_TOKEN="+token(w, `path "nothing" { capabilities = ["read"] }`))
		path := "stashbase/secrets/" + w.workspace + "/api/dev/API_KEY"
		w.Fails([]string{fmt.Sprintf(`path %q { capabilities = ["create", "update"] }`, path)}, "apply", "-auto-approve")

		// A missing permission does not prove that the object is gone, so the resource stays in the
		// state.
		w.Env = w.Env[:len(w.Env)-1]
		w.Apply()
		w.Env = append(w.Env, "VAULT_TOKEN="+token(w, `path "nothing" { capabilities = ["read"] }`))
		w.Fails([]string{`capabilities = ["read"]`}, "plan")
		w.holds(w.State("stashbase_secret.it"), "version", 1)
	})
}

// The guide promises that these policies are enough. The provider may make requests that a person
// would not make.
func TestTheReadyPoliciesAreEnough(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		_, fill := w.destination()
		policy := ""
		for _, role := range []string{"workspace-admin", "integration-admin", "sync-operator"} {
			names := map[string][]string{"workspace": {w.workspace}}
			if role == "sync-operator" {
				names["project"], names["environment"] = []string{"web"}, []string{"live"}
			}
			read, err := w.vault.Logical().ReadWithData("stashbase/policies/"+role, names)
			if err != nil {
				t.Fatal(err)
			}
			policy += fmt.Sprint(read.Data["policy"], "\n")
		}
		w.Env = append(w.Env, "VAULT_TOKEN="+token(w, policy))
		below := strings.NewReplacer(`project     = "api"`, "project = stashbase_environment.it.project", `environment = "dev"`, "environment = stashbase_environment.it.name",
			`project          = "api"`, "project = stashbase_environment.it.project", `environment      = "dev"`, "environment = stashbase_environment.it.name").Replace(fill(syncConfig))
		w.configure(`
resource "stashbase_project" "it" {
  workspace = "WORKSPACE"
  name      = "web"
}
resource "stashbase_environment" "it" {
  workspace = "WORKSPACE"
  project   = stashbase_project.it.name
  name      = "live"
}
resource "stashbase_secrets" "it" {
  workspace         = "WORKSPACE"
  project           = stashbase_environment.it.project
  environment       = stashbase_environment.it.name
  values_wo         = { MORE = "more" }
  values_wo_version = 1
}
` + strings.Replace(below, `  workspace    = "WORKSPACE"
  project      = "api"
  environment  = "dev"`, `  workspace    = "WORKSPACE"
  project      = "web"
  environment  = "live"`, 1))
		w.Apply()
		w.PlansNothing()
		w.Destroy()
	})
}

func TestAMountThatIsMissingIsNamed(t *testing.T) {
	each(t, func(w *world) {
		w.configure("provider \"stashbase\" {\n  mount = \"elsewhere\"\n}\n" + treeConfig)
		w.Fails([]string{"Nothing is mounted at elsewhere/", "vault secrets enable -path=elsewhere"}, "apply", "-auto-approve")
	})
}

// When a mount is removed, everything in it is gone. What the mount contained can be planned again,
// and destroyed.
func TestWhatWentWithItsMountIsGone(t *testing.T) {
	each(t, func(w *world) {
		mounted, err := w.vault.Sys().GetMount(vaulttest.MountPath)
		if err != nil {
			t.Fatal(err)
		}
		second := "second-" + w.workspace
		mount := func() {
			err := w.vault.Sys().Mount(second, &api.MountInput{Type: mounted.Type, Config: api.MountConfigInput{PluginVersion: mounted.PluginVersion}})
			if err != nil {
				t.Fatal(err)
			}
		}
		mount()
		w.configure("provider \"stashbase\" {\n  mount = \"" + second + "\"\n}\n" + treeConfig)
		w.Apply()
		if err := w.vault.Sys().Unmount(second); err != nil {
			t.Fatal(err)
		}
		if plan := w.Plan(); len(plan.Changes) != 4 || !strings.Contains(plan.Text, "Nothing is mounted at "+second+"/") {
			t.Fatalf("the plan has %v\n%s", plan.Changes, plan.Text)
		}
		mount()
		w.Apply()
		w.PlansNothing()
		if err := w.vault.Sys().Unmount(second); err != nil {
			t.Fatal(err)
		}
		if out, err := w.Try("destroy", "-auto-approve", "-refresh=false", "-no-color"); err != nil {
			t.Fatal(out)
		}
	})
}

func TestTheProviderNeedsNoVaultBeforeItsConfigurationIsKnown(t *testing.T) {
	each(t, func(w *world) {
		config := `
resource "terraform_data" "address" { input = "ADDRESS" }
provider "stashbase" { address = terraform_data.address.output }
` + treeConfig
		w.configure(strings.Replace(config, "ADDRESS", w.server.Address(), 1))
		w.Env = append(w.Env, "VAULT_ADDR=http://127.0.0.1:1")
		w.Apply()
		w.holds(w.read("projects/"+w.workspace+"/api"), "description", "first")
		w.Destroy()
	})
}

func TestALoginEndsWithTheRun(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		mount := "userpass-" + w.workspace
		if err := w.vault.Sys().EnableAuthWithOptions(mount, &api.EnableAuthOptions{Type: "userpass"}); err != nil {
			t.Fatal(err)
		}
		if err := w.vault.Sys().PutPolicy(mount, `path "stashbase/*" { capabilities = ["create", "read", "update", "patch", "delete", "list"] }`); err != nil {
			t.Fatal(err)
		}
		if _, err := w.vault.Logical().Write("auth/"+mount+"/users/ada", map[string]any{"password": "made-up", "policies": mount}); err != nil {
			t.Fatal(err)
		}
		before := accessors(w)
		w.Env = append(w.Env, "VAULT_TOKEN=", "TERRAFORM_VAULT_PASSWORD=made-up")
		w.configure("provider \"stashbase\" {\n  auth_login_userpass {\n    mount    = \"" + mount + "\"\n    username = \"ada\"\n  }\n}\n" + secretConfig)
		w.Apply()
		w.holds(w.read("secrets/"+w.workspace+"/api/dev/API_KEY"), "value", "VALUE")
		w.server.Eventually(t, time.Minute, "the revocation of the login", func(context.Context) error {
			if now := accessors(w); now != before {
				return fmt.Errorf("there are %d tokens, want %d", now, before)
			}
			return nil
		})
		if logins := vaulttest.Requests(t, w.server.AuditLog(), "auth/"+mount+"/login/ada"); len(logins) == 0 {
			t.Error("found no login, so nothing is tested")
		}
	})
}

// accessors returns the number of tokens in Vault.
func accessors(w *world) int {
	w.Helper()
	listed, err := w.vault.Logical().List("auth/token/accessors")
	if err != nil {
		w.Fatal(err)
	}
	keys, _ := listed.Data["keys"].([]any)
	return len(keys)
}

func token(w *world, policy string) string {
	w.Helper()
	return w.server.ClientWithPolicy(w.T, policy).Token()
}
