package resources_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/terraform-provider/internal/tftest"
)

const examples = "../../../examples/terraform"

// Each example is applied with one of the two CLIs. A second plan is empty, the command of
// import.sh imports it, and it can be destroyed.
func TestExamplesWork(t *testing.T) {
	var found []string
	for _, kind := range []string{"resource", "data-source", "ephemeral-resource"} {
		some, err := filepath.Glob(examples + "/" + kind + "s/*/" + kind + ".tf")
		if err != nil || len(some) == 0 {
			t.Fatalf("found no example of a %s, so nothing is tested (%v)", kind, err)
		}
		found = append(found, some...)
	}
	for _, path := range found {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			newWorld(t, tftest.Tofu(t)).followExample(path)
		})
	}
}

// The alternative that is commented out in the provider's example must be valid too.
func TestTheProvidersExampleIsValid(t *testing.T) {
	text, err := os.ReadFile(examples + "/provider/provider.tf")
	if err != nil {
		t.Fatal(err)
	}
	alternative := strings.NewReplacer("# auth_login", "auth_login", "#   role", "role", "# }", "}").Replace(string(text))
	for _, variant := range []string{string(text), alternative} {
		w := newWorld(t, tftest.Tofu(t))
		if err := os.WriteFile(filepath.Join(w.Path, "main.tf"), []byte(variant), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := w.Try("validate", "-no-color"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	if alternative == string(text) {
		t.Error("found no alternative, so only one variant is tested")
	}
}

func (w *world) followExample(path string) {
	w.workspace = "acme"
	w.tree()
	defer func() {
		w.write("workspaces/acme", map[string]any{"deletion_allowed": true})
		w.remove("workspaces/acme", map[string][]string{"confirm": {"acme"}})
	}()
	w.write("environments/acme/api/production", nil)
	w.write("environments/acme/api/copy", nil)
	w.write("secrets/acme/api/production/API_KEY", map[string]any{"value": "made up"})
	if strings.Contains(path, "sync_status") {
		_, fill := w.destination()
		w.write("integrations/acme/vault/team", map[string]any{
			"address": w.server.Address(), "ca_pem": w.server.CACertPEM(), "token": w.server.RootToken(), "allowed_environments": "*", "allowed_targets": "*",
		})
		w.write("syncs/acme/api/production/vault-kv/team", map[string]any{"integration": "team", "mount": fill("MOUNT"), "path": "api"})
		defer w.remove("syncs/acme/api/production/vault-kv/team", map[string][]string{"purge": {"false"}})
	}
	text, err := os.ReadFile(path)
	if err != nil {
		w.Fatal(err)
	}
	w.Env = append(w.Env, "TF_VAR_database_password=made-up", "TF_VAR_smtp_password=made-up", "TF_VAR_target_token=made-up", "TF_VAR_github_token=made-up")
	// A person applies this before the destruction; the test sets it from the start.
	w.configure(strings.Replace(string(text), "# deletion_allowed", "deletion_allowed", 1))
	w.Apply()
	w.PlansNothing()
	if script, err := os.ReadFile(filepath.Join(filepath.Dir(path), "import.sh")); err == nil {
		words := strings.Fields(string(script))
		if len(words) != 4 || words[0] != "terraform" || words[1] != "import" {
			w.Fatalf("import.sh is not an import command: %q", script)
		}
		if out, err := w.Try("state", "rm", words[2]); err != nil {
			w.Fatal(out)
		}
		w.Import(words[2], words[3])
		w.Apply()
		w.PlansNothing()
	}
	w.Destroy()
}
