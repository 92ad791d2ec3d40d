package acceptance_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// cli runs Vault's own command line with a token and returns its output.
func cli(t *testing.T, s *vaulttest.Server, token string, args ...string) string {
	t.Helper()
	binary := os.Getenv("VAULT_BINARY")
	if binary == "" {
		binary = filepath.Join("..", "..", "bin", "vault") // it exists, because the server runs
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(s.ClientEnv(token), "HOME="+cmd.Dir, "VAULT_CLI_NO_COLOR=1")
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("vault %s: %v\n%s", strings.Join(args, " "), err, problems.String())
	}
	return out.String()
}

func TestVaultKvGetDeliversAnEnvironment(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	env := environment(t, c)
	w, _, _ := strings.Cut(env, "/")
	one, two := value(), value()
	c.write("import/"+env, data{"secrets": data{"DATABASE_URL": one, "TOKEN": two}})
	policy, _ := c.read("policies/workload?workspace=" + w + "&project=api&environment=development")["policy"].(string)
	for name, token := range map[string]string{"root": s.RootToken(), "workload": s.ClientWithPolicy(t, policy).Token()} {
		t.Run(name, func(t *testing.T) {
			table := cli(t, s, token, "kv", "get", "stashbase/load/"+env)
			for _, line := range []string{"DATABASE_URL " + one, "TOKEN " + two} {
				if !strings.Contains(strings.Join(strings.Fields(table), " "), line) {
					t.Errorf("%q is not in\n%s", line, table)
				}
			}
			if got := cli(t, s, token, "kv", "get", "-field=TOKEN", "stashbase/load/"+env); strings.TrimSpace(got) != two {
				t.Errorf("the field is %q", got)
			}
			var response struct{ Data data }
			if err := json.Unmarshal([]byte(cli(t, s, token, "read", "-format=json", "stashbase/load/"+env)), &response); err != nil {
				t.Fatal(err)
			}
			if len(response.Data) != 2 || response.Data["DATABASE_URL"] != one {
				t.Errorf("vault read returns %d values", len(response.Data))
			}
		})
	}
}

func TestTheWorkloadPolicyHasOnePathWithoutGlobs(t *testing.T) {
	c := root(t, vault.Server(t))
	policy, _ := c.read("policies/workload?workspace=acme&project=api&environment=production")["policy"].(string)
	if got := strings.Count(policy, "path "); got != 1 || strings.ContainsAny(policy, "*+") || !strings.Contains(policy, `"stashbase/load/acme/api/production"`) {
		t.Errorf("%d paths in\n%s", got, policy)
	}
}

func TestTheCommandLineListsWritesAndPages(t *testing.T) {
	s := vault.Server(t)
	env := environment(t, root(t, s))
	run := func(args ...string) string { return cli(t, s, s.RootToken(), args...) }
	for _, name := range []string{"A", "B", "C"} {
		run("write", "stashbase/secrets/"+env+"/"+name, "value="+name, "cas=0")
	}
	same(t, "vault list", strings.Fields(run("list", "stashbase/secrets/"+env)), []string{"Keys", "----", "A", "B", "C"})
	page := run("read", "-format=json", "stashbase/secrets/"+env, "list=true", "limit=1", "after=A")
	var response struct{ Data data }
	if err := json.Unmarshal([]byte(page), &response); err != nil {
		t.Fatal(err)
	}
	same(t, "a page", texts(response.Data["keys"]), []string{"B"})
	expect(t, "a page", response.Data, data{"next": "B"})
	run("delete", "stashbase/secrets/"+env+"/B")
	run("write", "stashbase/secrets/"+env+"/B", "value=new", "cas=1")
	if got := run("read", "-field=value", "stashbase/secrets/"+env+"/B"); strings.TrimSpace(got) != "new" {
		t.Errorf("read %q", got)
	}
}

func TestPathHelpDescribesAPath(t *testing.T) {
	s := vault.Server(t)
	help := cli(t, s, s.RootToken(), "path-help", "stashbase/secrets/acme/api/development/DATABASE_URL")
	for _, part := range []string{
		"Write, read or delete a secret.", "## PARAMETERS", "cas (int)", "encoding (string)", "value (string)", "workspace (string)", "## DESCRIPTION",
		"vault write stashbase/secrets/acme/api/development/DATABASE_URL",
	} {
		if !strings.Contains(help, part) {
			t.Errorf("%q is not in the help", part)
		}
	}
}
