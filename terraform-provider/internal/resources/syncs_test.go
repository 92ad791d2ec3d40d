package resources_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

const syncConfig = integrationHere + `
resource "stashbase_sync_vault_kv" "it" {
  workspace   = "WORKSPACE"
  project     = "api"
  environment = "dev"
  name        = "kv"
  integration = stashbase_integration_vault.it.name
  mount       = "MOUNT"
  path        = "team/api"
  purge       = true
}

resource "stashbase_secret" "it" {
  workspace        = "WORKSPACE"
  project          = "api"
  environment      = "dev"
  name             = "API_KEY"
  value_wo         = "VALUE"
  value_wo_version = 1
}

data "stashbase_sync_status" "it" {
  workspace    = "WORKSPACE"
  project      = "api"
  environment  = "dev"
  destination  = "vault-kv"
  name         = stashbase_sync_vault_kv.it.name
  wait_seconds = 60
  depends_on   = [stashbase_secret.it]
}

output "state" { value = data.stashbase_sync_status.it.state }
`

const integrationHere = `
variable "token" { ephemeral = true }

resource "stashbase_integration_vault" "it" {
  workspace            = "WORKSPACE"
  name                 = "kv"
  address              = "ADDRESS"
  ca_pem               = file("CA_FILE")
  token_wo             = var.token
  token_wo_version     = 1
  allowed_environments = ["*"]
  allowed_targets      = ["*"]
}
`

// destination mounts a KV engine in the same Vault, to which configurations of the world may sync.
func (w *world) destination() (kv *api.KVv2, fill func(string) string) {
	w.Helper()
	mount := fmt.Sprintf("kv-%d", time.Now().UnixNano())
	if err := w.vault.Sys().Mount(mount, &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}); err != nil {
		w.Fatal(err)
	}
	w.write("config", map[string]any{"egress_allow": "127.0.0.0/8"})
	w.Env = append(w.Env, "TF_VAR_token="+w.server.RootToken())
	replacer := strings.NewReplacer("MOUNT", mount, "ADDRESS", w.server.Address(), "CA_FILE", w.server.CACertFile())
	return w.vault.KVv2(mount), replacer.Replace
}

func (w *world) arrives(kv *api.KVv2, name, want string) {
	w.Helper()
	w.server.Eventually(w.T, time.Minute, name+" at the destination", func(ctx context.Context) error {
		secret, err := kv.Get(ctx, "team/api/"+name)
		switch {
		case want == "" && errors.Is(err, api.ErrSecretNotFound):
			return nil
		case err != nil:
			return err
		case fmt.Sprint(secret.Data["value"]) != want:
			return errors.New("it has another value")
		}
		return nil
	})
}

func TestASyncIsMadeChangedAndPurged(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		const address = "stashbase_sync_vault_kv.it"
		kv, fill := w.destination()
		path := "syncs/" + w.workspace + "/api/dev/vault-kv/kv"
		w.configure(fill(syncConfig))
		w.Apply()
		w.arrives(kv, "API_KEY", "VALUE")
		if got := w.Output("state"); got != "SYNCED" {
			t.Errorf("the state is %s", got)
		}
		w.PlansNothing()

		if out, err := w.Try("state", "rm", address); err != nil {
			t.Fatal(out)
		}
		w.Import(address, w.workspace+"/api/dev/kv")
		w.Apply() // sets purge, which the engine does not know
		w.PlansNothing()

		w.configure(strings.Replace(fill(syncConfig), "purge       = true", "purge = true\n  exclude = [\"OTHER\"]\n  deletion = \"retain\"", 1))
		w.Apply()
		w.holds(w.read(path), "exclude", "[OTHER]")
		w.holds(w.read(path), "deletion", "retain")
		w.PlansNothing()
		w.write(path, map[string]any{"exclude": "API_*"})
		w.PlansOnly(address, "update")
		w.Apply()
		w.holds(w.read(path), "exclude", "[OTHER]")

		// A sync that was deleted elsewhere is created again.
		w.remove(path, map[string][]string{"purge": {"true"}})
		w.server.Eventually(t, time.Minute, "the purge", func(context.Context) error {
			if w.read(path) != nil {
				return errors.New("the sync exists")
			}
			return nil
		})
		w.PlansOnly(address, "create")
		w.configure(fill(syncConfig))
		w.Apply()
		w.arrives(kv, "API_KEY", "VALUE")

		// One destroy purges the sync and then deletes the integration.
		w.Destroy()
		w.arrives(kv, "API_KEY", "")
		if left := w.read(path); left != nil {
			t.Fatal("the sync exists after destroy")
		}
	})
}

func TestWhatASyncWouldDestroyIsSaidInThePlan(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		kv, fill := w.destination()
		config := strings.Replace(fill(syncConfig), "purge       = true", "", 1)
		w.configure(config)
		w.Apply()
		w.arrives(kv, "API_KEY", "VALUE")
		w.configure(strings.Replace(config, `path        = "team/api"`, `path = "team/other"`, 1))
		if plan := w.Plan(); !strings.Contains(plan.Text, "The sync's entries will be left behind") || len(plan.Changes["stashbase_sync_vault_kv.it"]) != 2 {
			t.Error(plan.Text)
		}
		for _, c := range []struct{ more, says string }{
			{`exclude = ["API_*"]`, "The sync would change nothing"}, // excludes every secret
			{`description = "new"`, ""},
		} {
			w.configure(strings.Replace(config, `path        = "team/api"`, "path = \"team/api\"\n"+c.more, 1))
			if plan := w.Plan(); !strings.Contains(plan.Text, c.says) || c.says == "" && strings.Contains(plan.Text, "with stashbase_sync_vault_kv.it") {
				t.Errorf("%s: %s", c.more, plan.Text)
			}
		}
		if _, err := kv.Put(t.Context(), "team/api/OTHER", map[string]any{"value": "theirs"}); err != nil {
			t.Fatal(err)
		}
		w.write("secrets/"+w.workspace+"/api/dev/OTHER", map[string]any{"value": "ours"})
		for _, c := range []struct {
			more string
			says []string
		}{
			{`on_conflict = "overwrite"`, []string{"The sync will overwrite entries of others", "OTHER"}},
			{`exclude = ["API_*"]`, []string{"The sync will delete entries at the destination", "API_KEY", "Entries of others conflict with the sync", "OTHER"}},
		} {
			w.configure(strings.Replace(config, `path        = "team/api"`, "path = \"team/api\"\n"+c.more, 1))
			plan := w.Plan()
			for _, text := range c.says {
				if !strings.Contains(plan.Text, text) {
					t.Errorf("%s: the plan lacks %q: %s", c.more, text, plan.Text)
				}
			}
		}
		w.configure(strings.Replace(config, `path        = "team/api"`, `path = "../other"`, 1))
		w.Fails([]string{`path = "../other"`, "must not have"}, "validate")
		w.configure(config)
		w.Destroy()
	})
}

func TestASyncOverTheKeysOfAnotherIsRefused(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		_, fill := w.destination()
		config := fill(syncConfig)
		w.configure(config)
		w.Apply()
		w.configure(config + `
resource "stashbase_sync_vault_kv" "second" {
  workspace   = "WORKSPACE"
  project     = "api"
  environment = "dev"
  name        = "second"
  integration = stashbase_integration_vault.it.name
  mount       = stashbase_sync_vault_kv.it.mount
  path        = "team/api"
}`)
		if plan := w.Plan(); !strings.Contains(plan.Text, "The engine would currently refuse the sync") {
			t.Error(plan.Text)
		}
		w.Fails([]string{"Cannot create stashbase_sync_vault_kv"}, "apply", "-auto-approve")
		w.configure(config)
		w.Destroy()
	})
}
