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
		{"LINES", "a\n b\n"}, {"WORLD", "Grüße 🔑"}, {"CR", "a\r\nb"}, {"DIR", `C:\dir\`}, {"ODD", "\u0085\ufeff\x7f"}, {"_1", "1.10"},
	}
	before := slices.Clone(pairs)
	for _, tc := range []struct {
		format      string
		contentType string
		want        string
	}{
		{Dotenv, "text/plain; charset=utf-8", `CR="a\r\nb"
DIR=C:\dir\
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
  "DIR": "C:\\dir\\",
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
"DIR": "C:\\dir\\"
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
export DIR='C:\dir\'
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
		{Systemd, "text/plain; charset=utf-8", `CR="a` + "\r" + `
b"
DIR="C:\\dir\\"
EMPTY=""
LINES="a
 b
"
NO=yes
ODD="` + "\u0085\ufeff\x7f" + `"
QUOTE="it's \"\$5\" \\n"
URL="postgres://u:p@h/d?a=b&c=<d>"
WORLD="Grüße 🔑"
_1=1.10
`},
	} {
		t.Run(tc.format, func(t *testing.T) {
			d, err := Render(tc.format, pairs, Lenient)
			if err != nil || d.Content != tc.want || d.ContentType != tc.contentType {
				t.Errorf("got %s, %v\n%s\nwant\n%s", d.ContentType, err, d.Content, tc.want)
			}
			var changed []string
			if tc.format == Dotenv {
				changed = []string{"CR", "QUOTE"}
			}
			if !slices.Equal(d.Changed, changed) {
				t.Errorf("got the changed values %q, want %q", d.Changed, changed)
			}
		})
	}
	if !slices.Equal(pairs, before) {
		t.Error("Render sorted the caller's slice")
	}
}

func TestDockerTakesTheRestOfALine(t *testing.T) {
	const want = "A= two words  # ' \"$5\" \\\nB=\n"
	d, err := Render(Docker, []Pair{{"B", ""}, {"A", ` two words  # ' "$5" \`}}, Strict)
	if err != nil || d.Content != want || d.ContentType != plainText {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestAnEmptyDocumentEndsWithALineEnd(t *testing.T) {
	for format, want := range map[string]string{Dotenv: "\n", Shell: "\n", Docker: "\n", Systemd: "\n", JSON: "{}\n", YAML: "{}\n"} {
		d, err := Render(format, nil, Strict)
		if err != nil || d.Content != want {
			t.Errorf("%s: got %q, %v", format, d.Content, err)
		}
	}
}

func TestWhatAFormatCannotRepresentIsRefusedByName(t *testing.T) {
	var many []Pair
	var first []string
	for i := range 60 {
		many = append(many, Pair{fmt.Sprintf("n-%02d", i), ""})
		if i < 50 {
			first = append(first, fmt.Sprintf(`"n-%02d"`, i))
		}
	}
	const rule = ": a name must consist of A-Z, a-z, 0-9 and '_' and must not begin with a digit; exclude them, use json, yaml"
	assigned := []string{Dotenv, Shell, Docker, Systemd}
	for _, tc := range []struct {
		name    string
		formats []string
		pairs   []Pair
		want    string // %[1]s is the format
	}{
		{"names that are no identifiers", assigned, []Pair{{"d.e", "x"}, {"B", ""}, {"a-c", "\x00"}}, `%[1]s cannot carry the names of "a-c", "d.e"` + rule},
		{"many such names", assigned, many, "%[1]s cannot carry the names of " + strings.Join(first, ", ") + " and 10 more" + rule},
		{"a NUL", assigned, []Pair{{"B", "a\x00b"}, {"A", ""}}, `%[1]s cannot carry the values of "B": an environment variable cannot contain a NUL; exclude them, use json, yaml`},
		{"a line end", []string{Docker}, []Pair{{"B", "a\nb"}, {"A", "\r"}}, `docker cannot carry the values of "A", "B": docker has no quotes, so a value ends at the first line end; exclude them, use json, yaml, shell, systemd`},
		{"a long line", []string{Docker}, []Pair{{"B", strings.Repeat("x", 65_534)}}, `docker cannot carry the values of "B": docker reads lines of less than 64 KiB; exclude them, use json, yaml, shell, systemd, dotenv`},
		{"a noncharacter", []string{Systemd}, []Pair{{"B", "\ufffe"}, {"A", "\ufdef"}, {"C", "\U0010ffff"}, {"D", "\ufdcf\ufdf0\ufffd"}}, `systemd cannot carry the values of "A", "B", "C": systemd drops values with Unicode noncharacters, such as U+FFFE; exclude them, use json, yaml, shell, docker, dotenv`},
		{"bytes that are no text", Formats(), []Pair{{"B", "a\xff"}}, `the value of "B" is not UTF-8, so a document cannot contain it`},
		{"a name twice", Formats(), []Pair{{"B", "1"}, {"A", ""}, {"B", "2"}}, `the document would contain "B" twice`},
		{"another format", []string{"", "toml", "YAML"}, []Pair{{"B", "1"}}, "must be dotenv, json, yaml, shell, docker or systemd"},
	} {
		for _, format := range tc.formats {
			t.Run(tc.name+" in "+format, func(t *testing.T) {
				want := "invalid: format: " + tc.want
				if strings.Contains(want, "%") {
					want = fmt.Sprintf(want, format)
				}
				for _, strictness := range []Strictness{Strict, Lenient} {
					d, err := Render(format, tc.pairs, strictness)
					if d.Content != "" || !fault.Is(err, fault.Invalid) || err.Error() != want {
						t.Errorf("\n got %+v, %v\nwant %s", d, err, want)
					}
				}
			})
		}
	}
	if d, err := Render(Docker, []Pair{{"B", strings.Repeat("x", 65_533)}}, Strict); err != nil || len(d.Content) != 64<<10 {
		t.Errorf("the longest line for docker: got %d bytes, %v", len(d.Content), err)
	}
}

// A dotenv document is portable: values that readers disagree about are refused unless the caller
// accepts that, and values that could run as a command are always refused.
func TestDotenvIsPortableUnlessLenient(t *testing.T) {
	const disagree = `invalid: format: dotenv cannot carry the values of "B": readers of dotenv files disagree about a carriage return, ${, and ' together with \, ", $ or ` +
		"`; exclude them, use json, yaml, shell, "
	for _, value := range []string{"a\rb", "\r\n", "${HOME}", "x${", `it's \n`, `'"`, "it's $5", `\'x`} {
		_, err := Render(Dotenv, []Pair{{"A", "x"}, {"B", value}}, Strict)
		if err == nil || !strings.HasPrefix(err.Error(), disagree) || !strings.HasSuffix(err.Error(), ", or set strict=false if you know the reader") {
			t.Errorf("%q: got %v", value, err)
		}
		d, err := Render(Dotenv, []Pair{{"A", "x"}, {"B", value}}, Lenient)
		if err != nil || !slices.Equal(d.Changed, []string{"B"}) {
			t.Errorf("%q: got %q, %v", value, d.Changed, err)
		}
	}
	for _, value := range []string{"it's `id`", "'$(id)", "\r`", "\r$(", `two words\`, `it's\`, "a\n\\", `"\`} {
		for _, strictness := range []Strictness{Strict, Lenient} {
			if d, err := Render(Dotenv, []Pair{{"B", value}}, strictness); d.Content != "" || !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "strict=false") {
				t.Errorf("%q: got %+v, %v", value, d, err)
			}
		}
	}
	for _, value := range []string{"", "it's", "''\n''", "`id`", "$(id)", "$HOME $", `C:\dir`, `C:\dir\`, `\`, `\\`, `a\"$b`, "{}"} {
		if d, err := Render(Dotenv, []Pair{{"B", value}}, Strict); err != nil || len(d.Changed) > 0 {
			t.Errorf("%q: got %q, %v", value, d.Changed, err)
		}
	}
}

// Names and values that environment variables cannot represent are possible in JSON and YAML.
func TestJSONAndYAMLRepresentAllNamesAndNUL(t *testing.T) {
	for _, format := range []string{JSON, YAML} {
		d, err := Render(format, []Pair{{"a.b-c", "\x00"}}, Strict)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Parse(format, d.Content); err != nil || got["a.b-c"] != "\x00" {
			t.Errorf("%s: got %q, %v", format, got, err)
		}
	}
}
