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

// Pair is the name of a secret and its value in UTF-8.
type Pair struct {
	Name  string
	Value string
}

// maxListed is the largest number of names in one error.
const maxListed = 50

const plainText = "text/plain; charset=utf-8"

var (
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// bare matches values that every dotenv parser and every shell reads unchanged without quotes.
	bare = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`)
)

// Render returns the pairs as one document in dotenv, json, yaml or shell, and its media type. The
// document is sorted by name and ends with a line end. Parse returns the same values for the first
// three formats. An error is fault.Invalid. It gives the names of the secrets concerned and
// contains no value.
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
			return fault.New(fault.Invalid, "format: the document would contain %q twice", pair.Name)
		}
		if !utf8.ValidString(pair.Value) {
			return fault.New(fault.Invalid, "format: the value of %q is not UTF-8, so a document cannot contain it", pair.Name)
		}
	}
	return nil
}

// assignments renders the formats whose names become environment variables of a process. Names must
// be identifiers, and values must not contain NUL, which would end them.
func assignments(format string, pairs []Pair, line func(Pair) string) (string, error) {
	var refused []string
	for _, pair := range pairs {
		if !identifier.MatchString(pair.Name) {
			refused = append(refused, strconv.Quote(pair.Name))
		}
	}
	if len(refused) > 0 {
		return "", fault.New(fault.Invalid, "format: %s names must consist of A-Z, a-z, 0-9 and '_' and must not begin with a digit; exclude %s, or use json or yaml",
			format, listed(refused))
	}
	var text strings.Builder
	for _, pair := range pairs {
		if strings.Contains(pair.Value, "\x00") {
			return "", fault.New(fault.Invalid, "format: the value of %q contains a NUL, which %s cannot represent; exclude it, or use json or yaml", pair.Name, format)
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

// doubleQuotes writes the escapes that package dotenv parses.
var doubleQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "\n", `\n`, "\r", `\r`)

// dotenvLine writes a value without escapes where it can, because parsers agree on those forms.
// Double quotes are for the other values: those with a single quote, or with a carriage return,
// which parsers would drop as part of a CRLF.
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

// shellLine writes an assignment for any POSIX shell (IEEE Std 1003.1, Shell Command Language,
// 2.2.2). Inside single quotes, every character is literal. A single quote is written as '\”.
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

// renderYAML quotes names and values. Without quotes, the name NO would be false in YAML 1.1.
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

// quoteYAML writes a double-quoted scalar on one line. It escapes characters that do not print,
// with escapes that YAML 1.1 and 1.2 share, because the two versions define line ends and white
// space differently.
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
