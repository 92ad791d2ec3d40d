package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// Pair is one secret: its name, and its value in UTF-8.
type Pair struct {
	Name  string
	Value string
}

// maxListed bounds the names in one error.
const maxListed = 50

const plainText = "text/plain; charset=utf-8"

var (
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// bare are values that every dotenv parser, and a shell, reads as they are without quotes.
	bare = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`)
)

// Render answers the pairs as one document in dotenv, json, yaml or shell, sorted by name and ending with a line end, and its
// media type. Parse reads the first three back to the same values. An error is fault.Invalid, names the secrets it is about, and
// holds no value.
func Render(format string, pairs []Pair) (content, contentType string, err error) {
	pairs = slices.SortedFunc(slices.Values(pairs), func(a, b Pair) int { return strings.Compare(a.Name, b.Name) })
	if err := checkPairs(pairs); err != nil {
		return "", "", err
	}
	switch format {
	case Dotenv:
		content, err = assignments(format, pairs, dotenvLine)
		return content, plainText, err
	case Shell:
		content, err = assignments(format, pairs, shellLine)
		return content, plainText, err
	case JSON:
		content, err = renderJSON(pairs)
		return content, "application/json", err
	case YAML:
		return renderYAML(pairs), "application/yaml", nil // RFC 9512
	default:
		return "", "", fault.New(fault.Invalid, "format: must be dotenv, json, yaml or shell")
	}
}

func checkPairs(pairs []Pair) error {
	for i, pair := range pairs {
		if i > 0 && pair.Name == pairs[i-1].Name {
			return fault.New(fault.Invalid, "format: %q would stand in the document twice", pair.Name)
		}
		if !utf8.ValidString(pair.Value) {
			return fault.New(fault.Invalid, "format: the value of %q is not UTF-8 and cannot stand in a document", pair.Name)
		}
	}
	return nil
}

// assignments renders what ends as variables of a process: names are identifiers, and a value ends at its first NUL.
func assignments(format string, pairs []Pair, line func(Pair) string) (string, error) {
	var refused []string
	for _, pair := range pairs {
		if !identifier.MatchString(pair.Name) {
			refused = append(refused, strconv.Quote(pair.Name))
		}
	}
	if len(refused) > 0 {
		return "", fault.New(fault.Invalid, "format: in %s, names are of A-Z, a-z, 0-9 and '_' and begin with no digit; not so %s; leave them out, or use json or yaml",
			format, listed(refused))
	}
	var text strings.Builder
	for _, pair := range pairs {
		if strings.Contains(pair.Value, "\x00") {
			return "", fault.New(fault.Invalid, "format: the value of %q holds a NUL, which %s cannot; leave it out, or use json or yaml", pair.Name, format)
		}
		text.WriteString(line(pair))
	}
	if len(pairs) == 0 {
		return "\n", nil
	}
	return text.String(), nil
}

func listed(names []string) string {
	if more := len(names) - maxListed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), more)
	}
	return strings.Join(names, ", ")
}

// doubleQuotes writes the escapes that package dotenv reads.
var doubleQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "\n", `\n`, "\r", `\r`)

// dotenvLine prefers the forms in which a value stands as it is, for parsers agree on those. Double quotes are for the rest: a
// single quote, and the carriage return that would be lost to CRLF.
func dotenvLine(pair Pair) string {
	value := pair.Value
	switch {
	case bare.MatchString(value):
	case !strings.ContainsAny(value, "'\r"):
		value = "'" + value + "'"
	default:
		value = `"` + doubleQuotes.Replace(value) + `"`
	}
	return pair.Name + "=" + value + "\n"
}

// shellLine is for any POSIX shell (IEEE Std 1003.1, Shell Command Language, 2.2.2): inside single quotes every character is
// itself, and a single quote stands between two of them, after a backslash.
func shellLine(pair Pair) string {
	return "export " + pair.Name + "='" + strings.ReplaceAll(pair.Value, "'", `'\''`) + "'\n"
}

func renderJSON(pairs []Pair) (string, error) {
	object := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		object[pair.Name] = pair.Value
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(object)
	return text.String(), err
}

// renderYAML quotes everything, names too: NO is a name here and false in YAML 1.1.
func renderYAML(pairs []Pair) string {
	if len(pairs) == 0 {
		return "{}\n"
	}
	var text strings.Builder
	for _, pair := range pairs {
		quoteYAML(&text, pair.Name)
		text.WriteString(": ")
		quoteYAML(&text, pair.Value)
		text.WriteByte('\n')
	}
	return text.String()
}

// quoteYAML writes a double-quoted scalar of one line, with escapes that YAML 1.1 and 1.2 share for all that does not print: what
// is a line end or white space differs between the two.
func quoteYAML(text *strings.Builder, value string) {
	text.WriteByte('"')
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			text.WriteByte('\\')
			text.WriteRune(r)
		case r == '\n':
			text.WriteString(`\n`)
		case r == '\r':
			text.WriteString(`\r`)
		case r == '\t':
			text.WriteString(`\t`)
		case strconv.IsPrint(r):
			text.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(text, `\x%02X`, r)
		case r <= 0xffff:
			fmt.Fprintf(text, `\u%04X`, r)
		default:
			fmt.Fprintf(text, `\U%08X`, r)
		}
	}
	text.WriteByte('"')
}
