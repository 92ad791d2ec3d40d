package document

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

func TestRenderedDocuments(t *testing.T) {
	pairs := []Pair{
		{"URL", "postgres://u:p@h/d?a=b&c=<d>"}, {"NO", "yes"}, {"EMPTY", ""}, {"QUOTE", `it's "$5" \n`},
		{"LINES", "a\n b\n"}, {"WORLD", "Grüße 🔑"}, {"CR", "a\r\nb"}, {"ODD", "\u0085\ufeff\x7f"}, {"_1", "1.10"},
	}
	before := slices.Clone(pairs)
	for _, tc := range []struct {
		format      string
		contentType string
		want        string
	}{
		{Dotenv, "text/plain; charset=utf-8", `CR="a\r\nb"
EMPTY=''
LINES='a
 b
'
NO=yes
ODD='` + "\u0085\ufeff\x7f" + `'
QUOTE="it's \"\$5\" \\n"
URL='postgres://u:p@h/d?a=b&c=<d>'
WORLD='Grüße 🔑'
_1=1.10
`},
		{JSON, "application/json", `{
  "CR": "a\r\nb",
  "EMPTY": "",
  "LINES": "a\n b\n",
  "NO": "yes",
  "ODD": "` + "\u0085\ufeff\x7f" + `",
  "QUOTE": "it's \"$5\" \\n",
  "URL": "postgres://u:p@h/d?a=b&c=<d>",
  "WORLD": "Grüße 🔑",
  "_1": "1.10"
}
`},
		{YAML, "application/yaml", `"CR": "a\r\nb"
"EMPTY": ""
"LINES": "a\n b\n"
"NO": "yes"
"ODD": "\x85\uFEFF\x7F"
"QUOTE": "it's \"$5\" \\n"
"URL": "postgres://u:p@h/d?a=b&c=<d>"
"WORLD": "Grüße 🔑"
"_1": "1.10"
`},
		{Shell, "text/plain; charset=utf-8", `export CR='a` + "\r" + `
b'
export EMPTY=''
export LINES='a
 b
'
export NO='yes'
export ODD='` + "\u0085\ufeff\x7f" + `'
export QUOTE='it'\''s "$5" \n'
export URL='postgres://u:p@h/d?a=b&c=<d>'
export WORLD='Grüße 🔑'
export _1='1.10'
`},
	} {
		t.Run(tc.format, func(t *testing.T) {
			content, contentType, err := Render(tc.format, pairs)
			if err != nil || content != tc.want || contentType != tc.contentType {
				t.Errorf("got %s, %v\n%s\nwant\n%s", contentType, err, content, tc.want)
			}
		})
	}
	if !slices.Equal(pairs, before) {
		t.Error("Render sorted the caller's slice")
	}
}

func TestAnEmptyDocumentEndsWithALineEnd(t *testing.T) {
	for format, want := range map[string]string{Dotenv: "\n", Shell: "\n", JSON: "{}\n", YAML: "{}\n"} {
		content, _, err := Render(format, nil)
		if err != nil || content != want {
			t.Errorf("%s: got %q, %v", format, content, err)
		}
		if format == Shell {
			continue
		}
		if values, err := Parse(format, content); err != nil || len(values) != 0 {
			t.Errorf("%s: read back as %q, %v", format, values, err)
		}
	}
}

func TestWhatAFormatCannotRepresentIsRefusedByName(t *testing.T) {
	var many []Pair
	for i := range 60 {
		many = append(many, Pair{fmt.Sprintf("n-%02d", i), ""})
	}
	var first []string
	for i := range 50 {
		first = append(first, fmt.Sprintf(`"n-%02d"`, i))
	}
	const rule = " names must consist of A-Z, a-z, 0-9 and '_' and must not begin with a digit; exclude "
	for _, tc := range []struct {
		name    string
		formats []string
		pairs   []Pair
		want    string // %s is the format
	}{
		{"names that are no identifiers", []string{Dotenv, Shell}, []Pair{{"d.e", "x"}, {"B", ""}, {"a-c", "\x00"}}, "format: %[1]s" + rule + `"a-c", "d.e", or use json or yaml`},
		{"many such names", []string{Dotenv, Shell}, many, "format: %[1]s" + rule + strings.Join(first, ", ") + " and 10 more, or use json or yaml"},
		{"a NUL", []string{Dotenv, Shell}, []Pair{{"B", "a\x00b"}, {"A", ""}}, `format: the value of "B" contains a NUL, which %[1]s cannot represent; exclude it, or use json or yaml`},
		{"bytes that are no text", []string{Dotenv, Shell, JSON, YAML}, []Pair{{"B", "a\xff"}}, `format: the value of "B" is not UTF-8, so a document cannot contain it`},
		{"a name twice", []string{Dotenv, Shell, JSON, YAML}, []Pair{{"B", "1"}, {"A", ""}, {"B", "2"}}, `format: the document would contain "B" twice`},
		{"another format", []string{"", "toml", "YAML"}, []Pair{{"B", "1"}}, "format: must be dotenv, json, yaml or shell"},
	} {
		for _, format := range tc.formats {
			t.Run(tc.name+" in "+format, func(t *testing.T) {
				want := "invalid: " + tc.want
				if strings.Contains(want, "%") {
					want = fmt.Sprintf(want, format)
				}
				content, contentType, err := Render(format, tc.pairs)
				if content != "" || !fault.Is(err, fault.Invalid) || err.Error() != want {
					t.Errorf("\n got %q, %s, %v\nwant %s", content, contentType, err, want)
				}
			})
		}
	}
}

// Names and values that environment variables cannot represent are possible in JSON and YAML.
func TestJSONAndYAMLRepresentAllNamesAndNUL(t *testing.T) {
	for _, format := range []string{JSON, YAML} {
		content, _, err := Render(format, []Pair{{"a.b-c", "\x00"}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Parse(format, content); err != nil || got["a.b-c"] != "\x00" {
			t.Errorf("%s: got %q, %v", format, got, err)
		}
	}
}
