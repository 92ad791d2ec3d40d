package dotenv

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

func TestValuesComeThroughAsWritten(t *testing.T) {
	for _, tc := range []struct {
		name    string
		content string
		want    []Pair
	}{
		{"nothing", "", nil},
		{"blank lines and comments", "\n  \n\t\r\n# a\n  # b=c\r\n#", nil},
		{"a plain value", "A=b", []Pair{{"A", "b", 1}}},
		{"an empty value", "A=\nB=  \t\nC=\"\"\nD=''", []Pair{{"A", "", 1}, {"B", "", 2}, {"C", "", 3}, {"D", "", 4}}},
		{"order and lines", "\nB=1\n# x\nA=2\n", []Pair{{"B", "1", 2}, {"A", "2", 4}}},
		{"white space around name and value", "  A =\t b c \t\n", []Pair{{"A", "b c", 1}}},
		{"other white space is the value's", "A=\u00a0b\u00a0", []Pair{{"A", "\u00a0b\u00a0", 1}}},
		{"export", "export A=1\nexport\t B=2\nexport=3\nexported=4", []Pair{{"A", "1", 1}, {"B", "2", 2}, {"export", "3", 3}, {"exported", "4", 4}}},
		{"every character a name may have", "a.b-C_1=x", []Pair{{"a.b-C_1", "x", 1}}},
		{"an inline comment", "A=b # c # d\nB=c\t#d", []Pair{{"A", "b", 1}, {"B", "c", 2}}},
		{"a number sign inside a value", "A=b#c\nB=https://x/#y", []Pair{{"A", "b#c", 1}, {"B", "https://x/#y", 2}}},
		{"equal signs, quotes and backslashes inside a value", `A=b=c=="d"'e'\n\`, []Pair{{"A", `b=c=="d"'e'\n\`, 1}}},
		{"dollars are characters", "A=$B${C}$$\\$\nB=\"$A ${A} \\$A\"\nC='$A'", []Pair{{"A", "$B${C}$$\\$", 1}, {"B", "$A ${A} $A", 2}, {"C", "$A", 3}}},
		{"single quotes are literal", `A=' a\n"b"\ # c ' # d`, []Pair{{"A", ` a\n"b"\ # c `, 1}}},
		{"double quotes with escapes", `A="\n\r\t\\\"\$ # '"# d`, []Pair{{"A", "\n\r\t\\\"$ # '", 1}}},
		{"an escaped backslash before the end", `A="a\\"`, []Pair{{"A", `a\`, 1}}},
		{"several lines in single quotes", "A='x\n # y\n\n'\nB=1", []Pair{{"A", "x\n # y\n\n", 1}, {"B", "1", 5}}},
		{"several lines in double quotes", "A=\"x\n\\n=y\"\nB=1", []Pair{{"A", "x\n\n=y", 1}, {"B", "1", 3}}},
		{"CRLF", "A=1\r\n\r\nB='x\r\ny'\r\nC=\"x\r\ny\" # z\r\nD=2\r", []Pair{{"A", "1", 1}, {"B", "x\ny", 3}, {"C", "x\ny", 5}, {"D", "2", 7}}},
		{"a carriage return in quotes", "A='x\ry'", []Pair{{"A", "x\ry", 1}}},
		{"a byte order mark", "\ufeffA=1", []Pair{{"A", "1", 1}}},
		{"a byte order mark elsewhere is a character", "A=\ufeff", []Pair{{"A", "\ufeff", 1}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Parse(tc.content)
			if err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("\n got %+v, %v\nwant %+v", got, err, tc.want)
			}
		})
	}
}

const looksLike = "\n  the document looks like %s; if it is, set format=%s"

func TestAmbiguousTextIsRefusedByLine(t *testing.T) {
	for _, tc := range []struct {
		name    string
		content string
		line    int
		want    string
	}{
		{"no equal sign", "A='1'\nhunter2\nB=2", 2, noEqualSign},
		{"no equal sign after an empty value", "A=\nhunter2\nB=2", 2, noEqualSign},
		{"a value of two lines without quotes", "A=1\nhunter2\nB=2", 2, noEqualSign + unquotedLines},
		{"a value of two lines with an equal sign", "A=1\nhunter+2=\nB=2", 2, badName + unquotedLines},
		{"an equal sign only in a later line", "hunter2\nB=2", 1, noEqualSign},
		{"an exported name without a value", "export A\nB=2", 1, noEqualSign},
		{"no name", "A='1'\n\n=hunter2", 3, badName},
		{"a name with a space", "A B=1", 1, badName},
		{"a name that begins with a digit", "1A=hunter2", 1, badName},
		{"a name in quotes", `"A"=1`, 1, badName},
		{"a name too long", strings.Repeat("A", 256) + "=1", 1, badName},
		{"a name with two dots", "A..B=1", 1, badName},
		{"YAML", "A: hunter2=", 1, badName + fmt.Sprintf(looksLike, "YAML", "yaml")},
		{"YAML after a mark", "--- # hunter2", 1, noEqualSign + fmt.Sprintf(looksLike, "YAML", "yaml")},
		{"a line of JSON", `"A": hunter2`, 1, noEqualSign + fmt.Sprintf(looksLike, "JSON", "json")},
		{"YAML after a value", "A=1\nB: hunter2", 2, noEqualSign + fmt.Sprintf(looksLike, "YAML", "yaml")},
		{"JSON", `{"A": "hunter2"}`, 1, noEqualSign + fmt.Sprintf(looksLike, "JSON", "json")},
		{"a list in JSON", `["hunter2="]`, 1, badName + fmt.Sprintf(looksLike, "JSON", "json")},
		{"three double quotes", "A=\"\"\"\nhunter2\n\"\"\"\nB=1", 1, tripleQuotes},
		{"three single quotes, never closed", "A='''hunter2\nB=1", 1, tripleQuotes},
		{"the same name twice", "A=1\nB=2\n\nA=1", 4, fmt.Sprintf(sameName, 1)},
		{"an unquoted value that begins with a number sign", "A=1\nB=#hunter2", 2, numberSign},
		{"a comment in the place of a value", "A= # hunter2", 1, numberSign},
		{"backticks", "A=`hunter2`", 1, backtick},
		{"an unknown escape", "A=1\nB=\"x\nhunter\\d\"", 3, badEscape},
		{"a line continuation", "A=\"hunter\\\n2\"", 1, badEscape},
		{"a backslash at the very end", `A="hunter2\`, 1, neverClosed},
		{"single quotes never closed", "A=1\nB='hunter2\nC=1\n", 2, neverClosed},
		{"double quotes never closed", "A=\"hunter2\\\"\n", 1, neverClosed},
		{"a quote inside single quotes", `A='hunter\'2'`, 1, afterClosing},
		{"text after a value over several lines", "A=\"x\ny\" hunter2", 2, afterClosing},
		{"lines that end with CR alone", "# x\rA=hunter2\r", 1, loneReturn},
		{"a carriage return in a value", "A=1\nB=hunter\r2", 2, loneReturn},
		{"a carriage return after quotes", "A='1'\r B=2", 1, loneReturn},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pairs, err := Parse(tc.content)
			want := fmt.Sprintf("invalid: content: line %d: %s", tc.line, tc.want)
			if pairs != nil || err == nil || err.Error() != want {
				t.Errorf("\n got %+v, %v\nwant %s", pairs, err, want)
			}
		})
	}
}

// A file is corrected in one pass: the error lists every fault, and what follows a fault is parsed.
func TestAllFaultsAreReported(t *testing.T) {
	const content = "A=1\nhunter2\n\nB=`x`\nA=2\nC=\"\\d\nx\" y\nD='ok'\n1E=\nF=\"open\nG"
	const want = "invalid: content: line 2: " + noEqualSign + unquotedLines +
		"\n  line 4: " + backtick +
		"\n  line 5: the same name as in line 1" +
		"\n  line 6: " + badEscape +
		"\n  line 7: " + afterClosing +
		"\n  line 9: " + badName +
		"\n  line 10: " + neverClosed
	if pairs, err := Parse(content); pairs != nil || err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %v", err, want)
	}
	for n, end := range map[int]string{maxFaults - 1: fmt.Sprintf("line %d: %s", maxFaults-1, noEqualSign), maxFaults: "were not read", 50: "were not read"} {
		_, err := Parse(strings.Repeat("hunter2\n", n))
		if err == nil || !strings.HasSuffix(err.Error(), end) || strings.Count(err.Error(), "line ") != min(n, maxFaults) {
			t.Errorf("%d faults: got %v", n, err)
		}
	}
}

// Work that grows with the square of the content would take minutes here.
func TestFaultsOfALargeDocumentAreFoundInTime(t *testing.T) {
	began := time.Now()
	for _, line := range []string{"x\n", "A=\"\"\"\n", "A='\n", "#\n"} {
		_, _ = Parse(strings.Repeat(line, MaxBytes/2/len(line)))
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestContentIsBounded(t *testing.T) {
	value := strings.Repeat("x", MaxBytes-len("A="))
	if pairs, err := Parse("A=" + value); err != nil || len(pairs) != 1 || pairs[0].Value != value {
		t.Errorf("content of the largest size: %v", err)
	}
	if pairs, err := Parse("A=" + value + "x"); pairs != nil || !fault.Is(err, fault.Limit) || err.Error() != "limit: content: more than 32 MiB" {
		t.Errorf("one byte more: got %v", err)
	}
}

// doubleQuoted and singleQuoted write a value in the quotes of the format.
func doubleQuoted(value string) string {
	return `"` + strings.NewReplacer("\\", `\\`, `"`, `\"`, "$", `\$`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(value) + `"`
}

func singleQuoted(value string) (string, bool) {
	return "'" + value + "'", !strings.Contains(value, "'") && !strings.Contains(value, "\r\n")
}

// saidOfContent matches every possible error. Only numbers of lines in it depend on the content.
var saidOfContent = func() *regexp.Regexp {
	var texts []string
	for _, text := range []string{noEqualSign, badName, loneReturn, numberSign, backtick, tripleQuotes, badEscape, neverClosed, afterClosing} {
		texts = append(texts, regexp.QuoteMeta(text))
	}
	fault := `line [0-9]+: (the same name as in line [0-9]+|(` + strings.Join(texts, "|") + `)(` + regexp.QuoteMeta(unquotedLines) + `)?)`
	return regexp.MustCompile(`^invalid: content: ` + fault + `(\n  ` + fault + `)*(\n  the lines after it were not read)?` +
		`(\n  the document looks like (JSON; if it is, set format=json|YAML; if it is, set format=yaml))?$`)
}()

// FuzzParse checks that Parse does not panic and returns only the listed errors. Names must be
// valid, lines must increase, and every value that is written in quotes must be parsed back.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "A=1\r\n", "A=\"\\", "A='\nB=1", "\ufeff#\n=", "export A=$B # c", "A=1\nA=2", "A=\xff", "A=#", "\x00", "A=\"\r\n\"x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pairs, err := Parse(text)
		if err != nil && (!fault.Is(err, fault.Invalid) || !saidOfContent.MatchString(err.Error())) {
			t.Fatalf("the error is not in the list: %q", err)
		}
		last := 0
		for _, pair := range pairs {
			if naming.CheckSecret("name", pair.Name) != nil || pair.Line <= last || pair.Line > 1+strings.Count(text, "\n") {
				t.Fatalf("got the pair %+v after line %d", pair, last)
			}
			last = pair.Line
		}
		if !utf8.ValidString(text) {
			return
		}
		want := []Pair{{"A", text, 1}, {"B", "end", 2}}
		if got, err := Parse("A=" + doubleQuoted(text) + " # c\nB=end"); err != nil || !slices.Equal(got, want) {
			t.Fatalf("in double quotes: got %+v, %v", got, err)
		}
		if single, ok := singleQuoted(text); ok {
			want[1].Line += strings.Count(text, "\n")
			if got, err := Parse("A=" + single + "\nB=end"); err != nil || !slices.Equal(got, want) {
				t.Fatalf("in single quotes: got %+v, %v", got, err)
			}
		}
	})
}
