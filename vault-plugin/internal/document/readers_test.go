package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// toolsDir is the folder of the readers that are not part of this module.
const toolsDir = "../../../tools"

// reader is a program that reads documents of a format.
type reader struct {
	name   string // as the documentation names it
	format string
	// read returns the names and values of each document, or nil for a document that the reader
	// refuses. It runs in dir.
	read func(t *testing.T, dir string, documents []string) []map[string]string
}

// readers holds the readers of the formats with one assignment after another. JSON and YAML have
// tests of their own.
var readers = []reader{
	{"npm dotenv", Dotenv, nodeReader("dotenv")},
	{"npm dotenv, fast", Dotenv, nodeReader("dotenv-fast")},
	{"dotenvx 2", Dotenv, nodeReader("dotenvx")},
	{"dotenvx 1", Dotenv, nodeReader("dotenvx-1")},
	{"node --env-file", Dotenv, nodeReader("node")},
	{"compose-go", Dotenv, goReader("compose-go")},
	{"godotenv", Dotenv, goReader("godotenv")},
	{"python-dotenv", Dotenv, pythonReader},
	{"bash", Shell, shellReader("bash")},
	{"dash", Shell, shellReader("dash")},
	{"docker --env-file", Docker, goReader("docker")},
	{"systemd", Systemd, systemdReader},
}

// environment is what a reader sees of its environment: nothing that could replace a reference by
// accident, and a HOME, so that a reader that expands ${HOME} shows it.
func environment() []string { return []string{"PATH=" + os.Getenv("PATH"), "HOME=/home/reader"} }

// exchange sends the documents to a command and returns its results.
func exchange(t *testing.T, dir string, documents []string, command ...string) []map[string]string {
	t.Helper()
	input, err := json.Marshal(documents)
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command(command[0], command[1:]...)
	var problem bytes.Buffer
	run.Stdin, run.Stderr, run.Dir, run.Env = bytes.NewReader(input), &problem, dir, environment()
	output, err := run.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, &problem)
	}
	var results []map[string]string
	if err := json.Unmarshal(output, &results); err != nil || len(results) != len(documents) {
		t.Fatalf("%v: got %d results for %d documents, %v", command, len(results), len(documents), err)
	}
	return results
}

// npmFolder installs the readers of npm, once.
var npmFolder = sync.OnceValues(func() (string, error) {
	output, err := exec.Command(filepath.Join(toolsDir, "npm.sh"), "readers").Output()
	return strings.TrimSpace(string(output)), err
})

func nodeReader(name string) func(*testing.T, string, []string) []map[string]string {
	return func(t *testing.T, dir string, documents []string) []map[string]string {
		t.Helper()
		folder, err := npmFolder()
		if err != nil {
			absent(t, "npm with the packages of tools/readers", err)
		}
		if err := exec.Command("node", "-e", `process.exit(require("node:util").parseEnv ? 0 : 1)`).Run(); err != nil {
			absent(t, "Node 20.12 or newer", err)
		}
		return exchange(t, dir, documents, "node", filepath.Join(folder, "readers.cjs"), name)
	}
}

// builtReaders is the folder of the readers written in Go; empty if no test has built them.
var builtReaders string

func TestMain(m *testing.M) {
	status := m.Run()
	if builtReaders != "" {
		_ = os.RemoveAll(builtReaders)
	}
	os.Exit(status)
}

// goReaders builds the readers written in Go, once.
var goReaders = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "readers")
	if err != nil {
		return "", err
	}
	builtReaders = dir
	build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "readers"), ".")
	build.Dir = filepath.Join(toolsDir, "readers")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, output)
	}
	return filepath.Join(dir, "readers"), nil
})

func goReader(name string) func(*testing.T, string, []string) []map[string]string {
	return func(t *testing.T, dir string, documents []string) []map[string]string {
		t.Helper()
		binary, err := goReaders()
		if err != nil {
			absent(t, "the module tools/readers", err)
		}
		return exchange(t, dir, documents, binary, name)
	}
}

func pythonReader(t *testing.T, dir string, documents []string) []map[string]string {
	t.Helper()
	if err := exec.Command("python3", "-c", "import dotenv").Run(); err != nil {
		absent(t, "python3 with python-dotenv", err)
	}
	script, err := filepath.Abs(filepath.Join(toolsDir, "readers", "readers.py"))
	if err != nil {
		t.Fatal(err)
	}
	return exchange(t, dir, documents, "python3", script)
}

func shellReader(shell string) func(*testing.T, string, []string) []map[string]string {
	return func(t *testing.T, dir string, documents []string) []map[string]string {
		t.Helper()
		path, err := exec.LookPath(shell)
		if err != nil {
			absent(t, shell, err)
		}
		results := make([]map[string]string, len(documents))
		for i, document := range documents {
			results[i] = source(t, path, dir, document)
		}
		return results
	}
}

// source returns the environment of a shell after it has sourced a document with assignments, or nil
// if the shell fails. `set -a` exports assignments without `export`.
func source(t *testing.T, shell, dir, document string) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "document")
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.Command(shell, "-c", `set -a; . "$0" && exec env -0`, file)
	run.Dir, run.Env = dir, environment()
	output, err := run.Output()
	if err != nil {
		return nil
	}
	values := map[string]string{}
	for entry := range strings.SplitSeq(string(output), "\x00") {
		if name, value, found := strings.Cut(entry, "="); found && strings.HasPrefix(name, "N") {
			values[name] = value
		}
	}
	return values
}

// withNeighbours names the values N0000, N0001, … and puts another value after each of them. A
// reader that does not find the end of a value swallows the neighbour.
func withNeighbours(format string, values []string) (pairs []Pair, want map[string]string) {
	// Outside quotes, the second line would be an assignment, and its value a command.
	neighbour := "\nSTRAY=$(touch ran)\n"
	if format == Docker {
		neighbour = "next"
	}
	want = map[string]string{}
	for i, value := range values {
		name := fmt.Sprintf("N%04d", i)
		pairs = append(pairs, Pair{name, value}, Pair{name + "_NEXT", neighbour})
		want[name], want[name+"_NEXT"] = value, neighbour
	}
	return pairs, want
}

// Every reader reads every value unchanged that a strictly rendered document contains, and runs
// none.
func TestReadersReadEveryValueUnchanged(t *testing.T) {
	for _, reader := range readers {
		t.Run(reader.name, func(t *testing.T) {
			pairs, want := withNeighbours(reader.format, carried(t, reader.format, Strict))
			dir := t.TempDir()
			got := reader.read(t, dir, []string{render(t, reader.format, pairs)})[0]
			if got == nil {
				t.Fatal("the reader refuses the document")
			}
			same(t, got, want)
			nothingRan(t, dir)
		})
	}
}

// nothingRan fails if the reader has made a file in its folder: the values that run something call
// touch.
func nothingRan(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("a value was run: %v, %v", left, err)
	}
}

// commands holds values that run a command if a reader takes a part of them as code.
func commands() []string {
	var all []string
	for _, command := range []string{"$(touch ran)", "`touch ran`", "\n touch ran\n", "; touch ran; ", "${NOPE:-$(touch ran)}", "$((1+$(touch ran)))"} {
		for _, before := range []string{"", "'", `"`, `\`, `'"`, `it's \`, "'\r", "\r", `\\`, "''", "'\n"} {
			all = append(all, before+command, before+command+before, before+command+`\`, before+command+"'", before+`x\`)
		}
	}
	return all
}

// No reader runs a part of a value, strict or not. A shell must not source a dotenv document, but
// even then it runs nothing.
func TestNoReaderRunsAnything(t *testing.T) {
	documents := map[string][]string{}
	for _, value := range commands() {
		for _, format := range []string{Dotenv, Shell} {
			pairs, _ := withNeighbours(format, []string{value})
			d, err := Render(format, pairs, Lenient)
			if err == nil {
				documents[format] = append(documents[format], d.Content)
			}
		}
	}
	if len(documents[Dotenv]) < 50 || len(documents[Shell]) < 200 {
		t.Fatalf("only %d and %d documents are read", len(documents[Dotenv]), len(documents[Shell]))
	}
	everyone := append([]reader{{"bash, sourcing dotenv", Dotenv, shellReader("bash")}, {"dash, sourcing dotenv", Dotenv, shellReader("dash")}}, readers...)
	for _, reader := range everyone {
		if reader.format == Docker || reader.format == Systemd {
			continue // they run nothing and know no expansion
		}
		t.Run(reader.name, func(t *testing.T) {
			dir := t.TempDir()
			reader.read(t, dir, documents[reader.format])
			nothingRan(t, dir)
		})
	}
}

// The control: the test sees a command that a reader runs.
func TestTheReadersWouldRunACommand(t *testing.T) {
	for name, document := range map[string]string{"dotenvx 1": "A=\"it's \\$(touch ran)\"\n", "dotenvx 2": "A=\"it's \\$(touch ran)\"\n", "bash": "A=\"`touch ran`\"\n", "dash": "A=\"`touch ran`\"\n"} {
		for _, reader := range readers {
			if reader.name != name {
				continue
			}
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				reader.read(t, dir, []string{document})
				if left, _ := os.ReadDir(dir); len(left) != 1 {
					t.Errorf("%s ran nothing: %q", name, document)
				}
			})
		}
	}
}

// node --env-file reads a file, and util.parseEnv a string. Both have the same parser, which this
// test checks.
func TestNodeReadsFilesAsItParsesStrings(t *testing.T) {
	if err := exec.Command("node", "-e", `process.exit(require("node:util").parseEnv ? 0 : 1)`).Run(); err != nil {
		absent(t, "Node 20.12 or newer", err)
	}
	pairs, want := withNeighbours(Dotenv, carried(t, Dotenv, Strict))
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte(render(t, Dotenv, pairs)), 0o600); err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "--env-file="+file, "-e", "console.log(JSON.stringify(process.env))")
	node.Env = environment()
	output, err := node.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(output, &got); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(got, func(name, _ string) bool { return !strings.HasPrefix(name, "N") })
	same(t, got, want)
}

func TestTheDecoderOfTheFuzzTestReadsLikeAShell(t *testing.T) {
	pairs, want := numbered(carried(t, Shell, Strict))
	if got := posix(t, render(t, Shell, pairs)); !maps.Equal(got, want) {
		t.Error("the decoder reads differently from shells")
	}
}
