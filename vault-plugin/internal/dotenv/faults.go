package dotenv

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

// maxFaults is the largest number of faults in one error. Parsing ends with the last of them.
const maxFaults = 20

// What a fault can be. None of the texts contains a part of the content.
const (
	noEqualSign   = "no '=' after the name"
	badName       = "not a valid secret name; it must be " + naming.SecretRule
	loneReturn    = "a carriage return without a line feed; quote a value that contains one"
	numberSign    = `quote a value that begins with '#'; write an empty value before a comment as ""`
	backtick      = "backticks do not quote; use single or double quotes"
	tripleQuotes  = "three quotes do not quote; one quote does, also for a value of several lines"
	badEscape     = `an unknown escape; in double quotes, write a backslash as \\, or use single quotes`
	neverClosed   = "the opening quote has no closing quote"
	afterClosing  = "text after the closing quote; a value in single quotes cannot contain a single quote"
	sameName      = "the same name as in line %d"
	unquotedLines = "; if the line belongs to the value before it, put this value into quotes"
)

// faults collects what is wrong with a document.
type faults struct {
	list   []string
	format string // the format that the document seems to have instead; empty if none
}

func (f *faults) add(line int, what string) {
	if len(f.list) < maxFaults {
		f.list = append(f.list, fmt.Sprintf("line %d: %s", line, what))
	}
}

func (f *faults) full() bool { return len(f.list) == maxFaults }

// suspect notes a line that is not dotenv but belongs to another format.
func (f *faults) suspect(line string) {
	switch {
	case f.format != "":
	case jsonLine.MatchString(line):
		f.format = "json"
	case yamlLine.MatchString(line):
		f.format = "yaml"
	}
}

var (
	jsonLine = regexp.MustCompile(`^[ \t]*([{\[]|"[A-Za-z_][A-Za-z0-9_.-]*"[ \t]*:)`)
	yamlLine = regexp.MustCompile(`^(---|- |['"]?[A-Za-z_][A-Za-z0-9_.-]*['"]?:([ \t\r]|$))`)
)

// err returns one error for all faults, or nil if there are none.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	text := strings.Join(f.list, "\n  ")
	if f.full() {
		text += "\n  the lines after it were not read"
	}
	if f.format != "" {
		text += fmt.Sprintf("\n  the document looks like %s; if it is, set format=%s", strings.ToUpper(f.format), f.format)
	}
	return fault.New(fault.Invalid, "content: %s", text)
}
