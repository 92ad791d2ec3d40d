package document

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables of the documentation")

const formatsPage = "../../../docs/reference/formats.md"

// kinds holds values of each kind that at least one format does not represent, or that at least one
// reader changes.
var kinds = []struct {
	name   string
	values []string
}{
	{"text on one line", []string{"plain", "two words", "Grüße 🔑", `"so" $5 \d #a`, "`id`", "$(id)", "$HOME"}},
	{"`'`", []string{"it's", "'", "''"}},
	{"several lines", []string{"a\nb", "a\n", "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"}},
	{"a carriage return", []string{"a\rb", "a\r\nb", "a\r"}},
	{"`${`", []string{"${HOME}", "a${NOPE}b"}},
	{"`'` and `\\`", []string{`it's \n`, `'\d`}},
	{"`'` and `\"`", []string{`it's "so"`}},
	{"`'` and `$`", []string{"it's $5"}},
	{"a path that ends in `\\`", []string{`C:\dir\`}},
	{"other text that ends in `\\`", []string{`two words\`, `it's\`}},
	{"`'`, and `$(` or a backtick", []string{"it's $(id)", "it's `id`"}},
	{"64 KiB or more", []string{strings.Repeat("x", 64<<10)}},
	{"Unicode noncharacters", []string{"a\ufffe", "\ufdd0"}},
	{"NUL", []string{"a\x00b"}},
}

// TestTheTablesOfTheDocumentation compares the tables with what Render and the readers do. A column
// whose reader is not installed is not compared.
func TestTheTablesOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile(formatsPage)
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for mark, table := range map[string][][]string{"formats": formatsTable(), "readers": readersTable(t)} {
		begin, end := fmt.Sprintf("<!-- begin: %s -->\n", mark), fmt.Sprintf("<!-- end: %s -->\n", mark)
		before, rest, found := strings.Cut(text, begin)
		have, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Fatalf("%s has no table %s", formatsPage, mark)
		}
		want := "\n" + markdown(table) + "\n"
		if have != want && !*update && !strings.Contains(want, notCompared) {
			t.Errorf("the table %s is not what the test found (go test -update rewrites it):\n%s", mark, want)
		}
		text = before + begin + want + end + after
	}
	if *update {
		if strings.Contains(text, notCompared) {
			t.Fatal("the tables need all readers")
		}
		if err := os.WriteFile(formatsPage, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const notCompared = "NOT COMPARED"

func markdown(table [][]string) string {
	var text strings.Builder
	for i, row := range table {
		text.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			text.WriteString(strings.Repeat("| --- ", len(row)) + "|\n")
		}
	}
	return text.String()
}

// formatsTable lists what each format does with each kind of value.
func formatsTable() [][]string {
	table := [][]string{append([]string{"a value with"}, Formats()...)}
	row := func(name string, cell func(format string) string) {
		line := []string{name}
		for _, format := range Formats() {
			line = append(line, cell(format))
		}
		table = append(table, line)
	}
	for _, kind := range kinds {
		row(kind.name, func(format string) string { return rendered(format, kind.values) })
	}
	row("a name with `.` or `-`", func(format string) string {
		if _, err := Render(format, []Pair{{"a.b-c", ""}}, Lenient); err != nil {
			return "no"
		}
		return "yes"
	})
	return table
}

// rendered returns how a format carries values: the worst case of all.
func rendered(format string, values []string) string {
	cell := "yes"
	for _, value := range values {
		pairs := []Pair{{"A", value}}
		if _, err := Render(format, pairs, Lenient); err != nil {
			return "no"
		}
		if _, err := Render(format, pairs, Strict); err != nil {
			cell = "`strict=false`"
		}
	}
	return cell
}

// readersTable lists what the readers of dotenv do with the kinds of values that only
// strict=false renders.
func readersTable(t *testing.T) [][]string {
	t.Helper()
	var lenient []int
	for i, kind := range kinds {
		if rendered(Dotenv, kind.values) == "`strict=false`" {
			lenient = append(lenient, i)
		}
	}
	table := [][]string{{"reader"}}
	for _, i := range lenient {
		table[0] = append(table[0], kinds[i].name)
	}
	for _, reader := range readers {
		if reader.format != Dotenv {
			continue
		}
		line := []string{reader.name}
		t.Run(reader.name, func(t *testing.T) {
			read := documentsOf(t, reader, lenient)
			for _, i := range lenient {
				line = append(line, outcome(reader.format, read, kinds[i].values))
			}
		})
		if len(line) == 1 {
			line = append(line, slices.Repeat([]string{notCompared}, len(lenient))...)
		}
		table = append(table, line)
	}
	return table
}

// documentsOf returns what a reader reads of each value of the given kinds. Each value has a document
// of its own.
func documentsOf(t *testing.T, r reader, of []int) map[string]map[string]string {
	t.Helper()
	var values, documents []string
	for _, i := range of {
		for _, value := range kinds[i].values {
			pairs, _ := withNeighbours(r.format, []string{value})
			d, err := Render(r.format, pairs, Lenient)
			if err != nil {
				t.Fatal(err)
			}
			values, documents = append(values, value), append(documents, d.Content)
		}
	}
	read := map[string]map[string]string{}
	for i, got := range r.read(t, t.TempDir(), documents) {
		read[values[i]] = got
	}
	return read
}

// outcome returns what a reader does with values of one kind: the worst case of all.
func outcome(format string, read map[string]map[string]string, values []string) string {
	words := []string{"same", "changed", "loses other values", "refuses the file"}
	worst := 0
	for _, value := range values {
		_, want := withNeighbours(format, []string{value})
		switch got := read[value]; {
		case got == nil:
			worst = max(worst, 3)
		case got["N0000_NEXT"] != want["N0000_NEXT"]:
			worst = max(worst, 2)
		case got["N0000"] != value:
			worst = max(worst, 1)
		}
	}
	return words[worst]
}
