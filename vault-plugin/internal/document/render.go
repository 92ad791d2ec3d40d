package document

import (
	"bytes"
	"encoding/json"
	"fmt"
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

const plainText = "text/plain; charset=utf-8"

// Document is a rendered environment.
type Document struct {
	Content     string
	ContentType string // media type
	// Changed lists the secrets whose values some readers of the format change. It is empty unless
	// the document is rendered leniently.
	Changed []string
}

// Strictness selects what Render does with values that only some readers of a format keep unchanged.
type Strictness bool

// The two kinds of Strictness. With neither of them, a value is rendered that a reader could run as
// a command.
const (
	Strict  Strictness = true  // refuses these values
	Lenient Strictness = false // renders these values and lists their names
)

// Formats returns the formats of Render. The formats that carry most values come first.
func Formats() []string { return []string{JSON, YAML, Shell, Systemd, Docker, Dotenv} }

// Render returns the pairs as one document. The document is sorted by name and ends with a line
// end. Parse returns the same values for dotenv, json and yaml. An error is fault.Invalid. It gives
// the names of the secrets concerned and the formats that carry their values, and contains no value.
func Render(format string, pairs []Pair, strictness Strictness) (Document, error) {
	pairs = slices.SortedFunc(slices.Values(pairs), func(a, b Pair) int { return strings.Compare(a.Name, b.Name) })
	if !slices.Contains(Formats(), format) {
		return Document{}, fault.New(fault.Invalid, "format: must be dotenv, json, yaml, shell, docker or systemd")
	}
	if err := checkPairs(pairs); err != nil {
		return Document{}, err
	}
	changed, err := checkLimits(format, pairs, strictness)
	if err != nil {
		return Document{}, err
	}
	d := Document{ContentType: plainText, Changed: changed}
	switch format {
	case JSON:
		d.ContentType = "application/json"
		d.Content, err = renderJSON(pairs)
	case YAML:
		d.ContentType = "application/yaml" // RFC 9512
		d.Content = renderYAML(pairs)
	default:
		d.Content = assignments(pairs, lineOf[format])
	}
	return d, err
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
