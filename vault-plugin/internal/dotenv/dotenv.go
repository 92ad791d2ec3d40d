// Package dotenv reads dotenv text for an import of secrets: names and values, each with its line. It is written here because
// the parsers there are replace `$NAME` inside values, even by nothing, and put the text of the line into their errors
// (joho/godotenv 1.5.1 parser.go, compose-go/v2 2.16.2 dotenv/parser.go); a secret has to come through byte for byte, and an
// error about it ends in logs.
//
// # Format
//
// A line is blank, a comment (`# ...`), or NAME=value, with spaces and tabs allowed around NAME and `=` and an optional
// `export ` in front. Names obey the rule for secrets. Lines end with LF or CRLF; a byte order mark at the start is skipped.
//
//   - unquoted: the rest of the line without the spaces and tabs around it. A `#` after a space or tab begins a comment.
//   - 'single quoted': everything up to the next single quote as it stands, over several lines if need be.
//   - "double quoted": the same with \n, \r, \t, \\, \" and \$ for the characters they stand for.
//
// A quoted value may be followed by a comment. `$` is a character like any other: nothing is expanded. A line end inside quotes
// is an LF, for CRLF is the editor's; a value that holds a CR writes it \r.
//
// Where the known parsers disagree, and a value would depend on which of them the author had in mind, the text is refused: an
// unknown escape, an unquoted value beginning with '#' or a backtick, text after a closing quote, a carriage return alone
// outside quotes, a name given twice.
package dotenv

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

// MaxBytes bounds the content. It is Vault's own bound for a request body (max_request_size, 32 MiB by default), so only a caller
// past Vault meets it.
const MaxBytes = 32 << 20

// Pair is one secret, and the line its name stands in, counted from 1.
type Pair struct {
	Name  string
	Value string
	Line  int
}

// blank is the white space of the format. Every other character may be part of a value.
const blank = " \t"

// Parse answers the pairs in the order of the text. An error is fault.Invalid (fault.Limit when the content is too large), names
// the line by number, and holds nothing of the content.
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

// parser stands before rest, in a line.
type parser struct {
	rest string
	line int
	seen map[string]int // the line of each name
}

// refuse makes an error about a line; what never holds text of the content.
func refuse(line int, what string) error {
	return fault.New(fault.Invalid, "%s: %s", at(line), what)
}

func at(line int) string { return fmt.Sprintf("content: line %d", line) }

// checkEncoding refuses what JSON cannot carry: it would come back with U+FFFD in the place of the bytes.
func (p *parser) checkEncoding() error {
	for i, r := range p.rest {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(p.rest[i:]); size == 1 {
			return refuse(1+strings.Count(p.rest[:i], "\n"), "not UTF-8; import binary values through the map, in base64")
		}
	}
	return nil
}

func (p *parser) pair() (Pair, error) {
	pair := Pair{Line: p.line}
	name, value, found := strings.Cut(p.rest, "=")
	if !found || strings.Contains(name, "\n") {
		return pair, refuse(p.line, "there is no '=' after the name")
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

// bareName takes off white space and the shell's `export `, which is a name itself where none follows.
func bareName(text string) string {
	text = strings.TrimRight(text, blank)
	if after, ok := strings.CutPrefix(text, "export"); ok && after != strings.TrimLeft(after, blank) {
		return strings.TrimLeft(after, blank)
	}
	return text
}

// takeLine takes the rest of the line and goes to the next. A carriage return inside it is an error: in a file whose lines end
// with CR alone everything would be one line, and a comment at its start would swallow the rest.
func (p *parser) takeLine() (string, error) {
	text, rest, _ := strings.Cut(p.rest, "\n")
	text = strings.TrimSuffix(text, "\r")
	if strings.Contains(text, "\r") {
		return "", refuse(p.line, "a carriage return without a line feed; a value that holds one must be in quotes")
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
		return "", refuse(line, `a value that begins with '#' must be in quotes; before a comment, an empty value is written ""`)
	case strings.HasPrefix(text, "`"):
		return "", refuse(line, "backticks are no quotes here; put the value in single or double quotes")
	}
	for i := 1; i < len(text); i++ {
		if text[i] == '#' && strings.IndexByte(blank, text[i-1]) >= 0 {
			text = text[:i]
			break
		}
	}
	return strings.TrimRight(text, blank), nil
}

// quoted reads from the opening quote to the end of the line in which the value is closed.
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
				return "", refuse(p.line, `an unknown escape; in double quotes a backslash is written \\ (or put the value in single quotes)`)
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
	return "", refuse(opened, "a quote is opened and never closed")
}

// unescape answers the character that the text after a backslash stands for.
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
		return refuse(line, "text after the closing quote; in single quotes, a single quote cannot be written")
	}
	return nil
}
