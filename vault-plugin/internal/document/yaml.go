package document

import (
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// maxMarks is the largest number of characters that can separate YAML nodes. go.yaml.in/yaml/v3
// 3.0.6 offers no events, only the whole tree, and one byte of text can become a node of about 200
// bytes. With this limit, a tree took at most 300 MB. A document of 1 MiB, Vault's default limit
// for a string, exceeds the limit if more than every fourth character is a mark.
const maxMarks = 1 << 18

const oneMapping = "the document must be one YAML mapping of names and values"

// parseYAML parses one mapping of scalars. The value of a scalar is its text: 8080, no and 1.10
// stay these characters, whatever their YAML type. Anchors are refused, so no alias is ever
// expanded.
func parseYAML(content string) (map[string]string, error) {
	if err := checkYAML(content); err != nil {
		return nil, err
	}
	source := &lineReader{rest: content}
	decoder := yaml.NewDecoder(source)
	document, err := decodeYAML(decoder)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil // comments only
	case err != nil && strings.HasPrefix(err.Error(), "yaml: unknown anchor "):
		return nil, refuse(source.line(), "an alias in this line or before it; write out the value")
	case err != nil: // the parser's error may quote the content, and does not count lines consistently
		return nil, refuse(source.line(), "not valid YAML in this line or before it")
	}
	values, err := yamlValues(document)
	if err != nil {
		return nil, err
	}
	if after, err := decodeYAML(decoder); err == nil {
		return nil, refuse(after.Line, "a second YAML document; only one is allowed")
	} else if !errors.Is(err, io.EOF) {
		return nil, refuse(source.line(), "text after the end of the YAML document in this line or before it")
	}
	return values, nil
}

func yamlValues(document *yaml.Node) (map[string]string, error) {
	if len(document.Content) != 1 {
		return nil, refuse(1, oneMapping)
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Style == 0 && root.Value == "" && root.Anchor == "" {
		return nil, nil // nothing between the marks of a document
	}
	if root.Anchor != "" {
		return nil, anchored(root)
	}
	if root.Kind != yaml.MappingNode || root.ShortTag() != "!!map" {
		return nil, refuse(root.Line, oneMapping)
	}
	values, seen := make(map[string]string, min(MaxNames, len(root.Content)/2)), names{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if key.ShortTag() == "!!merge" {
			return nil, refuse(key.Line, "a merge key; write out the names and values")
		}
		if err := checkScalar(key, "name"); err != nil {
			return nil, err
		}
		if err := seen.add(key.Value, key.Line); err != nil {
			return nil, err
		}
		if err := checkScalar(value, "value"); err != nil {
			return nil, err
		}
		if value.ShortTag() == "!!null" {
			return nil, refuse(value.Line, `no value; write an empty value as ""`)
		}
		values[key.Value] = value.Value
	}
	return values, nil
}

// checkScalar returns an error if the node is not plain text. what is "name" or "value".
func checkScalar(node *yaml.Node, what string) error {
	switch {
	case node.Anchor != "" || node.Kind == yaml.AliasNode:
		return anchored(node)
	case node.Kind != yaml.ScalarNode:
		return refuse(node.Line, "a %s must be a scalar, not a list or mapping", what)
	case node.Style&yaml.TaggedStyle == 0: // the tag is derived from the text
		return nil
	}
	switch node.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!null":
		return nil
	case "!!binary":
		return refuse(node.Line, "the tag !!binary; import binary values with secrets (a map) and base64")
	default:
		return refuse(node.Line, "a tag; only !!str, !!int, !!float and !!bool are allowed")
	}
}

func anchored(node *yaml.Node) error {
	return refuse(node.Line, "an anchor or alias; write out the value")
}

// checkYAML refuses content before the parser builds a tree: characters that YAML does not allow or
// that its versions read differently, directives, and too many marks.
func checkYAML(content string) error {
	count := lines{text: content}
	marks := 0
	for i, r := range content {
		switch next := content[i+1:]; {
		case r == '\n':
			marks++
		case strings.ContainsRune(",[]{}", r), strings.ContainsRune("-?:", r) && (next == "" || strings.IndexByte(" \t\r\n,[]{}'\"", next[0]) >= 0):
			marks++
		case r == '%' && (i == 0 || content[i-1] == '\n'):
			return refuse(count.at(i), "a directive (a line that begins with '%%'); remove it")
		case r == '\r' && !strings.HasPrefix(next, "\n"):
			return refuse(count.at(i), `a carriage return without a line feed; write it as \r in double quotes`)
		case !printable(r):
			return refuse(count.at(i), `a character that YAML does not allow; write it as \uXXXX in double quotes`)
		}
	}
	if marks > maxMarks {
		return fault.New(fault.Limit, "content: more than %d line ends, commas, brackets and other YAML marks; use json", maxMarks)
	}
	return nil
}

// printable reports whether r belongs to https://yaml.org/spec/1.2.2/#51-character-set. It excludes
// the characters that are line ends only in YAML 1.1 (U+0085, U+2028, U+2029), and the byte order
// mark, which parsers drop.
func printable(r rune) bool {
	switch {
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	case r == '\u2028', r == '\u2029', r == '\ufeff', r == '\ufffe', r == '\uffff':
		return false
	default:
		return r < 0x7f || r >= 0xa0
	}
}

// decodeYAML returns the tree of the next document. Decoding into a Node does not expand aliases.
func decodeYAML(decoder *yaml.Decoder) (document *yaml.Node, err error) {
	defer func() {
		// The library panics on what it calls internal errors (3.0.6 decode.go, parser.parse). The
		// panic value may contain text of the document.
		if recover() != nil {
			err = errors.New("the YAML parser failed")
		}
	}()
	document = new(yaml.Node)
	return document, decoder.Decode(document)
}

// lineReader returns one line per Read, so its position shows how far the parser has read.
type lineReader struct {
	rest string
	ends int
	open bool // the last line is not read to its end
}

func (r *lineReader) Read(p []byte) (int, error) {
	if r.rest == "" {
		return 0, io.EOF
	}
	piece := r.rest[:min(len(p), len(r.rest))]
	if end := strings.IndexByte(piece, '\n') + 1; end > 0 {
		piece = piece[:end]
		r.ends++
		r.open = false
	} else {
		r.open = piece != ""
	}
	r.rest = r.rest[len(piece):]
	return copy(p, piece), nil
}

// line returns the last line of which the parser has read a part.
func (r *lineReader) line() int {
	if r.open {
		return r.ends + 1
	}
	return max(r.ends, 1)
}
