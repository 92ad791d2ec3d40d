package tftest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// Folder is a root module with its state.
type Folder struct {
	t    *testing.T
	cli  CLI
	Path string
	Env  []string // KEY=value; later entries override earlier ones
}

// Prelude is the beginning of each configuration: it declares the provider. The provider's settings
// come from the environment.
const Prelude = `
terraform {
  required_providers {
    stashbase = { source = "stashbase/stashbase" }
  }
}
`

// Folder creates an empty root module whose provider connects to the server.
func (c CLI) Folder(t *testing.T, server *vaulttest.Server) *Folder {
	t.Helper()
	binary, err := c.provider()
	must(t, err)
	dir, races := t.TempDir(), filepath.Join(t.TempDir(), "race")
	t.Cleanup(func() {
		// A provider with the race detector writes its reports to this file, because the CLI keeps
		// the provider's standard error for its own log.
		found, err := filepath.Glob(races + ".*")
		if err != nil || len(found) == 0 {
			return
		}
		report, err := os.ReadFile(found[0])
		t.Errorf("the race detector reported (%v):\n%s", err, report)
	})
	rc := filepath.Join(t.TempDir(), "terraformrc")
	must(t, os.WriteFile(rc, fmt.Appendf(nil, "provider_installation {\n  dev_overrides {\n    \"stashbase/stashbase\" = %q\n  }\n  direct {}\n}\n", filepath.Dir(binary)), 0o600))
	return &Folder{t: t, cli: c, Path: dir, Env: append(server.ClientEnv(server.RootToken()),
		"TF_CLI_CONFIG_FILE="+rc, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1",
		// By default, a program with the race detector waits a second before it exits. One command
		// starts several such programs.
		"GORACE=atexit_sleep_ms=0 log_path="+races,
		"HOME="+t.TempDir(), "TMPDIR="+os.TempDir(), "PATH="+os.Getenv("PATH"),
	)}
}

// Configure replaces the configuration.
func (f *Folder) Configure(text string) {
	f.t.Helper()
	must(f.t, os.WriteFile(filepath.Join(f.Path, "main.tf"), []byte(Prelude+text), 0o600))
}

// Try runs a command and returns its standard output and standard error.
func (f *Folder) Try(args ...string) (string, error) {
	cmd := exec.Command(f.cli.path, args...)
	cmd.Dir, cmd.Env = f.Path, f.Env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func (f *Folder) must(args ...string) string {
	f.t.Helper()
	out, err := f.Try(args...)
	if err != nil {
		f.t.Fatalf("%s %s: %v\n%s", f.cli.Name, strings.Join(args, " "), err, out)
	}
	return out
}

// Apply applies the configuration and returns the output.
func (f *Folder) Apply(more ...string) string {
	f.t.Helper()
	return f.must(append([]string{"apply", "-auto-approve", "-input=false", "-no-color"}, more...)...)
}

// Destroy destroys everything in the state.
func (f *Folder) Destroy() string {
	f.t.Helper()
	return f.must("destroy", "-auto-approve", "-input=false", "-no-color")
}

// Import imports an object by id.
func (f *Folder) Import(address, id string) string {
	f.t.Helper()
	return f.must("import", "-input=false", "-no-color", address, id)
}

// Fails runs a command that must fail. Its output must contain each of the texts, regardless of
// line breaks.
func (f *Folder) Fails(texts []string, args ...string) {
	f.t.Helper()
	out, err := f.Try(append(args, "-no-color")...)
	if err == nil {
		f.t.Fatalf("%s %s succeeded:\n%s", f.cli.Name, args[0], out)
	}
	flat := frame.ReplaceAllString(out, " ")
	for _, text := range texts {
		if !strings.Contains(flat, text) {
			f.t.Errorf("%s %s failed without %q:\n%s", f.cli.Name, args[0], text, out)
		}
	}
}

// frame matches the frame and the white space around the words of an error.
var frame = regexp.MustCompile(`[\s│╷╵]+`)

// Plan is a plan that is not applied yet: the actions for each address that changes.
type Plan struct {
	Changes map[string][]string
	Text    string
}

// Plan makes a plan and saves it as the file `planned`.
func (f *Folder) Plan(more ...string) Plan {
	f.t.Helper()
	return f.planned(f.must(append([]string{"plan", "-out=planned", "-input=false", "-no-color"}, more...)...))
}

// planned returns the plan in the file `planned`, whose text is given.
func (f *Folder) planned(text string) Plan {
	f.t.Helper()
	var shown struct {
		Changes []struct {
			Address string
			Change  struct{ Actions []string }
		} `json:"resource_changes"`
	}
	must(f.t, json.Unmarshal(f.output("show", "-json", "planned"), &shown))
	plan := Plan{Changes: map[string][]string{}, Text: text}
	for _, c := range shown.Changes {
		// OpenTofu also lists resources that are only read.
		if a := c.Change.Actions; len(a) > 1 || a[0] != "no-op" && a[0] != "read" && a[0] != "open" {
			plan.Changes[c.Address] = c.Change.Actions
		}
	}
	return plan
}

// differs is the exit code of a plan that is not empty.
const differs = 2

// PlansNothing fails the test if a plan has changes.
func (f *Folder) PlansNothing() {
	f.t.Helper()
	text, err := f.Try("plan", "-out=planned", "-detailed-exitcode", "-input=false", "-no-color")
	var exit *exec.ExitError
	switch {
	case err == nil:
		return
	case !errors.As(err, &exit) || exit.ExitCode() != differs:
		f.t.Fatalf("%s plan: %v\n%s", f.cli.Name, err, text)
	}
	// A plan that only reads a data source during the apply, or changes an output, is not empty.
	if plan := f.planned(text); len(plan.Changes) > 0 {
		f.t.Fatalf("the plan has changes: %v\n%s", plan.Changes, plan.Text)
	}
}

// PlansOnly fails the test unless a plan has exactly these actions at one address.
func (f *Folder) PlansOnly(address string, actions ...string) {
	f.t.Helper()
	plan := f.Plan()
	if len(plan.Changes) != 1 || !slices.Equal(plan.Changes[address], actions) {
		f.t.Fatalf("the plan has %v, want only %v of %s\n%s", plan.Changes, actions, address, plan.Text)
	}
}

// State returns the attributes of a resource in the state; nil if the state does not contain it.
func (f *Folder) State(address string) map[string]any {
	f.t.Helper()
	var shown struct {
		Values struct {
			Root struct {
				Resources []struct {
					Address string
					Values  map[string]any
				}
			} `json:"root_module"`
		}
	}
	must(f.t, json.Unmarshal(f.output("show", "-json"), &shown))
	for _, r := range shown.Values.Root.Resources {
		if r.Address == address {
			return r.Values
		}
	}
	return nil
}

// Output returns an output that is a string.
func (f *Folder) Output(name string) string {
	f.t.Helper()
	return string(f.output("output", "-raw", "-no-color", name))
}

// output returns only the standard output of a command.
func (f *Folder) output(args ...string) []byte {
	f.t.Helper()
	cmd := exec.Command(f.cli.path, args...)
	cmd.Dir, cmd.Env = f.Path, f.Env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		f.t.Fatalf("%s %s: %v\n%s", f.cli.Name, strings.Join(args, " "), err, stderr.String())
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
