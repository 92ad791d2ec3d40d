package examples_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

type kind int

const (
	succeeds kind = iota // a script that must succeed
	fails                // a script that must fail
	shows                // the output of the previous script
	writes               // a file
)

type block struct {
	kind kind
	line int // line number of the opening fence, from 1
	file string
	text string
}

type document struct {
	options   vaulttest.Options
	terraform bool // the session has a terraform
	blocks    []block
}

func (d document) runs() bool {
	for _, b := range d.blocks {
		if b.kind == succeeds || b.kind == fails {
			return true
		}
	}
	return false
}

var errOpen = errors.New("a block is not closed")

// parse returns the blocks of a Markdown file that a session uses. Fences inside lists may be
// indented.
func parse(text string) (document, error) {
	var doc document
	note, ran, lines := "", false, strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if said, ok := strings.CutPrefix(line, "<!-- test: "); ok {
			note = strings.TrimSuffix(said, " -->")
			switch note {
			case "no plugin":
				doc.options.NoPlugin, note = true, ""
			case "raft":
				doc.options.Storage, note = vaulttest.Raft, ""
			case "plain http":
				doc.options.PlainHTTP, note = true, ""
			case "terraform":
				doc.terraform, note = true, ""
			}
			continue
		}
		language, ok := strings.CutPrefix(line, "```")
		if !ok {
			if line != "" {
				note = ""
			}
			continue
		}
		indent := lines[i][:strings.Index(lines[i], "`")]
		b := block{line: i + 1}
		for i++; ; i++ {
			if i >= len(lines) {
				return doc, fmt.Errorf("line %d: %w", b.line, errOpen)
			}
			if strings.TrimSpace(lines[i]) == "```" {
				break
			}
			b.text += strings.TrimPrefix(lines[i], indent) + "\n"
		}
		known, err := b.decide(language, note, ran)
		if err != nil {
			return doc, fmt.Errorf("line %d: %w", b.line, err)
		}
		if known {
			doc.blocks = append(doc.blocks, b)
		}
		note, ran = "", known && b.kind != writes
	}
	return doc, nil
}

func (b *block) decide(language, note string, ran bool) (known bool, err error) {
	file, isFile := strings.CutPrefix(note, "file ")
	switch {
	case isFile:
		b.kind, b.file = writes, file
	case strings.HasPrefix(note, "not run, "):
		return false, nil
	case note == "fails" && language == "sh":
		b.kind = fails
	case note != "":
		return false, fmt.Errorf("the note %q has no meaning here", note)
	case language == "sh":
		b.kind = succeeds
	case language == "text" && ran:
		b.kind = shows
	default:
		return false, nil
	}
	return true, nil
}

// firstMissing returns the first shown line that the output does not contain after the previous
// shown lines, or "" if it contains all of them.
func firstMissing(shown, output string) string {
	rest := strings.Split(output, "\n")
	for line := range strings.Lines(shown) {
		if strings.TrimSpace(line) == "" || strings.TrimSpace(line) == "..." {
			continue
		}
		at := 0
		for at < len(rest) && !matches(line, rest[at]) {
			at++
		}
		if at == len(rest) {
			return strings.TrimSpace(line)
		}
		rest = rest[at+1:]
	}
	return ""
}

// matches compares a shown line with a printed one. A run of white space counts as one space, and
// `...` matches any text.
func matches(shown, printed string) bool {
	shown, printed = strings.Join(strings.Fields(shown), " "), strings.Join(strings.Fields(printed), " ")
	parts := strings.Split(shown, "...")
	if len(parts) == 1 {
		return shown == printed
	}
	for i, part := range parts {
		at := strings.Index(printed, strings.TrimSpace(part))
		if at < 0 || i == 0 && at != 0 {
			return false
		}
		printed = printed[at+len(strings.TrimSpace(part)):]
	}
	return parts[len(parts)-1] == "" || printed == ""
}

// The comparison of shown with printed output must find differences.
func TestShownOutputIsCompared(t *testing.T) {
	const printed = "Key      Value\n---  -----\nversion    2\nstate      map[done:5 failed:0]\n"
	for _, c := range []struct{ name, shown, missing string }{
		{"all lines", "Key Value\nversion   2\n", ""},
		{"a part of a line", "version\n", "version"},
		{"another value", "version 3\n", "version 3"},
		{"another order", "version 2\nKey Value\n", "Key Value"},
		{"anything at the end", "state map[done:5 ...\n", ""},
		{"anything between", "state map[... failed:0]\n", ""},
		{"anything, but not this", "state map[... failed:1]\n", "state map[... failed:1]"},
		{"anything, and then the end", "state map[... failed:\n", "state map[... failed:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := firstMissing(c.shown, printed); got != c.missing {
				t.Errorf("missing is %q, not %q", got, c.missing)
			}
		})
	}
}
