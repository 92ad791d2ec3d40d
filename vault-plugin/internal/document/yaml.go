package document

import (
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// maxMarks bounds what separates one YAML node from the next. go.yaml.in/yaml/v3 3.0.6 offers no events, only the whole tree, and
// makes a node of about 200 bytes out of as little as one byte of text; with the bound, a tree takes some 200 MB at the most. A
// document of Vault's usual largest string (1 MiB) meets it when every fourth character is a mark.
const maxMarks = 1 << 18

const oneMapping = "the document must be one YAML mapping of names and values"

// parseYAML reads one mapping of scalars, each as it is written: 8080, no and 1.10 are these characters, whatever type a YAML
// reader would make of them. Anchors are refused where they stand, before there is an alias to expand.
func parseYAML(content string) (map[string]string, error) {
	if err := checkYAML(content); err != nil {
		return nil, err
	}
	source := &lineReader{rest: content}
	decoder := yaml.NewDecoder(source)
	document, err := decodeYAML(decoder)
	switch {
	case errors.Is(err, io.EOF):
		return nil, refuse(1, oneMapping+"; the empty one is written {}")
	case err != nil && strings.HasPrefix(err.Error(), "yaml: unknown anchor "):
		return nil, refuse(source.line(), "in this line or before it, an alias; write the value out")
	case err != nil: // its text may quote the content, and counts lines now from 0, now from 1
		return nil, refuse(source.line(), "not valid YAML, in this line or before it")
	}
	values, err := yamlValues(document)
	if err != nil {
		return nil, err
	}
	if after, err := decodeYAML(decoder); err == nil {
		return nil, refuse(after.Line, "a second YAML document; one is taken")
	} else if !errors.Is(err, io.EOF) {
		return nil, refuse(source.line(), "text after the end of the YAML document, in this line or before it")
	}
	return values, nil
}

func yamlValues(document *yaml.Node) (map[string]string, error) {
	if len(document.Content) != 1 {
		return nil, refuse(1, oneMapping)
	}
	root := document.Content[0]
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
			return nil, refuse(key.Line, "a merge key; write the names and values out")
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
			return nil, refuse(value.Line, `no value; an empty one is written ""`)
		}
		values[key.Value] = value.Value
	}
	return values, nil
}

// checkScalar refuses what is no plain text. what is "name" or "value".
func checkScalar(node *yaml.Node, what string) error {
	switch {
	case node.Anchor != "" || node.Kind == yaml.AliasNode:
		return anchored(node)
	case node.Kind != yaml.ScalarNode:
		return refuse(node.Line, "a %s must be a scalar, no list and no mapping", what)
	case node.Style&yaml.TaggedStyle == 0: // the tag is what a reader would make of the text
		return nil
	}
	switch node.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!null":
		return nil
	case "!!binary":
		return refuse(node.Line, "the tag !!binary; import binary values through the map, in base64")
	default:
		return refuse(node.Line, "a tag; only !!str, !!int, !!float and !!bool are taken")
	}
}

func anchored(node *yaml.Node) error {
	return refuse(node.Line, "an anchor or alias; write the value out")
}

// checkYAML refuses what a tree must not be made of: characters that YAML does not have or that its versions read differently,
// directives, and too many marks.
func checkYAML(content string) error {
	count := lines{text: content}
	if i := invalidUTF8(content); i >= 0 {
		return notUTF8(count.at(i))
	}
	marks := 0
	for i, r := range content {
		switch next := content[i+1:]; {
		case r == '\n':
			marks++
		case strings.ContainsRune(",[]{}", r), strings.ContainsRune("-?:", r) && (next == "" || strings.IndexByte(" \t\r\n,[]{}'\"", next[0]) >= 0):
			marks++
		case r == '%' && (i == 0 || content[i-1] == '\n'):
			return refuse(count.at(i), "a directive, beginning with '%%'; write the document without one")
		case r == '\r' && !strings.HasPrefix(next, "\n"):
			return refuse(count.at(i), `a carriage return without a line feed; in double quotes it is written \r`)
		case !printable(r):
			return refuse(count.at(i), `a character that cannot stand in YAML; in double quotes it is written \uXXXX`)
		}
	}
	if marks > maxMarks {
		return fault.New(fault.Limit, "content: more than %d line ends, commas, brackets and other marks of YAML; send it as json", maxMarks)
	}
	return nil
}

// printable are the characters of https://yaml.org/spec/1.2.2/#51-character-set, without those that are line ends in YAML 1.1 and
// none in 1.2 (U+0085, U+2028, U+2029), and without the byte order mark, which parsers drop.
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

// decodeYAML makes the tree of the next document. Decoding into a Node follows no alias.
func decodeYAML(decoder *yaml.Decoder) (document *yaml.Node, err error) {
	defer func() {
		// The library has panics of its own for what it calls internal errors (3.0.6 decode.go, parser.parse), with text in them.
		if recover() != nil {
			err = errors.New("the YAML parser gave up")
		}
	}()
	document = new(yaml.Node)
	return document, decoder.Decode(document)
}

// lineReader hands out one line at a time, and so knows how far the parser has come.
type lineReader struct {
	rest string
	ends int
	open bool // the last line handed out has no end yet
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

// line is the last one that the parser has seen of.
func (r *lineReader) line() int {
	if r.open {
		return r.ends + 1
	}
	return max(r.ends, 1)
}
