package document

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

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

// carried returns the awkward values that a format carries, each in a document of its own.
func carried(t testing.TB, format string, strictness Strictness) []string {
	t.Helper()
	values := slices.DeleteFunc(awkward(), func(value string) bool {
		_, err := Render(format, []Pair{{"A", value}}, strictness)
		return err != nil
	})
	if len(values) < 900 {
		t.Fatalf("only %d values are compared", len(values))
	}
	return values
}

// numbered gives each value a name.
func numbered(values []string) (pairs []Pair, byName map[string]string) {
	byName = map[string]string{}
	for i, value := range values {
		pairs = append(pairs, Pair{fmt.Sprintf("N%d", i), value})
		byName[pairs[i].Name] = value
	}
	return pairs, byName
}

func render(t testing.TB, format string, pairs []Pair) string {
	t.Helper()
	d, err := Render(format, pairs, Strict)
	if err != nil {
		t.Fatal(err)
	}
	return d.Content
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

// A value with U+FFFD may be stored since an earlier release. Documents carry it, and Parse refuses it.
func TestEveryValueComesBackThroughParse(t *testing.T) {
	for _, format := range []string{Dotenv, JSON, YAML} {
		t.Run(format, func(t *testing.T) {
			pairs, want := numbered(slices.DeleteFunc(carried(t, format, Lenient), func(value string) bool { return strings.Contains(value, "\ufffd") }))
			d, err := Render(format, pairs, Lenient)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(format, d.Content)
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
		absent(t, "python3 with PyYAML, a reader of YAML 1.1", err)
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
