// Package dotenv owns the dotenv format of imports: it parses names and values, each with its line.
// It knows nothing of secrets and their storage. The project has its own parser because a secret
// must be imported byte for byte, and errors end up in logs. Existing parsers replace `$NAME`
// inside values and put text of the line into their errors (joho/godotenv 1.5.1 parser.go,
// compose-go/v2
// 2.16.2 dotenv/parser.go).
//
// # Format
//
// A line is blank, a comment (`# ...`), or NAME=value. Spaces and tabs may surround NAME and `=`,
// and `export ` may precede NAME. Names follow the rule for secrets. Lines end with LF or CRLF. A
// byte order mark at the start is skipped.
//
//   - unquoted: the rest of the line without surrounding spaces and tabs. A `#` after a space or tab
//     begins a comment.
//   - 'single quoted': all text up to the next single quote, which may be on a later line.
//   - "double quoted": all text up to the next double quote. \n, \r, \t, \\, \" and \$ are escapes.
//
// A comment may follow a quoted value. `$` has no special meaning: nothing is expanded. A line end
// inside quotes is an LF, because editors may write CRLF. A value that contains a CR writes it as
// \r.
//
// Text that the known parsers read differently is refused: an unknown escape, an unquoted value
// that begins with '#' or a backtick, text after a closing quote, a carriage return without a line
// feed outside quotes, and a duplicate name.
package dotenv

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

// MaxBytes is the largest size of the content in bytes. It equals Vault's default limit for a
// request body (max_request_size, 32 MiB), so callers reach it only if that limit was raised.
const MaxBytes = 32 << 20

// Pair is a name and its value. Line is the line of the name, counted from 1.
type Pair struct {
	Name  string
	Value string
	Line  int
}

// blank is the white space of the format. Any other character may be part of a value.
const blank = " \t"

// Parse returns the pairs in the order of the text. An error is fault.Invalid, or fault.Limit if
// the content is too large. It gives the number of the line and contains no part of the content.
func Parse(content string) ([]Pair, error) {
	if len(content) > MaxBytes {
		return nil, fault.New(fault.Limit, "content: more than %d MiB", MaxBytes>>20)
	}
	p := &parser{rest: strings.TrimPrefix(content, "\ufeff"), line: 1, seen: map[string]int{}}
	if err := p.checkEncoding(); err != nil {
		return nil, err
	}
	var pairs []Pair
	for {
		p.rest = strings.TrimLeft(p.rest, blank)
		if p.rest == "" {
			return pairs, nil
		}
		if strings.IndexByte("#\r\n", p.rest[0]) >= 0 {
			if _, err := p.takeLine(); err != nil {
				return nil, err
			}
			continue
		}
		pair, err := p.pair()
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair)
	}
}

// parser is the state of a parse.
type parser struct {
	rest string         // the text that is not parsed yet
	line int            // the line in which rest begins
	seen map[string]int // the line of each name
}

// refuse returns an error about a line. what never contains text of the content.
func refuse(line int, what string) error {
	return fault.New(fault.Invalid, "%s: %s", at(line), what)
}

func at(line int) string { return fmt.Sprintf("content: line %d", line) }

// checkEncoding refuses text that is not UTF-8. JSON cannot carry such bytes: a read would return
// U+FFFD in their place.
func (p *parser) checkEncoding() error {
	for i, r := range p.rest {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(p.rest[i:]); size == 1 {
			return refuse(1+strings.Count(p.rest[:i], "\n"), "not UTF-8; import binary values with secrets (a map) and base64")
		}
	}
	return nil
}

func (p *parser) pair() (Pair, error) {
	pair := Pair{Line: p.line}
	name, value, found := strings.Cut(p.rest, "=")
	if !found || strings.Contains(name, "\n") {
		return pair, refuse(p.line, "no '=' after the name")
	}
	pair.Name = bareName(name)
	if err := naming.CheckSecret(at(p.line), pair.Name); err != nil {
		return pair, err
	}
	if first := p.seen[pair.Name]; first > 0 {
		return pair, refuse(p.line, fmt.Sprintf("the same name as in line %d", first))
	}
	p.seen[pair.Name] = p.line

	p.rest = strings.TrimLeft(value, blank)
	var err error
	switch {
	case strings.HasPrefix(p.rest, "'"):
		pair.Value, err = p.quoted('\'')
	case strings.HasPrefix(p.rest, `"`):
		pair.Value, err = p.quoted('"')
	default:
		pair.Value, err = p.unquoted()
	}
	return pair, err
}

// bareName removes white space and the shell's `export `. If no name follows, `export` is the name.
func bareName(text string) string {
	text = strings.TrimRight(text, blank)
	if after, ok := strings.CutPrefix(text, "export"); ok && after != strings.TrimLeft(after, blank) {
		return strings.TrimLeft(after, blank)
	}
	return text
}

// takeLine consumes and returns the rest of the line. A carriage return inside the line is an
// error: a file whose lines end with CR alone would be a single line, and a comment at its start
// would hide the rest.
func (p *parser) takeLine() (string, error) {
	text, rest, _ := strings.Cut(p.rest, "\n")
	text = strings.TrimSuffix(text, "\r")
	if strings.Contains(text, "\r") {
		return "", refuse(p.line, "a carriage return without a line feed; quote a value that contains one")
	}
	p.rest = rest
	p.line++
	return text, nil
}

func (p *parser) unquoted() (string, error) {
	line := p.line
	text, err := p.takeLine()
	if err != nil {
		return "", err
	}
	switch {
	case strings.HasPrefix(text, "#"):
		return "", refuse(line, `quote a value that begins with '#'; write an empty value before a comment as ""`)
	case strings.HasPrefix(text, "`"):
		return "", refuse(line, "backticks do not quote; use single or double quotes")
	}
	for i := 1; i < len(text); i++ {
		if text[i] == '#' && strings.IndexByte(blank, text[i-1]) >= 0 {
			text = text[:i]
			break
		}
	}
	return strings.TrimRight(text, blank), nil
}

// quoted parses from the opening quote to the end of the line that contains the closing quote.
func (p *parser) quoted(quote byte) (string, error) {
	opened := p.line
	var value strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == quote:
			p.rest = p.rest[i+1:]
			return value.String(), p.endQuoted()
		case c == '\\' && quote == '"':
			i++
			plain, ok := unescape(p.rest[i:])
			if !ok {
				return "", refuse(p.line, `an unknown escape; in double quotes, write a backslash as \\, or use single quotes`)
			}
			value.WriteByte(plain)
		case c == '\r' && strings.HasPrefix(p.rest[i:], "\r\n"):
			// The LF that follows is the line end.
		default:
			if c == '\n' {
				p.line++
			}
			value.WriteByte(c)
		}
	}
	return "", refuse(opened, "the opening quote has no closing quote")
}

// unescape returns the character of an escape. text begins after the backslash.
func unescape(text string) (byte, bool) {
	if text == "" {
		return 0, false
	}
	switch text[0] {
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case '\\', '"', '$':
		return text[0], true
	default:
		return 0, false
	}
}

func (p *parser) endQuoted() error {
	line := p.line
	text, err := p.takeLine()
	if err != nil {
		return err
	}
	if text = strings.TrimLeft(text, blank); text != "" && text[0] != '#' {
		return refuse(line, "text after the closing quote; a value in single quotes cannot contain a single quote")
	}
	return nil
}
