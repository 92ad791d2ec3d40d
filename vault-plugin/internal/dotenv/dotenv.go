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
// feed outside quotes, three quotes, and a duplicate name. All faults are collected, so that a file
// is corrected in one pass.
package dotenv

import (
	"fmt"
	"strings"

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

// Parse returns the pairs in the order of the text. The content is UTF-8, which the caller has
// checked. An error is fault.Invalid, or fault.Limit if the content is too large. It lists up to 20
// faults with their lines, and contains no part of the content.
func Parse(content string) ([]Pair, error) {
	if len(content) > MaxBytes {
		return nil, fault.New(fault.Limit, "content: more than %d MiB", MaxBytes>>20)
	}
	p := &parser{rest: strings.TrimPrefix(content, "\ufeff"), line: 1, seen: map[string]int{}}
	var pairs []Pair
	for !p.faults.full() {
		p.rest = strings.TrimLeft(p.rest, blank)
		if p.rest == "" {
			break
		}
		if strings.IndexByte("#\r\n", p.rest[0]) >= 0 {
			p.takeLine()
			continue
		}
		if pair, ok := p.pair(); ok {
			pairs = append(pairs, pair)
		}
	}
	if err := p.faults.err(); err != nil {
		return nil, err
	}
	return pairs, nil
}

// parser is the state of a parse. After a fault, it continues with the next line.
type parser struct {
	rest   string         // the text that is not parsed yet
	line   int            // the line in which rest begins
	seen   map[string]int // the line of each name
	open   bool           // the text before rest is an unquoted value, or could continue one
	faults faults
}

// pair parses one assignment. ok is false if it has a fault.
func (p *parser) pair() (pair Pair, ok bool) {
	pair = Pair{Line: p.line}
	line, _, _ := strings.Cut(p.rest, "\n")
	name, _, found := strings.Cut(line, "=")
	pair.Name = bareName(name)
	switch bad := naming.CheckSecret("", pair.Name) != nil; {
	case !found:
		p.foreign(line, noEqualSign)
		return pair, false
	case bad:
		p.foreign(line, badName)
		return pair, false
	}
	count := len(p.faults.list)
	if first := p.seen[pair.Name]; first > 0 {
		p.faults.add(p.line, fmt.Sprintf(sameName, first))
	} else {
		p.seen[pair.Name] = p.line
	}
	p.rest = strings.TrimLeft(p.rest[len(name)+1:], blank)
	p.open = false
	switch {
	case strings.HasPrefix(p.rest, `"""`), strings.HasPrefix(p.rest, "'''"):
		p.tripleQuoted()
	case strings.HasPrefix(p.rest, "'"):
		pair.Value = p.quoted('\'')
	case strings.HasPrefix(p.rest, `"`):
		pair.Value = p.quoted('"')
	default:
		pair.Value = p.unquoted()
		p.open = pair.Value != ""
	}
	return pair, len(p.faults.list) == count
}

// foreign takes a line that is no assignment, and notes what it could be.
func (p *parser) foreign(line, what string) {
	p.faults.suspect(line)
	if p.open && p.faults.format == "" {
		what += unquotedLines
	}
	p.faults.add(p.line, what)
	_, p.rest, _ = strings.Cut(p.rest, "\n")
	p.line++
}

// bareName removes white space and the shell's `export `. If no name follows, `export` is the name.
func bareName(text string) string {
	text = strings.TrimRight(text, blank)
	if after, ok := strings.CutPrefix(text, "export"); ok && after != strings.TrimLeft(after, blank) {
		return strings.TrimLeft(after, blank)
	}
	return text
}

// takeLine consumes and returns the rest of the line. A carriage return inside the line is a fault:
// a file whose lines end with CR alone would be a single line, and a comment at its start would hide
// the rest.
func (p *parser) takeLine() string {
	text, rest, _ := strings.Cut(p.rest, "\n")
	text = strings.TrimSuffix(text, "\r")
	if strings.Contains(text, "\r") {
		p.faults.add(p.line, loneReturn)
	}
	p.rest = rest
	p.line++
	return text
}

func (p *parser) unquoted() string {
	line := p.line
	text := p.takeLine()
	switch {
	case strings.HasPrefix(text, "#"):
		p.faults.add(line, numberSign)
	case strings.HasPrefix(text, "`"):
		p.faults.add(line, backtick)
	}
	for i := 1; i < len(text); i++ {
		if text[i] == '#' && strings.IndexByte(blank, text[i-1]) >= 0 {
			text = text[:i]
			break
		}
	}
	return strings.TrimRight(text, blank)
}

// tripleQuoted skips a value in three quotes, which some languages have and dotenv does not.
func (p *parser) tripleQuoted() {
	p.faults.add(p.line, tripleQuotes)
	_, rest, closed := strings.Cut(p.rest[3:], p.rest[:3])
	if !closed {
		rest = ""
	}
	p.line += strings.Count(p.rest[:len(p.rest)-len(rest)], "\n")
	p.rest = rest
	if closed {
		p.takeLine()
	}
}

// quoted parses from the opening quote to the end of the line that contains the closing quote. If
// there is none, it takes the rest of the text.
func (p *parser) quoted(quote byte) string {
	opened := p.line
	unknown := 0 // the line of the first unknown escape
	var value strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == quote:
			p.rest = p.rest[i+1:]
			if unknown > 0 {
				p.faults.add(unknown, badEscape)
			}
			p.endQuoted()
			return value.String()
		case c == '\\' && quote == '"':
			i++
			plain, ok := unescape(p.rest[i:])
			if !ok && unknown == 0 {
				unknown = p.line
			}
			if !ok {
				i-- // what follows may be a line end
				continue
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
	p.faults.add(opened, neverClosed)
	p.rest = ""
	return ""
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

func (p *parser) endQuoted() {
	line, count := p.line, len(p.faults.list)
	text := strings.TrimLeft(p.takeLine(), blank)
	if text != "" && text[0] != '#' && len(p.faults.list) == count {
		p.faults.add(line, afterClosing)
	}
}
