package acceptance_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// moved moves a mount, as `vault secrets move` does, and waits for the end of the move.
func moved(t *testing.T, s *vaulttest.Server, from, to string) {
	t.Helper()
	sys := s.Client().Sys()
	migration, err := sys.StartRemount(from, to)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, s, "the move of the mount", func() error {
		status, err := sys.RemountStatus(migration.MigrationID)
		if err != nil {
			return err
		}
		if status.MigrationInfo.MigrationStatus != "success" {
			return fmt.Errorf("the move is in state %s", status.MigrationInfo.MigrationStatus)
		}
		return nil
	})
}

// `vault secrets move` changes the path of a mount, and no stored record: everything stays readable.
// What the engine generates has the new path.
func TestAMoveOfTheMountKeepsEverythingReadable(t *testing.T) {
	s := vault.Server(t)
	sys := s.Client().Sys()
	first, err := sys.GetMount(vaulttest.MountPath)
	if err != nil {
		t.Fatal(err)
	}
	const before, after = "before", "teams/after"
	if err := sys.Mount(before, &api.MountInput{Type: first.Type, Config: api.MountConfigInput{PluginVersion: first.PluginVersion}}); err != nil {
		t.Fatal(err)
	}
	at := before
	t.Cleanup(func() {
		if err := sys.Unmount(at); err != nil {
			t.Error(err)
		}
	})
	c := root(t, s).atMount(before)
	c.write("workspaces/acme", nil)
	env := c.environment("acme", "api", "development")
	c.write("secrets/"+env+"/A", data{"value": "one"})
	c.write("secrets/"+env+"/A", data{"value": "two"})
	c.write("secrets/"+env+"/LONG", data{"value": strings.Repeat("x", 9000)})
	c.write("secrets/"+env+"/LONG", data{"value": strings.Repeat("y", 9000)})
	c.write("secrets/"+env+"/REFERENCE", data{"value": "${A}", "references": true})
	c.write("integrations/acme/vault/main", data{"address": "https://vault.example.com", "token": value(), "allowed_environments": "*", "allowed_targets": "*"})
	ciphertext := c.write("encrypt/acme/billing", data{"plaintext": plainBase64("hello")})["ciphertext"]
	digest := c.write("hmac/acme/billing", data{"input": plainBase64("hello")})["hmac"]
	c.write("keys/acme/rotate", nil)
	rewrapped(t, s, c, "acme", -1)
	reads := []string{
		"load/" + env, "secrets/" + env + "/A?version=1", "secrets/" + env + "/LONG?version=1", "render/" + env + "?format=json", "metadata/" + env, "metadata/" + env + "/A",
		"changes/" + env, "keys/acme", "workspaces/acme", "environments/" + env, "integrations/acme/vault/main", "info", "master-key",
	}
	want := make(map[string]string)
	for _, path := range reads {
		want[path] = asJSON(t, c.read(path))
	}

	moved(t, s, before, after)
	at = after
	c = c.atMount(after)
	for _, step := range []string{"after the move", "after a reload"} {
		for _, path := range reads {
			if got := asJSON(t, c.read(path)); got != want[path] {
				t.Errorf("%s: %s is\n%s\nwant\n%s", step, path, got, want[path])
			}
		}
		expect(t, step, c.write("decrypt/acme/billing", data{"ciphertext": ciphertext}), data{"plaintext": plainBase64("hello")})
		expect(t, step, c.write("verify/acme/billing", data{"input": plainBase64("hello"), "hmac": digest}), data{"valid": true})
		s.ReloadPlugin(t)
	}
	policy, _ := c.read("policies/workload?workspace=acme&project=api&environment=development")["policy"].(string)
	if !strings.Contains(policy, `path "teams/after/load/`+env+`"`) {
		t.Errorf("the policy is\n%s", policy)
	}
	a := c.refused("GET", "secrets/acme/api/none/A", nil, http.StatusBadRequest, "not_found")
	if !strings.Contains(a.body, "vault write -force teams/after/environments/acme/api/none") {
		t.Errorf("the hint has another mount: %s", a)
	}
	c.write("secrets/"+env+"/A", data{"value": "three"})
	expect(t, "a write after the move", c.read("secrets/"+env+"/A"), data{"value": "three", "version": 3})
	if a := root(t, s).atMount(before).send("GET", "info", nil); a.status != http.StatusNotFound {
		t.Errorf("the old path returns %s", a)
	}
}
