package examples_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// steps are lines that tell that a step of the demo has done what it is there to show, in order.
const steps = `
== A real Vault, in dev mode
... (Vault v1...
== The plugin: ...
healthy true
== Terraform: ...
Apply complete! Resources: 8 added, 0 changed, 0 destroyed.
No changes. ...
0
latest_version 1
== Secrets: ...
created [GREETING LOG_LEVEL PRICE SIGNING_KEY]
== Delivery: ...
$ vault kv get stashbase/load/acme/api/development
DATABASE_URL postgres://api:...@db.acme.example/api
PRICE $5
path "stashbase/load/acme/api/development" {
hello,
* permission denied
== The sync: ...
DATABASE_URL
PRICE
postgres://api:...@db.acme.example/api
state SYNCED
2
warn
LOG_LEVEL
SIGNING_KEY
THEIRS
== Versions: ...
warn
debug
== Rotation: ...
current_version 2
latest_version 2
rewrap ... state:done target_version:2 ...
latest_version 2
debug
current_version 2
== Isolation: ...
* unavailable: version 1 of secret DATABASE_URL of globex/api/development cannot be opened: its stored entry is damaged or was moved here; ...
postgres://api:...@db.globex.example/api
== Now you
`

func TestDemo(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("the demo is a bash script")
	}
	vault, tofu := needsVault(t), needsTofu(t)
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	env := []string{
		"HOME=" + home, "XDG_STATE_HOME=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH"),
		"VAULT_BINARY=" + vault, "STASHBASE_PLUGIN_BINARY=" + pluginBinary(t),
		"TERRAFORM_BINARY=" + tofu, "STASHBASE_PROVIDER_BINARY=" + providerBinary(t),
		// Settings for another Vault and other work, which must not reach the demo's.
		"VAULT_NAMESPACE=elsewhere", "VAULT_FORMAT=json", "TF_WORKSPACE=elsewhere",
	}
	script := func(name string) string {
		t.Helper()
		out, err := execute(t, root, env, filepath.Join("examples", "quickstart", name))
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return out
	}
	t.Cleanup(func() {
		if t.Failed() {
			_, _ = execute(t, root, env, filepath.Join("examples", "quickstart", "demo-down.sh"))
		}
	})

	for _, run := range []string{"first", "second"} {
		out := script("demo.sh")
		if missing := firstMissing(steps, out); missing != "" {
			t.Fatalf("the %s run does not show %q:\n%s", run, missing, out)
		}
		if replaced := strings.Contains(out, "replacing it"); replaced != (run == "second") {
			t.Errorf("the %s run says that it replaces another: %t", run, replaced)
		}
		if running := processesOf(t, dir); len(running) != 2 {
			t.Errorf("after the %s run Vault and its plugin are to run, and nothing else; these do: %v", run, running)
		}
	}
	state := filepath.Join(dir, "vault-stashbase", "demo")
	if info, err := os.Stat(state); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the demo's folder is not for its owner alone: %v, %v", info, err)
	}
	connect := fmt.Sprintf(". %s/env && vault kv get -field=LOG_LEVEL stashbase/load/acme/api/development", state)
	if out, err := execute(t, root, env, "bash", "-euo", "pipefail", "-c", connect); err != nil || strings.TrimSpace(out) != "warn" {
		t.Errorf("a shell that connects as told is answered %q, %v", out, err)
	}

	// Replacing the first run has shown how Vault is asked to end. One that was killed leaves its plugin behind.
	if out, err := execute(t, root, env, "bash", "-c", "kill -KILL $(<"+state+"/vault.pid)"); err != nil {
		t.Fatalf("kill: %v %s", err, out)
	}
	script("demo-down.sh")
	if running := processesOf(t, dir); len(running) != 0 {
		t.Errorf("after demo-down these run on: %v", running)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 1 || left[0] != home {
		t.Errorf("demo-down has left %v (%v)", left, err)
	}
	if entries, err := os.ReadDir(home); err != nil || len(entries) != 0 {
		t.Errorf("the home folder holds %v (%v)", entries, err)
	}
	script("demo-down.sh")
}

// Symptom to avoid: a process id is recorded, the process ends, the id passes to another one, and that is killed.
func TestDemoDownStopsNothingElse(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "vault-stashbase", "demo")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Skip("there is no sleep here to stand for another process")
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	recorded := fmt.Sprintln(other.Process.Pid)
	if err := os.WriteFile(filepath.Join(state, "vault.pid"), []byte(recorded), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"XDG_STATE_HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	out, err := execute(t, root, env, filepath.Join("examples", "quickstart", "demo-down.sh"))
	if err != nil || !strings.Contains(out, "not running") {
		t.Errorf("demo-down: %v\n%s", err, out)
	}
	if out, err := execute(t, root, env, "ps", "-p", strings.TrimSpace(recorded), "-o", "stat="); err != nil || strings.HasPrefix(out, "Z") {
		t.Errorf("the other process is gone: %v %s", err, out)
	}
	if _, err := os.Stat(state); !os.IsNotExist(err) {
		t.Errorf("the demo's folder is still there: %v", err)
	}
}

// processesOf lists the processes whose command line has the folder in it; it needs /proc.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		t.Skip("without /proc it cannot be seen what runs")
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range lines {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), dir) {
			found = append(found, strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " ")))
		}
	}
	return found
}
