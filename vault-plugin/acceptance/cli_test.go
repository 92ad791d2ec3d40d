package acceptance_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// cli runs Vault's own command line with a token and returns its output.
func cli(t *testing.T, s *vaulttest.Server, token string, args ...string) string {
	t.Helper()
	cmd := command(t, s, token, args...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("vault %s: %v\n%s", strings.Join(args, " "), err, problems.String())
	}
	return out.String()
}

func command(t *testing.T, s *vaulttest.Server, token string, args ...string) *exec.Cmd {
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
	return cmd
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

// failing runs Vault's command line and returns what a command prints that has to fail.
func failing(t *testing.T, s *vaulttest.Server, args ...string) string {
	t.Helper()
	cmd := command(t, s, s.RootToken(), args...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("vault %s has succeeded:\n%s", strings.Join(args, " "), out)
	}
	return string(out)
}

// The command line completes a path by a list of each level.
func TestTheCommandLineListsEveryLevel(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	env := environment(t, c)
	c.write("secrets/"+env+"/A", data{"value": "x"})
	names := strings.Split(env, "/")
	w := names[0]
	keys := func(args ...string) []string {
		t.Helper()
		return strings.Fields(cli(t, s, s.RootToken(), args...))[2:] // after the header
	}
	contains := func(all []string, want string) {
		t.Helper()
		if !slices.Contains(all, want) {
			t.Errorf("%q is not in %q", want, all)
		}
	}
	for _, category := range []string{"secrets/", "load/", "environments/", "projects/", "metadata/", "syncs/", "undelete/", "keys/", "config"} {
		contains(keys("list", "stashbase/"), category)
	}
	contains(keys("list", "stashbase/secrets"), w+"/")
	contains(keys("list", "stashbase/keys"), w)
	for path, want := range map[string]string{
		"secrets/" + w: "api/", "secrets/" + w + "/api": "development/", "secrets/" + env: "A", "metadata/" + w + "/api": "development/", "metadata/" + env: "A",
		"environments/" + w: "api/", "environments/" + w + "/api": "development", "projects/" + w: "api", "load/" + w: "api/", "load/" + w + "/api": "development",
		"rollback/" + env: "A", "changes/" + w + "/api": "development",
	} {
		same(t, path, keys("list", "stashbase/"+path), []string{want})
		same(t, "as KV, "+path, keys("kv", "list", "stashbase/"+path), []string{want})
	}
}

func TestTheCommandLinePrintsTables(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	env := environment(t, c)
	w, _, _ := strings.Cut(env, "/")
	c.write("import/"+env, data{"secrets": data{"A": "1", "B": "22"}, "comment": "begin"})
	for _, tc := range []struct {
		path, header string
		lines        []string
	}{
		{"changes/" + env, "Keys change comment created created_by deleted secrets updated", []string{"begin 2 root 0 A, B 0"}},
		{"metadata/" + env, "Keys created_by created_time deletion_time encoding size state tags updated_time version", []string{"A root", "B root", "text 2 live"}},
		{"metadata/" + env + "/A", "Keys comment created_by created_time deletion_time encoding size state", []string{"1 begin root", "text 1 live"}},
		{"keys/" + w, "Keys created_time state", []string{"active"}},
		{"secrets/" + env, "Keys state updated_time version", []string{"A live", "B live"}},
		{"load/" + w + "/api", "Keys locked production secrets updated_time", []string{"development false false 2"}},
	} {
		table := strings.Split(strings.TrimSpace(cli(t, s, s.RootToken(), "list", "-detailed", "stashbase/"+tc.path)), "\n")
		var rows []string
		for _, line := range table {
			rows = append(rows, strings.Join(strings.Fields(line), " "))
		}
		if rows[0] != tc.header {
			t.Errorf("%s has the columns %q, want %q", tc.path, rows[0], tc.header)
		}
		for _, line := range tc.lines {
			if !slices.ContainsFunc(rows, func(row string) bool { return strings.Contains(row, line) }) {
				t.Errorf("%s: no line has %q:\n%s", tc.path, line, strings.Join(table, "\n"))
			}
		}
		if all := strings.Join(rows, "\n"); strings.Contains(all, "map[") {
			t.Errorf("%s prints an object:\n%s", tc.path, all)
		}
	}
	for _, path := range []string{"secrets/" + env + "/A", "keys/" + w} {
		scalars := strings.Join(strings.Fields(cli(t, s, s.RootToken(), "read", "stashbase/"+path)), " ")
		if want := map[bool]string{true: "created_by root", false: "rewrap_state idle"}[strings.HasPrefix(path, "secrets")]; !strings.Contains(scalars, want) {
			t.Errorf("%q is not in %s", want, scalars)
		}
	}
}

// Clients of KV version 1 derive from the status that a secret does not exist.
func TestWhatCannotBeLoadedBecauseItDoesNotExistIs404(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	env := environment(t, c)
	w, _, _ := strings.Cut(env, "/")
	for _, path := range []string{"load/" + w + "/api/none", "render/" + w + "/api/none", "load/none/api/development", "load/" + w + "/none/development", "render/none/none/none"} {
		if a := c.refused("GET", path, nil, http.StatusNotFound, "not_found"); !strings.Contains(a.body, "does not exist; create it with:") {
			t.Errorf("the text is not in the body: %s", a)
		}
		if secret, err := s.Client().Logical().Read("stashbase/" + path); err != nil || secret != nil {
			t.Errorf("Vault's client reads %s as %v, %v", path, secret, err)
		}
		if _, err := s.Client().KVv1("stashbase").Get(t.Context(), path); !errors.Is(err, api.ErrSecretNotFound) {
			t.Errorf("Vault's client of KV version 1 reads %s with %v", path, err)
		}
	}
	if out := failing(t, s, "kv", "get", "stashbase/load/"+w+"/api/none"); !strings.Contains(out, "No value found at stashbase/load/"+w+"/api/none") {
		t.Errorf("vault kv get prints %s", out)
	}
	for query, want := range map[string]string{"version=2": "version_at", "_=1700000000": "_: unknown field"} {
		if a := c.refused("GET", "load/"+env+"?"+query, nil, http.StatusBadRequest, "invalid"); !strings.Contains(a.body, want) {
			t.Errorf("%q is not in %s", want, a)
		}
	}
	if out := failing(t, s, "write", "stashbase/secrets/"+env+"/DB_USER", "DB_USER=app"); !strings.Contains(out, "DB_USER: unknown field; give the value of this secret in value=") {
		t.Errorf("vault write prints %s", out)
	}
	if out := failing(t, s, "write", "stashbase/workspaces/"+w, "metadata=team"); !strings.Contains(out, `- <<<'{"metadata": {...}}'`) {
		t.Errorf("vault write prints %s", out)
	}
}

func TestPathHelpHasThePathOfTheMount(t *testing.T) {
	s := vault.Server(t)
	mounted(t, s, "teams/help")
	for _, path := range []string{"", "/secrets/acme/api/development/DATABASE_URL", "/load/acme/api/development", "/load/acme", "/policies"} {
		if help := cli(t, s, s.RootToken(), "path-help", "teams/help"+path); !strings.Contains(help, " teams/help/") || strings.Contains(help, " stashbase/") {
			t.Errorf("the help of teams/help%s has another mount:\n%s", path, help)
		}
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
