package document

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/joho/godotenv"
	"go.yaml.in/yaml/v3"
)

// awkward holds values that at least one reader has parsed wrongly. None contains NUL, which no
// variable can hold.
func awkward() []string {
	values := []string{
		"", " ", "  a  ", "\t", "\n", "\n\n", "a\n", "\na", "a\r\nb", "\r", "a\rb", "it's", "''", "'a'", `"a"`, `a"b'c`, "`id`", "$(id)", "$HOME", "${HOME}", "pa$$WORD", `\$A`, "it's $HOME",
		`\`, `a\`, `\\`, `\'`, `\n`, `C:\new\table`, `it's \n`, "#a", "a #b", "a#b", "!!", "!$", "~", "~root", "*", "?", "[a]", "{a,b}", "{}", "a;b", "a&b", "a|b", "a>b", "a<b", "(a)", "-n", "--", "=", "a=b", "=a",
		"null", "~", "no", "yes", "on", "y", "true", "1", "1.10", "0x1F", "0o17", "017", "1_000", "1:20", "1e3", ".inf", ".nan", "2024-01-01", "<<", "=", "&a", "*a", "!a", "!!str", "|", ">", "%a", "@a", "- a", "-", "? a", ": a", "a: b", ":", ",", "---", "...", "--- a", "# a", "a\n---\nb", "a\n...\n",
		"export A=b", "A=b\nB=c", "Grüße", "日本", "\U0001F511", "e\u0301", "\u0101\u0081\u0088", "\u00a0", "\u0085", "\u2028", "\u2029", "\ufeff", "a\ufeffb", "\ufffd", "\uffff", "\U0001ffff", "\U0010ffff", "\ue000", "\u200b", "\u202e", "\x7f", "\x1b[0m",
		`{"a": {"b": [1, "c"]}}`, "-----BEGIN KEY-----\nabc\n-----END KEY-----\n", "</script>", strings.Repeat("long ", 5_000), strings.Repeat("x\n", 1_000), strings.Repeat("'", 100), strings.Repeat(`\`, 101),
	}
	for r := rune(1); r <= 0xff; r++ {
		values = append(values, string(r), "a"+string(r)+"b", string(r)+string(r), "'"+string(r))
	}
	return values
}

func numbered(values []string) (pairs []Pair, byName map[string]string) {
	byName = map[string]string{}
	for i, value := range values {
		pairs = append(pairs, Pair{fmt.Sprintf("N%d", i), value})
		byName[pairs[i].Name] = value
	}
	return pairs, byName
}

func render(t *testing.T, format string, pairs []Pair) string {
	t.Helper()
	content, _, err := Render(format, pairs)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// same compares name by name, so that a failure shows one value.
func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if had, ok := got[name]; !ok || had != value {
			t.Errorf("%.80q was read as %.80q", value, had)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d names, want %d", len(got), len(want))
	}
}

// absent skips a comparison whose reader is not installed. In CI, a missing reader is a failure.
func absent(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI needs %s: %v", what, err)
	}
	t.Skipf("NOT COMPARED: it needs %s: %v", what, err)
}

func TestEveryValueComesBackThroughParse(t *testing.T) {
	pairs, want := numbered(awkward())
	for _, format := range []string{Dotenv, JSON, YAML} {
		t.Run(format, func(t *testing.T) {
			got, err := Parse(format, render(t, format, pairs))
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
		})
	}
}

func TestJSONReadsAsInTheStandardLibrary(t *testing.T) {
	pairs, want := numbered(awkward())
	var got map[string]string
	if err := json.Unmarshal([]byte(render(t, JSON, pairs)), &got); err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
}

// The document is decoded into any: a value that the library does not read as a string has another
// type.
func TestYAMLReadsAsStringsInTheLibrary(t *testing.T) {
	pairs, want := numbered(awkward())
	var read map[string]any
	if err := yaml.Unmarshal([]byte(render(t, YAML, pairs)), &read); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, value := range read {
		if text, ok := value.(string); ok {
			got[name] = text
		}
	}
	same(t, got, want)
}

// PyYAML reads YAML 1.1, in which many more words, also as names, are not strings.
func TestYAMLReadsAsStringsInPyYAML(t *testing.T) {
	const script = `
import json, sys, yaml
json.dump({str(k): v for k, v in yaml.safe_load(sys.stdin.buffer.read()).items()}, sys.stdout)`
	if err := exec.Command("python3", "-c", "import yaml").Run(); err != nil {
		t.Skipf("NOT COMPARED WITH A READER OF YAML 1.1: it needs python3 with PyYAML on the path: %v", err)
	}
	pairs, want := numbered(awkward())
	for _, name := range []string{"NO", "y", "on", "null", "True", "_", "_1", "e1"} {
		pairs, want[name] = append(pairs, Pair{name, name}), name
	}
	python := exec.Command("python3", "-c", script)
	python.Stdin = strings.NewReader(render(t, YAML, pairs))
	output, err := python.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(output, &got); err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
}

// readAlike reports whether other readers also read a value of a dotenv document unchanged. Node 20
// drops every carriage return and knows only the escape \n. A value with a single quote must
// therefore need no other escape.
func readAlike(value string) bool {
	return !strings.Contains(value, "\r") && (!strings.Contains(value, "'") || !strings.ContainsAny(value, `\"$`))
}

func carried(t *testing.T, by func(string) bool) ([]Pair, map[string]string) {
	t.Helper()
	var values []string
	for _, value := range awkward() {
		if by(value) {
			values = append(values, value)
		}
	}
	if len(values) < 1_000 {
		t.Fatalf("only %d values are compared", len(values))
	}
	return numbered(values)
}

func TestDotenvReadsAsInGodotenv(t *testing.T) {
	pairs, want := carried(t, func(value string) bool {
		return readAlike(value) && !strings.HasSuffix(value, `\`) // godotenv reads the backslash as an escape of the closing quote, also of a single quote
	})
	got, err := godotenv.Unmarshal(render(t, Dotenv, pairs))
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
}

func TestDotenvReadsAsInNode(t *testing.T) {
	if err := exec.Command("node", "-e", `process.exit(require("node:util").parseEnv ? 0 : 1)`).Run(); err != nil {
		absent(t, "Node 20.12 or newer", err)
	}
	pairs, want := carried(t, readAlike)
	node := exec.Command("node", "-e", `
		const content = require("node:fs").readFileSync(0, "utf8");
		console.log(JSON.stringify(require("node:util").parseEnv(content)));`)
	node.Stdin = strings.NewReader(render(t, Dotenv, pairs))
	output, err := node.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(output, &got); err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
}

func TestShellsReadEveryValueAndRunNone(t *testing.T) {
	pairs, want := numbered(append(awkward(), "$(touch ran)", "`touch ran`", "'; touch ran; '", "\n touch ran\n", "'\ntouch ran\n'"))
	content := render(t, Shell, pairs)
	for _, shell := range []string{"sh", "dash", "bash", "busybox"} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				if shell == "sh" || shell == "bash" {
					absent(t, shell, err)
				}
				t.Skipf("NOT COMPARED with %s, which is not here", shell)
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "secrets.sh"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"-c", ". ./secrets.sh && exec env -0"}
			if shell == "busybox" {
				args = append([]string{"sh"}, args...)
			}
			run := exec.Command(path, args...)
			run.Dir, run.Env = dir, []string{"PATH=" + os.Getenv("PATH")}
			output, err := run.Output()
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for entry := range strings.SplitSeq(string(output), "\x00") {
				if name, value, _ := strings.Cut(entry, "="); want[name] != "" || strings.HasPrefix(name, "N") {
					got[name] = value
				}
			}
			same(t, got, want)
			if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
				t.Errorf("a value was executed: %v, %v", left, err)
			}
		})
	}
	if decoded := posix(t, content); !maps.Equal(decoded, want) {
		t.Error("the decoder of the fuzz test reads differently from shells")
	}
}

// posix parses `export NAME='...'` lines: single-quoted text, and escaped single quotes between.
func posix(t *testing.T, content string) map[string]string {
	t.Helper()
	values := map[string]string{}
	for content != "" && content != "\n" {
		after, exported := strings.CutPrefix(content, "export ")
		name, rest, found := strings.Cut(after, "=")
		if !exported || !found {
			t.Fatalf("not an assignment: %.40q", content)
		}
		var value strings.Builder
		for !strings.HasPrefix(rest, "\n") {
			if after, ok := strings.CutPrefix(rest, `\'`); ok {
				value.WriteByte('\'')
				rest = after
				continue
			}
			quoted, ok := strings.CutPrefix(rest, "'")
			literal, after, closed := strings.Cut(quoted, "'")
			if !ok || !closed {
				t.Fatalf("outside quotes: %.40q", rest)
			}
			value.WriteString(literal)
			rest = after
		}
		values[name], content = value.String(), rest[1:]
	}
	return values
}
