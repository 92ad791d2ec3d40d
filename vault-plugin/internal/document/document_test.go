package document

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/charset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

func TestValuesComeThroughAsWritten(t *testing.T) {
	for _, tc := range []struct {
		name    string
		format  string
		content string
		want    map[string]string
	}{
		{"dotenv", Dotenv, "\ufeff# x\nA=1\nexport B='two words'\n", map[string]string{"A": "1", "B": "two words"}},

		{"json", JSON, `{"A": "1", "b.C-d": "two\nlines", "E": ""}`, map[string]string{"A": "1", "b.C-d": "two\nlines", "E": ""}},
		{"json after a byte order mark", JSON, "\ufeff{\"A\":\"\ufeff\"}\n", map[string]string{"A": "\ufeff"}},
		{"json escapes", JSON, `{"A":"\ud83d\uDD11 \\ud800 \"\/\u0000","\u0042":"x"}`, map[string]string{"A": "\U0001F511 \\ud800 \"/\x00", "B": "x"}},
		{"json is not expanded", JSON, `{"A":"$B <&> ${C}"}`, map[string]string{"A": "$B <&> ${C}"}},

		{"yaml types are text", YAML, "PORT: 8080\nNO: no\nV: 1.10\nD: 2024-01-01\nO: 0o17\nE: 1e3\nI: .inf\nY: y\nL: 7" + strings.Repeat("0", 40),
			map[string]string{"PORT": "8080", "NO": "no", "V": "1.10", "D": "2024-01-01", "O": "0o17", "E": "1e3", "I": ".inf", "Y": "y", "L": "7" + strings.Repeat("0", 40)}},
		{"yaml quotes", YAML, "A: ' a ''b'\n\"B\": \"\\x41\\u00e9\\U0001F511\\0\\N\"\nC: \"\"\nD: \"null\"\nE: '~'", map[string]string{"A": " a 'b", "B": "Aé\U0001F511\x00\u0085", "C": "", "D": "null", "E": "~"}},
		{"yaml blocks", YAML, "A: |\n  - x: [1]\n  # y\nB: >-\n  a\n  b\nC: |2+\n   c\n\nD: |-\n  d", map[string]string{"A": "- x: [1]\n# y\n", "B": "a b", "C": " c\n\n", "D": "d"}},
		{"yaml core tags", YAML, "--- !!map\nA: !!str 1\nB: !!int '2'\nC: !!bool yes\nD: !!str\nE: !<tag:yaml.org,2002:float> 1.0\n...\n", map[string]string{"A": "1", "B": "2", "C": "yes", "D": "", "E": "1.0"}},
		{"yaml flow", YAML, `{A: 1, "B":"2", ? C : 3}`, map[string]string{"A": "1", "B": "2", "C": "3"}},
		{"yaml comments", YAML, "# a\n\nA: b # c\n  # d\nE: f#g\n# h", map[string]string{"A": "b", "E": "f#g"}},
		{"yaml CRLF", YAML, "\ufeffA: 1\r\nB: |\r\n  x\r\n  y\r\n", map[string]string{"A": "1", "B": "x\ny\n"}},
		{"yaml is not expanded", YAML, "A: $B ${C} <<\nB: a&b *c !d %e", map[string]string{"A": "$B ${C} <<", "B": "a&b *c !d %e"}},
		{"yaml on several lines", YAML, "A: a\n  b\n\n  c\nB: \"a \\\n  b\"\nC: 100%\n", map[string]string{"A": "a b\nc", "B": "a b", "C": "100%"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Parse(tc.format, tc.content)
			if err != nil || !maps.Equal(got, tc.want) {
				t.Errorf("\n got %q, %v\nwant %q", got, err, tc.want)
			}
		})
	}
}

// The complete list of what an error may say about a line, besides the texts of package dotenv.
const (
	badName     = "not a valid secret name; it must be " + naming.SecretRule
	sameName    = "the same name as in line "
	noJSON      = "not valid JSON"
	noObject    = "the document must be one JSON object of names and strings"
	afterObject = "text after the end of the JSON object"
	halfAPair   = `half of a surrogate pair; \ud800 to \udbff must be followed by \udc00 to \udfff`
	longName    = "the value must be a JSON string"
	digits      = "; JSON numbers can lose digits"
	flat        = "; an environment is one flat object"
	noYAML      = "not valid YAML in this line or before it"
	noMapping   = "the document must be one YAML mapping of names and values"
	anAlias     = "an alias in this line or before it; write out the value"
	anAnchor    = "an anchor or alias; write out the value"
	aMerge      = "a merge key; write out the names and values"
	valueScalar = "a value must be a scalar, not a list or mapping"
	nameScalar  = "a name must be a scalar, not a list or mapping"
	noValue     = `no value; write an empty value as ""`
	binaryTag   = "the tag !!binary; import binary values with secrets (a map) and base64"
	otherTag    = "a tag; only !!str, !!int, !!float and !!bool are allowed"
	secondDoc   = "a second YAML document; only one is allowed"
	afterDoc    = "text after the end of the YAML document in this line or before it"
	aDirective  = "a directive (a line that begins with '%'); remove it"
	loneReturn  = `a carriage return without a line feed; write it as \r in double quotes`
	noCharacter = `a character that YAML does not allow; write it as \uXXXX in double quotes`
)

func TestInvalidDocumentsAreRefusedByLine(t *testing.T) {
	for _, tc := range []struct {
		name    string
		format  string
		content string
		line    int
		want    string
	}{
		{"dotenv", Dotenv, "A='1'\nhunter2\n", 2, "no '=' after the name"},

		{"json array", JSON, `["hunter2"]`, 1, noObject},
		{"json string", JSON, "\n\"hunter2\"", 2, noObject},
		{"json null", JSON, "null", 1, noObject},
		{"json with a bad name", JSON, "{\n\"A\": \"1\",\n\"hunter 2\": \"x\"}", 3, badName},
		{"json with an empty name", JSON, `{"": "hunter2"}`, 1, badName},
		{"json twice the name", JSON, "{\"hunter2\": \"A\",\n\"B\": \"\",\n\"hunter2\": \"B\"}", 3, sameName + "1"},
		{"json twice the name, one escaped", JSON, `{"A": "1", "\u0041": "2"}`, 1, sameName + "1"},
		{"json with a comment", JSON, "{\n// hunter2\n\"A\": \"1\"}", 2, noJSON},
		{"json with a trailing comma", JSON, "{\"A\": \"1\",\n}", 2, noJSON},
		{"json without a comma", JSON, "{\"A\": \"1\"\n\"hunter2\": \"2\"}", 2, noJSON},
		{"json without a colon", JSON, `{"A" "hunter2"}`, 1, noJSON},
		{"json without quotes", JSON, "{\"A\":\nhunter2}", 2, noJSON},
		{"json with a bad escape", JSON, `{"A": "\hunter2"}`, 1, noJSON},
		{"json with a line end in a string", JSON, "{\"A\": \"hunter\n2\"}", 1, noJSON},
		{"json cut off", JSON, "{\"A\": \"1\",\n\"B\": \"hunter2", 2, noJSON},
		{"json cut off after a value", JSON, "{\"A\": \"hunter2\"\n", 2, noJSON},
		{"json twice", JSON, "{}\n{\"A\": \"hunter2\"}", 2, afterObject},
		{"json and text", JSON, "{\"A\": \"1\"}\n\nhunter2", 3, afterObject},
		{"json and a brace", JSON, `{"A": "1"}}`, 1, afterObject},
		{"json with half a pair", JSON, "{\n\"A\": \"\\ud83dhunter2\"}", 2, halfAPair},
		{"json with the second half", JSON, `{"A": "\udd11"}`, 1, halfAPair},
		{"json with two first halves", JSON, `{"A": "\ud83d\ud83d\udd11"}`, 1, halfAPair},
		{"json with half a pair at the end", JSON, `{"A": "x\ud83d"}`, 1, halfAPair},
		{"json that is no UTF-8", JSON, "{\n\"A\": \"hunter2\xff\"}", 2, charset.NotUTF8},
		{"json with a long name", JSON, `{"` + strings.Repeat("A", 65) + `": null}`, 1, longName},
		{"json with a long name and a number", JSON, `{"` + strings.Repeat("A", 65) + `": 1}`, 1, longName + digits},

		{"yaml scalar", YAML, "\nA=hunter2\n", 2, noMapping},
		{"yaml list", YAML, "- A: hunter2\n", 1, noMapping},
		{"yaml set", YAML, "!!set\nA: hunter2\n", 1, noMapping},
		{"yaml with a bad name", YAML, "A: 1\nhunter 2: x\n", 2, badName},
		{"yaml with a number for a name", YAML, "A: 1\n8080: x\n", 2, badName},
		{"yaml twice the name", YAML, "hunter2: A\nB: 1\n\"hunter2\": C\n", 3, sameName + "1"},
		{"yaml without a value", YAML, "A: 1\nB:\nC: 2\n", 2, noValue},
		{"yaml null", YAML, "A: null", 1, noValue},
		{"yaml tilde", YAML, "A: ~", 1, noValue},
		{"yaml tagged null", YAML, "A: !!null hunter2", 1, noValue},
		{"yaml list for a value", YAML, "A: 1\nB: [hunter2]", 2, valueScalar},
		{"yaml mapping for a value", YAML, "A: 1\nB:\n  C: hunter2", 3, valueScalar},
		{"yaml list for a name", YAML, "A: 1\n[hunter2]: B", 2, nameScalar},
		{"yaml anchor at a value", YAML, "A: 1\nB: &hunter2 x", 2, anAnchor},
		{"yaml anchor at a name", YAML, "A: 1\n&hunter2 B: x", 2, anAnchor},
		{"yaml anchor at the mapping", YAML, "&hunter2\nA: 1\nB: *hunter2", 1, anAnchor},
		{"yaml alias", YAML, "A: &x 1\nB: *x", 1, anAnchor},
		{"yaml alias of nothing", YAML, "A: 1\nB: *hunter2\n", 2, anAlias},
		{"yaml merge key", YAML, "A: 1\n<<: {B: hunter2}", 2, aMerge},
		{"yaml binary", YAML, "A: 1\nB: !!binary aHVudGVyMg==", 2, binaryTag},
		{"yaml own tag", YAML, "A: !hunter2 x", 1, otherTag},
		{"yaml timestamp tag", YAML, "A: !!timestamp 2024-01-01", 1, otherTag},
		{"yaml tag at a name", YAML, "A: 1\n!!binary B: x", 2, binaryTag},
		{"yaml tag at a list", YAML, "A: !!seq [hunter2]", 1, valueScalar},
		{"yaml twice", YAML, "A: 1\n---\nB: hunter2", 2, secondDoc},
		{"yaml with an empty second document", YAML, "A: 1\n---\n", 2, secondDoc},
		{"yaml and text", YAML, "{A: 1}\n}\n", 2, afterDoc},
		{"yaml after its end", YAML, "A: 1\n...\nB: hunter2\n", 3, afterDoc},
		{"yaml directive", YAML, "%YAML 1.2\n---\nA: 1", 1, aDirective},
		{"yaml directive later", YAML, "A: 1\n...\n%TAG ! tag:hunter2\n---\n", 3, aDirective},
		{"yaml with a tab for indentation", YAML, "A:\n\thunter2: x\n", 2, noYAML},
		{"yaml never closed", YAML, "A: 1\nB: \"hunter2\nC: 3\n", 3, noYAML},
		{"yaml with a bad escape", YAML, `A: "\hunter2"`, 1, noYAML},
		{"yaml with half a pair", YAML, `A: "\ud83d"`, 1, noYAML},
		{"yaml with two colons", YAML, "A: 1\nB: hunter2: x\nC: 3\n", 2, noYAML},
		{"yaml with a backtick", YAML, "A: `hunter2`", 1, noYAML},
		{"yaml indented otherwise", YAML, "A: 1\n  B: hunter2\n", 2, noYAML},
		{"yaml with a control character", YAML, "A: 1\nB: hunter2\x07\n", 2, noCharacter},
		{"yaml with a next line", YAML, "A: 1\nB: hunter2\u0085\n", 2, noCharacter},
		{"yaml with a line separator", YAML, "A: \"hunter2\u2028\"", 1, noCharacter},
		{"yaml with a byte order mark", YAML, "A: 1\n\ufeffB: hunter2", 2, noCharacter},
		{"yaml with a carriage return", YAML, "A: 1\nB: hunter2\rC: 3", 2, loneReturn},
		{"yaml that is no UTF-8", YAML, "A: 1\nB: hunter2\xff", 2, charset.NotUTF8},
	} {
		t.Run(tc.name, func(t *testing.T) {
			values, err := Parse(tc.format, tc.content)
			want := fmt.Sprintf("invalid: content: line %d: %s", tc.line, tc.want)
			if values != nil || err == nil || err.Error() != want {
				t.Errorf("\n got %q, %v\nwant %s", values, err, want)
			}
		})
	}
}

func TestTheErrorOfAJSONValueOfAnotherTypeHasItsName(t *testing.T) {
	longest := strings.Repeat("A", 64)
	for value, hint := range map[string]string{"8080": digits, "-1.5e3": digits, "true": "", "null": "", `{"B": "hunter2"}`: flat, `["hunter2"]`: flat} {
		for _, name := range []string{"PORT", longest} {
			values, err := Parse(JSON, fmt.Sprintf(`{"A": "hunter2", %q: %s}`, name, value))
			want := fmt.Sprintf("invalid: content: the value of %q must be a JSON string%s", name, hint)
			if values != nil || err == nil || err.Error() != want {
				t.Errorf("\n got %q, %v\nwant %s", values, err, want)
			}
		}
	}
}

// A document without secrets is most likely the wrong file, and mode=replace would delete everything.
func TestADocumentWithoutSecretsIsRefused(t *testing.T) {
	for format, contents := range map[string][]string{
		"":     {"", " \n\t\r\n", "\ufeff", "# hunter2\n\n#", "{}"},
		Dotenv: {"", "\n", "# hunter2\n"},
		JSON:   {"", "\n", "{}", " {\n} "},
		YAML:   {"", "# hunter2\n", "{}", "---\n", "---\n# hunter2\n...\n"},
	} {
		for _, content := range contents {
			values, err := Parse(format, content)
			if values != nil || err == nil || err.Error() != "invalid: content: "+holdsNothing {
				t.Errorf("%s %q: got %q, %v", format, content, values, err)
			}
		}
	}
}

func TestAnUndeclaredFormatIsRecognised(t *testing.T) {
	for content, want := range map[string]map[string]string{
		"A=1":                        {"A": "1"},
		"\ufeff# {\nA={}":            {"A": "{}"},
		`{"A": "1"}`:                 {"A": "1"},
		"\ufeff\r\n\t {\"A\":\"2\"}": {"A": "2"},
	} {
		if values, err := Parse("", content); err != nil || !maps.Equal(values, want) {
			t.Errorf("%q: got %q, %v", content, values, err)
		}
	}
	for content, want := range map[string]string{`["hunter2"]`: noObject, "hunter2": "no '=' after the name", "A: hunter2": "set format=yaml"} {
		if values, err := Parse("", content); values != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %q, %v, want %s", content, values, err, want)
		}
	}
}

// Vault's CLI puts U+FFFD in place of bytes that are not UTF-8. A value that lost its bytes would be
// stored without a word.
func TestContentThatLostBytesIsRefused(t *testing.T) {
	for _, format := range []string{"", Dotenv, JSON, YAML} {
		values, err := Parse(format, "\nA: hunter2\ufffd")
		if values != nil || err == nil || err.Error() != "invalid: content: line 2: "+charset.NotUTF8 {
			t.Errorf("%s: got %q, %v", format, values, err)
		}
		values, err = Parse(format, "\ufffd\ufffdA\x00=\x001\x00\n\x00B\x00=\x002\x00")
		if values != nil || err == nil || err.Error() != "invalid: content: "+charset.UTF16 {
			t.Errorf("%s: got %q, %v", format, values, err)
		}
	}
}

func TestTheFormatIsOneOfThree(t *testing.T) {
	for _, format := range []string{"hunter2", "JSON", Shell} {
		if values, err := Parse(format, "A=1"); values != nil || err == nil || err.Error() != "invalid: format: must be dotenv, json or yaml" {
			t.Errorf("%q: got %q, %v", format, values, err)
		}
	}
}

// The test searches the errors for every slice of four bytes of a planted value.
func TestErrorsContainNoPartOfAValue(t *testing.T) {
	const canary = "zQ7xK9wJ"
	leaks := func(t *testing.T, what, content string, err error) {
		t.Helper()
		for i := 0; err != nil && i+4 <= len(canary); i++ {
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, canary[i:i+4]) {
				t.Fatalf("%s of %q: %s", what, content, text)
			}
		}
	}
	pieces := []string{canary, "'", `"`, "\n", ": ", ":", "=", "{", "}", "[", ",", "&", "*", "!", "|", "%", "@", "`", "#", "\\", "<<", "\x00", "\xff", "---"}
	refused := 0
	for _, a := range pieces {
		for _, b := range pieces {
			for _, tail := range []string{"", "\n" + canary + ": 1", `, "B": "` + canary + `"}`} {
				for _, content := range []string{
					a + canary + b + tail, "A: " + a + canary + b + tail, "A=" + a + canary + b + tail, `{"A": ` + a + canary + b + tail, `{"A": "` + a + canary + b + `"` + tail,
					a + b + canary + tail, "A: " + a + b + canary + tail, `{"A": "` + canary + `"` + a + b + tail,
				} {
					for _, format := range []string{Dotenv, JSON, YAML, canary} {
						_, err := Parse(format, content)
						leaks(t, "Parse "+format, content, err)
						if err != nil {
							refused++
						}
					}
				}
			}
		}
		for _, format := range append(Formats(), canary) {
			for _, pairs := range [][]Pair{{{"A", canary + a}, {"b.c", canary}}, {{"A", canary + a}, {"A", canary}}, {{"A", "'" + canary + a}}} {
				_, err := Render(format, pairs, Strict)
				leaks(t, "Render "+format, a, err)
			}
		}
	}
	if refused < 50_000 {
		t.Errorf("only %d errors were searched", refused)
	}
}

// document returns a document of n names, each with the given value.
func document(t *testing.T, format string, n int, value string) string {
	t.Helper()
	pairs := make([]Pair, n)
	for i := range pairs {
		pairs[i] = Pair{fmt.Sprintf("N%d", i), value}
	}
	return render(t, format, pairs)
}

func TestDocumentsAreBounded(t *testing.T) {
	for _, format := range []string{Dotenv, JSON, YAML} {
		t.Run(format, func(t *testing.T) {
			if values, err := Parse(format, document(t, format, MaxNames, "x")); err != nil || len(values) != MaxNames {
				t.Errorf("the largest number of names: got %d, %v", len(values), err)
			}
			values, err := Parse(format, document(t, format, MaxNames+1, "x"))
			if values != nil || !fault.Is(err, fault.Limit) || err.Error() != "limit: content: more than 5000 names" {
				t.Errorf("one more name: got %d, %v", len(values), err)
			}
			values, err = Parse(format, strings.Repeat(" ", MaxBytes+1))
			if values != nil || !fault.Is(err, fault.Limit) || err.Error() != "limit: content: more than 32 MiB" {
				t.Errorf("one more byte: got %v", err)
			}
		})
	}
	// One format is enough to show that the largest document is accepted. The race detector makes
	// each of them slow.
	if values, err := Parse(JSON, `{"A":""}`+strings.Repeat(" ", MaxBytes-len(`{"A":""}`))); err != nil || len(values) != 1 {
		t.Errorf("the largest document: %v", err)
	}
}
