package document

import (
	"strings"
	"testing"
)

// systemdReader reads documents by the rules of systemd.exec(5), EnvironmentFile=. systemd itself
// needs to be the first process of a machine.
func systemdReader(_ *testing.T, _ string, documents []string) []map[string]string {
	results := make([]map[string]string, len(documents))
	for i, document := range documents {
		r := systemdRules{rest: document}
		results[i] = r.read()
	}
	return results
}

// systemdRules reads one document: comments, names, and values of several parts, each without quotes
// or in quotes.
type systemdRules struct{ rest string }

func (r *systemdRules) read() map[string]string {
	values := map[string]string{}
	for r.rest != "" {
		line, after, _ := strings.Cut(r.rest, "\n")
		if text := strings.TrimLeft(line, " \t"); text == "" || strings.ContainsAny(text[:1], "#;") {
			r.rest = after
			continue
		}
		name, _, found := strings.Cut(line, "=")
		if !found {
			r.rest = after
			continue
		}
		r.rest = r.rest[len(name)+1:]
		value := r.value()
		if identifier.MatchString(strings.TrimSpace(name)) && !strings.ContainsFunc(value, nonCharacter) {
			values[strings.TrimSpace(name)] = value
		}
	}
	return values
}

// value reads to the end of the line. White space at the end of text without quotes does not count.
func (r *systemdRules) value() string {
	var value strings.Builder
	plain := 0 // white space at the end of value that is not in quotes
	for r.rest != "" {
		c := r.next()
		switch {
		case c == '\n':
			return value.String()[:value.Len()-plain]
		case c == '\'':
			text, after, _ := strings.Cut(r.rest, "'")
			value.WriteString(text)
			r.rest, plain = after, 0
		case c == '"':
			r.doubleQuoted(&value)
			plain = 0
		case c == '\\':
			if escaped := r.next(); escaped != '\n' {
				value.WriteByte(escaped)
			}
			plain = 0
		case strings.IndexByte(" \t\r", c) >= 0:
			if value.Len() > 0 {
				value.WriteByte(c)
				plain++
			}
		default:
			value.WriteByte(c)
			plain = 0
		}
	}
	return value.String()[:value.Len()-plain]
}

// doubleQuoted reads to the closing quote. A backslash is special only before the characters that a
// shell escapes, and before a line end, which it removes.
func (r *systemdRules) doubleQuoted(value *strings.Builder) {
	for r.rest != "" {
		switch c := r.next(); c {
		case '"':
			return
		case '\\':
			escaped := r.next()
			if strings.IndexByte("\"\\`$\n", escaped) < 0 {
				value.WriteByte('\\')
			}
			if escaped != '\n' {
				value.WriteByte(escaped)
			}
		default:
			value.WriteByte(c)
		}
	}
}

// next consumes and returns a byte. At the end, it returns a line end.
func (r *systemdRules) next() byte {
	if r.rest == "" {
		return '\n'
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

// The examples of the manual page.
func TestTheRulesOfSystemd(t *testing.T) {
	const document = "# comment\n; comment\n\nA=plain  \nB=\"two words\" \nC='a\\nb'\nD=\"a\\\nb\\\"c\\d\\$e\"\nE=a\\\nb\nF=\"x\ny\"\n not a line\nG=1"
	want := map[string]string{"A": "plain", "B": "two words", "C": `a\nb`, "D": `ab"c\d$e`, "E": "ab", "F": "x\ny", "G": "1"}
	same(t, systemdReader(t, "", []string{document})[0], want)
}
