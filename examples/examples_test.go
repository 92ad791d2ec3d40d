// Package examples_test runs what a person is told to run: the demo, and the command blocks of README.md, docs/ and examples/.
//
// # Command blocks
//
// Each Markdown file is one session with a Vault of its own, the plugin mounted at stashbase/, in an empty folder. Its fenced
// blocks marked `sh` run in their order and must succeed. A block marked `text` right after one is what it prints: each of its lines
// must appear in the output, in that order; spaces count once, and `...` stands for anything.
//
// A comment before a block, which no reader sees, says otherwise:
//
//	<!-- test: fails -->          the block must be refused; its error can be shown as `text`
//	<!-- test: file NAME -->      the block, of any kind, is not run but written to that file
//	<!-- test: not run, WHY -->   the block is not run
//	<!-- test: no plugin -->      (anywhere) the session begins with nothing registered and nothing mounted
//	<!-- test: raft -->           (anywhere) its Vault has integrated storage
//
// In docs/reference/api.md the commands are those of the engine's help, in indented lines that begin with `$ `; each family of
// paths begins anew with the tree that the examples speak of.
package examples_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

const root = ".."

// commandTimeout is far above what any block takes, so that one that waits for input fails instead of hanging.
const commandTimeout = 2 * time.Minute

// documents are the Markdown files whose commands are run.
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
			for _, b := range doc.blocks {
				s.follow(t, b)
			}
		})
	}
}

func TestCommandsOfTheHelpWork(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "reference", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(t, vaulttest.Options{})
	s.write(t, ".env", "NAME=value\n")
	s.write(t, "secrets.json", `{"secrets": {"OTHER": "value"}}`)
	s.write(t, "database-url", "postgres://db.acme.example/api")
	ran := 0
	for _, family := range strings.Split(string(text), "\n## ")[1:] {
		s.run(t, `vault write stashbase/config cas_required=false
			for e in development production; do
			vault read stashbase/workspaces/acme || vault write -force stashbase/workspaces/acme
			vault write -force stashbase/projects/acme/api
			vault write stashbase/environments/acme/api/$e locked=false
			done`)
		for line := range strings.Lines(family) {
			if command, ok := strings.CutPrefix(line, "    $ "); ok {
				s.run(t, command)
				ran++
			}
		}
	}
	if ran == 0 {
		t.Fatal("no command found: the test shows nothing")
	}
}

// session is a folder and a Vault to run commands in.
type session struct {
	dir string
	env []string
	log string // of the block before
}

func newSession(t *testing.T, o vaulttest.Options) *session {
	t.Helper()
	vault := needsVault(t)
	// Registered without a version, as the documents tell to.
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
	// Where `make build` leaves the plugin.
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(pluginBinary(t), filepath.Join(dir, "bin", vaulttest.PluginName)); err != nil {
		t.Fatal(err)
	}
	return &session{dir: dir, env: []string{
		"HOME=" + dir, "TMPDIR=" + t.TempDir(), "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"VAULT_ADDR=" + server.Address(), "VAULT_TOKEN=" + server.RootToken(),
	}}
}

func (s *session) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// follow does what a reader does with a block.
func (s *session) follow(t *testing.T, b block) {
	t.Helper()
	switch b.kind {
	case writes:
		s.write(t, b.file, b.text)
	case shows:
		if missing := firstMissing(b.text, s.log); missing != "" {
			t.Errorf("line %d shows %q, and the block before printed:\n%s", b.line, missing, s.log)
		}
	case succeeds, fails:
		out, err := s.execute(t, b.text)
		s.log = out
		if (err == nil) != (b.kind == succeeds) {
			t.Fatalf("the block of line %d ended with %v:\n%s\n%s", b.line, err, b.text, out)
		}
	}
}

// run is for commands that stand in no block.
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

// keepExports makes what one block exports hold for the next, as in a reader's shell.
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
	cmd.WaitDelay = time.Second // a command that leaves something running must not hold its output open
	err := cmd.Run()
	return out.String(), err
}

// firstMissing answers the first line shown that the output does not have after those before it; "" when it has all.
func firstMissing(shown, output string) string {
	rest := strings.Split(output, "\n")
	for line := range strings.Lines(shown) {
		if strings.TrimSpace(line) == "" || strings.TrimSpace(line) == "..." {
			continue
		}
		at := 0
		for at < len(rest) && !matches(line, rest[at]) {
			at++
		}
		if at == len(rest) {
			return strings.TrimSpace(line)
		}
		rest = rest[at+1:]
	}
	return ""
}

// matches compares a line shown with one printed: white space counts once, `...` is anything.
func matches(shown, printed string) bool {
	shown, printed = strings.Join(strings.Fields(shown), " "), strings.Join(strings.Fields(printed), " ")
	parts := strings.Split(shown, "...")
	if len(parts) == 1 {
		return shown == printed
	}
	for i, part := range parts {
		at := strings.Index(printed, strings.TrimSpace(part))
		if at < 0 || i == 0 && at != 0 {
			return false
		}
		printed = printed[at+len(strings.TrimSpace(part)):]
	}
	return parts[len(parts)-1] == "" || printed == ""
}

func vaultBinary() string {
	if path := os.Getenv("VAULT_BINARY"); path != "" {
		return path
	}
	return filepath.Join(root, "bin", "vault")
}

// needsVault skips as vaulttest does, for tests that start Vault without it.
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

// built is the plugin that all tests share: the one the harness is given, or else one built once.
var built = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("STASHBASE_PLUGIN_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	dir, err := os.MkdirTemp("", "examples")
	if err != nil {
		return "", err
	}
	buildDir = dir
	out := filepath.Join(dir, vaulttest.PluginName)
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", out, vaulttest.PluginPackage)
	cmd.Dir = root
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, text)
	}
	return out, nil
})

// buildDir is what built has made, and TestMain removes.
var buildDir string

func TestMain(m *testing.M) {
	code := m.Run()
	if buildDir != "" {
		_ = os.RemoveAll(buildDir)
	}
	os.Exit(code)
}

func pluginBinary(t *testing.T) string {
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

type kind int

const (
	succeeds kind = iota // a script that must succeed
	fails                // a script that must be refused
	shows                // what the script before it prints
	writes               // a file
)

type block struct {
	kind kind
	line int // of its fence, counted from 1
	file string
	text string
}

type document struct {
	options vaulttest.Options
	blocks  []block
}

func (d document) runs() bool {
	for _, b := range d.blocks {
		if b.kind == succeeds || b.kind == fails {
			return true
		}
	}
	return false
}

var errOpen = errors.New("a block is never closed")

// parse finds the blocks of a Markdown file that mean anything to a session. Fences inside lists may be indented.
func parse(text string) (document, error) {
	var doc document
	note, ran, lines := "", false, strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if said, ok := strings.CutPrefix(line, "<!-- test: "); ok {
			note = strings.TrimSuffix(said, " -->")
			switch note {
			case "no plugin":
				doc.options.NoPlugin, note = true, ""
			case "raft":
				doc.options.Storage, note = vaulttest.Raft, ""
			}
			continue
		}
		language, ok := strings.CutPrefix(line, "```")
		if !ok {
			if line != "" {
				note = ""
			}
			continue
		}
		indent := lines[i][:strings.Index(lines[i], "`")]
		b := block{line: i + 1}
		for i++; ; i++ {
			if i >= len(lines) {
				return doc, fmt.Errorf("line %d: %w", b.line, errOpen)
			}
			if strings.TrimSpace(lines[i]) == "```" {
				break
			}
			b.text += strings.TrimPrefix(lines[i], indent) + "\n"
		}
		known, err := b.decide(language, note, ran)
		if err != nil {
			return doc, fmt.Errorf("line %d: %w", b.line, err)
		}
		if known {
			doc.blocks = append(doc.blocks, b)
		}
		note, ran = "", known && b.kind != writes
	}
	return doc, nil
}

func (b *block) decide(language, note string, ran bool) (known bool, err error) {
	file, isFile := strings.CutPrefix(note, "file ")
	switch {
	case isFile:
		b.kind, b.file = writes, file
	case strings.HasPrefix(note, "not run, "):
		return false, nil
	case note == "fails" && language == "sh":
		b.kind = fails
	case note != "":
		return false, fmt.Errorf("the note %q means nothing here", note)
	case language == "sh":
		b.kind = succeeds
	case language == "text" && ran:
		b.kind = shows
	default:
		return false, nil
	}
	return true, nil
}
