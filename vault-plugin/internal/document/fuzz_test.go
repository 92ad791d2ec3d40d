package document

import (
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/charset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

// saidOfContent matches every possible error of json and yaml. Only numbers, and one valid name of
// at most 64 bytes whose value is not a string, depend on the content.
var saidOfContent = func() *regexp.Regexp {
	var ofALine []string
	for _, text := range []string{
		badName, charset.NotUTF8, noJSON, noObject, afterObject, halfAPair, longName, longName + digits, longName + flat, noYAML, noMapping,
		anAlias, anAnchor, aMerge, valueScalar, nameScalar, noValue, binaryTag, otherTag, secondDoc, afterDoc, aDirective, loneReturn, noCharacter,
	} {
		ofALine = append(ofALine, regexp.QuoteMeta(text))
	}
	return regexp.MustCompile(`^(limit: content: more than [0-9]+ (names|MiB|line ends, commas, brackets and other YAML marks; use json)` +
		`|invalid: content: (` + regexp.QuoteMeta(holdsNothing) + `|` + regexp.QuoteMeta(charset.UTF16) + `)` +
		`|invalid: content: line [0-9]+: (` + sameName + `[0-9]+|` + strings.Join(ofALine, "|") + `)` +
		`|invalid: content: the value of "[A-Za-z_][A-Za-z0-9_.-]{0,63}" must be a JSON string(` + digits + `|` + flat + `)?)$`)
}()

func seeds(f *testing.F) {
	f.Helper()
	for _, seed := range []string{
		"", "{}", `{"A":"1"}`, `{"A":1}`, `{"A":"\ud83d\udd11"}`, `{"A":"\ud83d"}`, `{"A":"1","A":"2"}`, `{"A":"1"} x`, `{"A":["`, "\ufeff{",
		"A: 1\n", "A: |\n  x\n", "A: &a 1\nB: *a\n", "<<: {}\n", "A: !!binary x\n", "--- \nA: 1\n...\n---\n", "A: \"\\x41\"", "# x\n\nA:\n  # y\n- b\n # z\n", "%TAG ! x\n---\n", "? A\n: b\n", "A: \xff", "A: 'x\n\n y'", "[[[[", "A: >-\n\n\n  x\n", "\r", "\u0085",
		"A=1\n", "A='x'\nB=\"\\n\"",
	} {
		f.Add(seed)
	}
}

// FuzzParse checks that Parse does not panic and returns only the listed errors. Names must be
// valid, and other readers must find the same names and values.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, content string) {
		for _, format := range []string{Dotenv, JSON, YAML} {
			values, err := Parse(format, content)
			if err != nil && format != Dotenv && !saidOfContent.MatchString(err.Error()) {
				t.Fatalf("%s: the error is not in the list: %q", format, err)
			}
			for name, value := range values {
				if naming.CheckSecret("name", name) != nil || !utf8.ValidString(value) {
					t.Fatalf("%s: got %q=%q", format, name, value)
				}
			}
			if err == nil {
				readElsewhere(t, format, content, values)
			}
		}
	})
}

func readElsewhere(t *testing.T, format, content string, values map[string]string) {
	t.Helper()
	var theirs map[string]string
	var err error
	switch content := []byte(strings.TrimPrefix(content, "\ufeff")); format {
	case JSON:
		err = json.Unmarshal(content, &theirs)
	case YAML:
		var nodes map[string]yaml.Node
		err = yaml.Unmarshal(content, &nodes)
		theirs = map[string]string{}
		for name, node := range nodes {
			theirs[name] = node.Value
		}
	default:
		return
	}
	if err != nil || !maps.Equal(values, theirs) {
		t.Fatalf("%s: ours %q, theirs %q, %v", format, values, theirs, err)
	}
}

// FuzzRender checks that every value is read back from every document.
func FuzzRender(f *testing.F) {
	seeds(f)
	for _, value := range awkward() {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		want := map[string]string{"A": value, "NO": "'" + value, "z": value + "\n"}
		pairs := []Pair{{"z", value + "\n"}, {"A", value}, {"NO", "'" + value}}
		for _, format := range []string{Dotenv, JSON, YAML, Shell, Systemd} {
			d, err := Render(format, pairs, Lenient)
			if everything := format == JSON || format == YAML; everything && (err != nil) == utf8.ValidString(value) {
				t.Fatalf("%s: %v", format, err)
			}
			content := d.Content
			if err != nil || strings.Contains(value, "\ufffd") {
				continue
			}
			if !strings.HasSuffix(content, "\n") {
				t.Fatalf("%s: no line end: %q", format, content)
			}
			var got map[string]string
			switch format {
			case Shell:
				got = posix(t, content)
			case Systemd:
				got = systemdReader(t, "", []string{content})[0]
			default:
				got, err = Parse(format, content)
			}
			if err != nil || !maps.Equal(got, want) {
				t.Fatalf("%s: got %q, %v, want %q, by %q", format, got, err, want, content)
			}
		}
	})
}
