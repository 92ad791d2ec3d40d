// Package examples_test runs what the documents ask a person to run: the demo, and the command
// blocks of README.md, docs/ and examples/.
//
// # Command blocks
//
// Each Markdown file is one session in an empty folder, with its own Vault that has the plugin
// mounted at stashbase/. The fenced blocks marked `sh` run in their order and must succeed. A block
// marked `text` right after such a block shows its output: each line must appear in the output, in
// this order. A run of spaces counts as one space, and `...` matches any text.
//
// A comment before a block, which the rendered page does not show, changes this:
//
//	<!-- test: fails -->          the block must fail; a `text` block can show its error
//	<!-- test: file NAME -->      the block, of any language, is written to that file and not run
//	<!-- test: not run, WHY -->   the block is not run
//	<!-- test: no plugin -->      (anywhere) the session begins without a registered or mounted plugin
//	<!-- test: raft -->           (anywhere) its Vault has integrated storage
//	<!-- test: plain http -->     (anywhere) its Vault has no TLS
//	<!-- test: terraform -->      (anywhere) the session has a terraform, and the provider in bin/
//
// In docs/reference/api.md, the commands come from the engine's help. They are indented lines that
// begin with `$ `. Each family of paths begins with a fresh tree of the names that the commands
// use.
package examples_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

const root = ".."

// commandTimeout is much longer than any block takes. A block that waits for input therefore fails
// instead of hanging.
const commandTimeout = 5 * time.Minute

// documents returns the Markdown files whose commands are run.
func documents(t *testing.T) []string {
	t.Helper()
	found := []string{filepath.Join(root, "README.md")}
	for _, dir := range []string{"docs", "examples"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry os.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && filepath.Ext(path) == ".md" {
				found = append(found, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func TestDocumentedCommandsWork(t *testing.T) {
	for _, path := range documents(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := parse(string(text))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if !doc.runs() {
			continue
		}
		t.Run(strings.TrimPrefix(path, root+string(filepath.Separator)), func(t *testing.T) {
			s := newSession(t, doc.options)
			if doc.terraform {
				s.provide(t)
			}
			for _, b := range doc.blocks {
				s.follow(t, b)
			}
		})
	}
}

// tree creates the names that the commands of the help use, without remains of earlier commands.
const tree = `vault write stashbase/config cas_required=false
if vault write stashbase/workspaces/acme deletion_allowed=true; then vault delete stashbase/workspaces/acme confirm=acme; fi
vault write -force stashbase/workspaces/acme
for p in api web shared; do vault write -force stashbase/projects/acme/$p; done
for e in api/development api/staging api/production web/staging shared/common; do vault write -force stashbase/environments/acme/$e; done
vault write stashbase/environments/acme/shared/common 'shared_with=api/*'
vault write stashbase/secrets/acme/shared/common/DB_PASSWORD value=made-up
vault write stashbase/secrets/acme/api/development/USER value=api`

// newestChange is a shell expression for the id of the newest change, which replaces <id> in the
// help.
const newestChange = `"$(vault read -format=json -field=changes stashbase/changes/acme/api/development |
	sed -n 's/.*"change": "\(.*\)".*/\1/p' | head -n 1)"`

func TestCommandsOfTheHelpWork(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "reference", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(t, vaulttest.Options{})
	s.write(t, ".env", "NAME=value\n")
	s.write(t, "secrets.json", `{"secrets": {"OTHER": "value"}}`)
	s.write(t, "secrets.yaml", "MORE: value\n")
	s.write(t, "database-url", "postgres://db.acme.example/api")
	s.write(t, "token", "made-up")
	ran := 0
	for _, family := range strings.Split(string(text), "\n## ")[1:] {
		s.run(t, tree)
		if !strings.HasPrefix(family, "secrets\n") { // their examples create the first version themselves
			s.run(t, `for v in one two; do vault write stashbase/secrets/acme/api/development/DATABASE_URL value=$v; done`)
		}
		if strings.HasPrefix(family, "syncs\n") { // their examples need an integration
			s.run(t, `vault write -force stashbase/environments/acme/api/production
for p in $(vault read -format=json -field=providers stashbase/info | sed -n 's/^  "\([a-z]*\)": {$/\1/p'); do
	address=""; if [[ $p == vault ]]; then address=address=https://vault.example.com; fi
	vault write stashbase/integrations/acme/$p/main $address token=@token allowed_environments='*' allowed_targets='*'
done`)
		}
		for line := range strings.Lines(family) {
			if command, ok := strings.CutPrefix(line, "    $ "); ok {
				if strings.HasSuffix(strings.TrimSpace(command), "/main/verify") {
					continue // the provider's address is only an example
				}
				if strings.Contains(command, "min_decryption_version") {
					s.run(t, "until vault read -field=rewrap stashbase/keys/acme | grep state:done; do sleep 0.2; done")
				}
				if strings.Contains(command, "workspaces/acme/lock") { // an earlier example deletes the workspace
					s.run(t, tree)
				}
				s.run(t, strings.ReplaceAll(command, "<id>", newestChange))
				ran++
			}
		}
	}
	if ran == 0 {
		t.Fatal("found no command")
	}
}

// Each example policy names the command that generates it.
func TestPoliciesAreTheEnginesOwn(t *testing.T) {
	files, err := filepath.Glob("policies/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("found no policy (%v)", err)
	}
	s := newSession(t, vaulttest.Options{})
	for _, path := range files {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, command, ok := strings.Cut(string(want), "# Generated by: ")
		if command, _, _ = strings.Cut(command, "\n"); !ok || command == "" {
			t.Errorf("%s does not name the command that generates it", path)
			continue
		}
		got, err := s.execute(t, command)
		if err != nil || strings.TrimSpace(got) != strings.TrimSpace(string(want)) {
			t.Errorf("%s differs from the response of the engine (%v): run make generate\n%s", path, err, got)
		}
	}
}

// session is a folder with a Vault, in which commands run.
type session struct {
	dir string
	env []string
	log string // output of the previous block
}

func newSession(t *testing.T, o vaulttest.Options) *session {
	t.Helper()
	vault := needsVault(t)
	// The plugin is registered without a version, as the documents describe.
	o.LogLevel, o.PluginBinary = "info", pluginBinary(t)
	server := vaulttest.Start(t, o)
	dir := t.TempDir()
	bin := filepath.Join(dir, ".bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(vault, filepath.Join(bin, "vault")); err != nil {
		t.Fatal(err)
	}
	// `make build` writes the plugin to bin/.
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(pluginBinary(t), filepath.Join(dir, "bin", vaulttest.PluginName)); err != nil {
		t.Fatal(err)
	}
	// A reader who has built the plugin has the checkout.
	if err := os.Mkdir(filepath.Join(dir, "examples"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(absolute(t, "policies"), filepath.Join(dir, "examples", "policies")); err != nil {
		t.Fatal(err)
	}
	return &session{dir: dir, env: append(server.ClientEnv(server.RootToken()),
		"HOME="+dir, "TMPDIR="+t.TempDir(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"),
	)}
}

func (s *session) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// follow uses a block as a reader would.
func (s *session) follow(t *testing.T, b block) {
	t.Helper()
	switch b.kind {
	case writes:
		s.write(t, b.file, b.text)
	case shows:
		if missing := firstMissing(b.text, s.log); missing != "" {
			t.Errorf("line %d shows %q, but the previous block printed:\n%s", b.line, missing, s.log)
		}
	case succeeds, fails:
		out, err := s.execute(t, b.text)
		s.log = out
		if (err == nil) != (b.kind == succeeds) {
			t.Fatalf("the block of line %d ended with %v:\n%s\n%s", b.line, err, b.text, out)
		}
	}
}

// run runs a command that is not in a block.
func (s *session) run(t *testing.T, command string) {
	t.Helper()
	if out, err := s.execute(t, command); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

func (s *session) execute(t *testing.T, script string) (string, error) {
	t.Helper()
	return execute(t, s.dir, s.env, "bash", "-euo", "pipefail", "-c", keepExports+script)
}

// keepExports keeps the exported variables of a block for the next block, as in a reader's shell.
const keepExports = `if [[ -f .bin/exports ]]; then . .bin/exports; fi
trap 'export -p > .bin/exports' EXIT
`

func execute(t *testing.T, dir string, env []string, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, &out, &out
	cmd.WaitDelay = time.Second // for a command that leaves a process running with its output open
	err := cmd.Run()
	return out.String(), err
}

func vaultBinary() string {
	if path := os.Getenv("VAULT_BINARY"); path != "" {
		return path
	}
	return filepath.Join(root, "bin", "vault")
}

// needsVault skips the test without a Vault, as vaulttest does. It is for tests that start Vault
// without vaulttest.
func needsVault(t *testing.T) string {
	t.Helper()
	path := vaultBinary()
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED, NOT TESTED: %v (%v)", vaulttest.ErrNoVault, err)
	}
	return absolute(t, path)
}

// needsTofu skips the test without the pinned OpenTofu.
func needsTofu(t *testing.T) string {
	t.Helper()
	path := os.Getenv("TOFU_BINARY")
	if path == "" {
		path = filepath.Join(root, "bin", "tofu")
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED, NOT TESTED: no OpenTofu binary: run `make terraform`, or set TOFU_BINARY (%v)", err)
	}
	return absolute(t, path)
}

// The programs that all tests share: those from the environment, or else built once.
var (
	plugin   = sync.OnceValues(func() (string, error) { return program("STASHBASE_PLUGIN_BINARY", vaulttest.PluginPackage) })
	provider = sync.OnceValues(func() (string, error) { return program("STASHBASE_PROVIDER_BINARY", "./terraform-provider") })
)

func program(given, pkg string) (string, error) {
	if path := os.Getenv(given); path != "" {
		return filepath.Abs(path)
	}
	dir, err := os.MkdirTemp("", "examples")
	if err != nil {
		return "", err
	}
	buildDirs = append(buildDirs, dir)
	out := filepath.Join(dir, filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", out, pkg)
	cmd.Dir = root
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, text)
	}
	return out, nil
}

// buildDirs are the folders that program has created and TestMain removes.
var buildDirs []string

func TestMain(m *testing.M) {
	code := m.Run()
	for _, dir := range buildDirs {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

func pluginBinary(t *testing.T) string   { return binary(t, plugin) }
func providerBinary(t *testing.T) string { return binary(t, provider) }

func binary(t *testing.T, built func() (string, error)) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	checked := 0
	for _, path := range append(documents(t), filepath.Join(root, "CHANGELOG.md")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			checked++
			file, anchor, _ := strings.Cut(found[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			content, err := os.ReadFile(target)
			if err != nil {
				t.Errorf("%s links to %s: %v", path, found[1], err)
			} else if anchor != "" && !slices.Contains(anchors(string(content)), anchor) {
				t.Errorf("%s links to %s, but this heading does not exist", path, found[1])
			}
		}
	}
	if checked == 0 {
		t.Fatal("found no link")
	}
}

// anchors returns the anchors of the headings of a Markdown file. It supports headings of words and
// spaces.
func anchors(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if marks, title, ok := strings.Cut(line, " "); ok && strings.Trim(marks, "#") == "" && marks != "" {
			all = append(all, strings.ReplaceAll(strings.ToLower(strings.TrimSpace(title)), " ", "-"))
		}
	}
	return all
}
