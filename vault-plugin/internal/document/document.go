// Package document owns the documents that hold names and values: Parse parses the document of an
// import, Render renders an environment. It knows nothing of environments, versions or storage. It
// expands nothing: parsing a rendered document returns the same values, byte for byte.
//
// A document holds secrets, and errors end up in logs. An error therefore gives the number of a
// line and a fixed text. The one exception is a JSON value of the wrong type: the error gives its
// name. That name is known to be valid, and the value is not a string, so the name cannot be a
// value.
package document

import (
	"fmt"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/charset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/dotenv"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

// The formats. The last three are only rendered. Parsing a shell script would mean running it.
const (
	Dotenv  = "dotenv"
	JSON    = "json"
	YAML    = "yaml"
	Shell   = "shell"
	Docker  = "docker"
	Systemd = "systemd"
)

const (
	// MaxBytes is the largest size of a document in bytes, in every format.
	MaxBytes = dotenv.MaxBytes
	// MaxNames is the largest number of names in a document. It protects the parser. The workspace
	// setting max_secrets limits the secrets of an environment.
	MaxNames = 5_000
)

const byteOrderMark = "\ufeff"

// Parse returns the names and values of a document in dotenv, json or yaml. If format is empty, a
// document that begins with a bracket is json, and any other document is dotenv. A document without
// secrets is an error: nobody imports one on purpose. An error is fault.Invalid, or fault.Limit if
// the document is too large. It contains no value.
func Parse(format, content string) (map[string]string, error) {
	if len(content) > MaxBytes {
		return nil, fault.New(fault.Limit, "content: more than %d MiB", MaxBytes>>20)
	}
	content = strings.TrimPrefix(content, byteOrderMark)
	if format == "" {
		format = recognise(content)
	}
	parse := map[string]func(string) (map[string]string, error){Dotenv: parseDotenv, JSON: parseJSON, YAML: parseYAML}[format]
	if parse == nil {
		return nil, fault.New(fault.Invalid, "format: must be dotenv, json or yaml")
	}
	if err := checkEncoding(content); err != nil {
		return nil, err
	}
	if strings.TrimSpace(content) == "" {
		return nil, invalid("%s", holdsNothing)
	}
	values, err := parse(content)
	if err == nil && len(values) == 0 {
		return nil, invalid("%s", holdsNothing)
	}
	return values, err
}

const holdsNothing = "holds no secret; check the file, and delete the secrets that are no longer needed"

// recognise returns the format of a document that has no declared format. No name of a dotenv
// document begins with a bracket.
func recognise(content string) string {
	if text := strings.TrimLeft(content, " \t\r\n"); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return JSON
	}
	return Dotenv
}

func checkEncoding(content string) error {
	offset, what := charset.Undecodable(content)
	switch what {
	case "":
		return nil
	case charset.UTF16:
		return invalid("%s", what)
	default:
		return refuse(1+strings.Count(content[:offset], "\n"), "%s", what)
	}
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

// names maps the names of a document to their lines.
type names map[string]int

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

// refuse returns an error about a line, counted from 1. No argument contains text of the content.
func refuse(line int, format string, args ...any) error {
	return fault.New(fault.Invalid, "%s: %s", at(line), fmt.Sprintf(format, args...))
}

// invalid returns an error about the content as a whole.
func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "content: %s", fmt.Sprintf(format, args...))
}

// lines counts the line ends before an offset. Offsets never decrease, so the document is scanned
// once.
type lines struct {
	text string
	seen int // bytes scanned
	ends int
}

func (l *lines) at(offset int) int {
	l.ends += strings.Count(l.text[l.seen:offset], "\n")
	l.seen = offset
	return 1 + l.ends
}
