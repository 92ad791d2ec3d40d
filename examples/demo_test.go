package examples_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// steps are lines of the demo's output, in order. Each shows that a step had its intended result.
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
* unavailable: version 1 of secret DATABASE_URL of globex/api/development cannot be opened: its stored entry, ..., is damaged or was moved here...
postgres://api:...@db.globex.example/api
== Now you
`

func TestDemo(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		absent(t, "bash", err)
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
		// Settings for another Vault and other work. They must not affect the demo.
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
			t.Fatalf("the output of the %s run lacks %q:\n%s", run, missing, out)
		}
		if replaced := strings.Contains(out, "replacing it"); replaced != (run == "second") {
			t.Errorf("the %s run reports that it replaces another demo: %t", run, replaced)
		}
		if running := processesOf(t, dir); len(running) != 2 {
			t.Errorf("after the %s run, only Vault and its plugin should be running; these processes are: %v", run, running)
		}
	}
	state := filepath.Join(dir, "vault-stashbase", "demo")
	if info, err := os.Stat(state); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the demo's folder is accessible to others than its owner: %v, %v", info, err)
	}
	connect := fmt.Sprintf(". %s/env && vault kv get -field=LOG_LEVEL stashbase/load/acme/api/development", state)
	if out, err := execute(t, root, env, "bash", "-euo", "pipefail", "-c", connect); err != nil || strings.TrimSpace(out) != "warn" {
		t.Errorf("a shell that connects as the demo describes gets %q, %v", out, err)
	}

	// The second run has ended the Vault of the first with SIGTERM. A Vault that is killed leaves
	// its plugin running.
	if out, err := execute(t, root, env, "bash", "-c", "kill -KILL $(<"+state+"/vault.pid)"); err != nil {
		t.Fatalf("kill: %v %s", err, out)
	}
	script("demo-down.sh")
	if running := processesOf(t, dir); len(running) != 0 {
		t.Errorf("after demo-down, these processes are still running: %v", running)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 1 || left[0] != home {
		t.Errorf("demo-down has left files: %v (%v)", left, err)
	}
	if entries, err := os.ReadDir(home); err != nil || len(entries) != 0 {
		t.Errorf("the home folder contains %v (%v)", entries, err)
	}
	script("demo-down.sh")
}

// Symptom to avoid: the recorded process ends, the system assigns its id to another process, and
// demo-down kills that process.
func TestDemoDownStopsNothingElse(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "vault-stashbase", "demo")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		absent(t, "the program sleep", err)
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
		t.Errorf("the other process is not running any more: %v %s", err, out)
	}
	if _, err := os.Stat(state); !os.IsNotExist(err) {
		t.Errorf("the demo's folder still exists: %v", err)
	}
}

// processesOf returns the processes whose command line contains the folder. It needs /proc.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		absent(t, "/proc, to find processes", err)
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

// absent skips a test that needs a tool of the machine. In CI, a missing tool is a failure.
func absent(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI needs %s: %v", what, err)
	}
	t.Skipf("SKIPPED, NOT TESTED: it needs %s: %v", what, err)
}
