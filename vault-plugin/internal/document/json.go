package document

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxQuoted is the largest name, in bytes, that an error quotes.
const maxQuoted = 64

// parseJSON parses one object whose values are strings (RFC 8259). It reads token by token. Nested
// values are therefore refused at their first bracket, and duplicate names are detected, where
// encoding/json would keep the last one.
func parseJSON(content string) (map[string]string, error) {
	r := &jsonReader{content: content, decoder: json.NewDecoder(strings.NewReader(content)), lines: lines{text: content}}
	r.decoder.UseNumber()
	opening, line, err := r.next()
	if err != nil {
		return nil, err
	}
	if opening != json.Delim('{') {
		return nil, refuse(line, "the document must be one JSON object of names and strings")
	}
	values, err := r.members()
	if err != nil {
		return nil, err
	}
	if _, err := r.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, refuse(r.line(), "text after the end of the JSON object")
	}
	return values, nil
}

type jsonReader struct {
	content string
	decoder *json.Decoder
	lines   lines
}

func (r *jsonReader) members() (map[string]string, error) {
	values, seen := map[string]string{}, names{}
	for {
		key, line, err := r.next()
		if err != nil {
			return nil, err
		}
		name, ok := key.(string)
		if !ok { // the closing brace: the decoder allows nothing else here
			return values, nil
		}
		if err := seen.add(name, line); err != nil {
			return nil, err
		}
		value, line, err := r.next()
		if err != nil {
			return nil, err
		}
		text, ok := value.(string)
		if !ok {
			return nil, wrongType(name, line, value)
		}
		values[name] = text
	}
}

// next returns the next token and the line in which the token begins.
func (r *jsonReader) next() (json.Token, int, error) {
	line, begin := r.line(), r.decoder.InputOffset()
	token, err := r.decoder.Token()
	if err != nil { // the decoder's error may quote the content
		return nil, line, refuse(line, "not valid JSON")
	}
	if _, ok := token.(string); ok && halfPair(r.content[begin:r.decoder.InputOffset()]) {
		return nil, line, refuse(line, `half of a surrogate pair; \ud800 to \udbff must be followed by \udc00 to \udfff`)
	}
	return token, line, nil
}

// line returns the line in which the next token begins.
func (r *jsonReader) line() int {
	offset := int(r.decoder.InputOffset())
	return r.lines.at(len(r.content) - len(strings.TrimLeft(r.content[offset:], " \t\r\n,:")))
}

// wrongType returns the error for a value that is not a string. name is a valid name.
func wrongType(name string, line int, value json.Token) error {
	hint := ""
	switch value.(type) {
	case json.Number:
		hint = "; JSON numbers can lose digits"
	case json.Delim:
		hint = "; an environment is one flat object"
	}
	if len(name) > maxQuoted {
		return refuse(line, "the value must be a JSON string%s", hint)
	}
	return invalid("the value of %q must be a JSON string%s", name, hint)
}

// halfPair reports whether the source of a valid JSON string contains half of a surrogate pair. The
// decoder would replace the escape with U+FFFD.
func halfPair(source string) bool {
	for i := strings.IndexByte(source, '"'); i < len(source); i++ {
		if source[i] != '\\' {
			continue
		}
		i++
		if source[i] != 'u' {
			continue
		}
		r := escaped(source[i-1:])
		i += len("XXXX")
		if !utf16.IsSurrogate(r) {
			continue
		}
		if utf16.DecodeRune(r, escaped(source[i+1:])) == utf8.RuneError {
			return true
		}
		i += len(`\uXXXX`)
	}
	return false
}

// escaped returns the number of the `\uXXXX` at the start of text, or 0.
func escaped(text string) rune {
	if len(text) < len(`\uXXXX`) || !strings.HasPrefix(text, `\u`) {
		return 0
	}
	n, err := strconv.ParseUint(text[2:6], 16, 16)
	if err != nil {
		return 0
	}
	return rune(n)
}
