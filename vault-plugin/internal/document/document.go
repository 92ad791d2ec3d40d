// Package document owns names and values as one document, in both directions: Parse reads what an import brings, Render writes
// what a render answers. It knows nothing of environments, versions or storage, and expands nothing: a value comes out as it
// went in, byte for byte.
//
// What is read is text that holds secrets, and an error about it ends in logs. So an error tells a line by its number and what is
// wrong with it, in words that stand here. The one exception is the name of a JSON value of the wrong type, which is known to be
// a legal name, and whose value is no string: names and values cannot have been swapped.
package document

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/dotenv"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

// The formats. Shell is only rendered: to read it would be to run it.
const (
	Dotenv = "dotenv"
	JSON   = "json"
	YAML   = "yaml"
	Shell  = "shell"
)

const (
	// MaxBytes bounds the content of every format.
	MaxBytes = dotenv.MaxBytes
	// MaxNames bounds the names of one document. It protects the parser; how many an environment takes is its workspace's setting.
	MaxNames = 5_000
)

const byteOrderMark = "\ufeff"

// Parse answers the names and values of a document in dotenv, json or yaml. An error is fault.Invalid (fault.Limit when there is
// too much) and holds no value.
func Parse(format, content string) (map[string]string, error) {
	parse := map[string]func(string) (map[string]string, error){Dotenv: parseDotenv, JSON: parseJSON, YAML: parseYAML}[format]
	if parse == nil {
		return nil, fault.New(fault.Invalid, "format: must be dotenv, json or yaml")
	}
	if len(content) > MaxBytes {
		return nil, fault.New(fault.Limit, "content: more than %d MiB", MaxBytes>>20)
	}
	return parse(strings.TrimPrefix(content, byteOrderMark))
}

func parseDotenv(content string) (map[string]string, error) {
	pairs, err := dotenv.Parse(content)
	if err != nil {
		return nil, err
	}
	if len(pairs) > MaxNames {
		return nil, tooMany()
	}
	values := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		values[pair.Name] = pair.Value
	}
	return values, nil
}

// names takes the names of a document, in order.
type names map[string]int // the line of each

func (n names) add(name string, line int) error {
	if len(n) == MaxNames {
		return tooMany()
	}
	if err := naming.CheckSecret(at(line), name); err != nil {
		return err
	}
	if first := n[name]; first > 0 {
		return refuse(line, "the same name as in line %d", first)
	}
	n[name] = line
	return nil
}

func tooMany() error { return fault.New(fault.Limit, "content: more than %d names", MaxNames) }

func at(line int) string { return fmt.Sprintf("content: line %d", line) }

// refuse makes an error about a line, counted from 1. No argument is ever text of the content.
func refuse(line int, format string, args ...any) error {
	return fault.New(fault.Invalid, "%s: %s", at(line), fmt.Sprintf(format, args...))
}

// invalid makes an error about the content as a whole.
func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "content: %s", fmt.Sprintf(format, args...))
}

func notUTF8(line int) error {
	return refuse(line, "not UTF-8; import binary values through the map, in base64")
}

// lines counts the line ends before an offset; offsets never go back, so that a document is counted once.
type lines struct {
	text string
	seen int // bytes
	ends int
}

func (l *lines) at(offset int) int {
	l.ends += strings.Count(l.text[l.seen:offset], "\n")
	l.seen = offset
	return 1 + l.ends
}

// invalidUTF8 answers the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(text string) int {
	if utf8.ValidString(text) {
		return -1
	}
	for i, r := range text {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
			return i
		}
	}
	return -1
}
