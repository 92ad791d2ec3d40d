package provider

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Credential holds the opened secret fields of an integration. No verb of package fmt prints them,
// and marshalling a Credential fails.
type Credential struct {
	// The fields are behind a func because fmt ignores the Format method of an unexported struct
	// field and prints its content, with some verbs even through a pointer. For a func, fmt prints
	// only the address.
	fields func() map[string][]byte
}

// NewCredential returns a credential that owns the given fields. Wipe clears them.
func NewCredential(fields map[string][]byte) Credential {
	return Credential{func() map[string][]byte { return fields }}
}

// Text returns a secret field, or "" if it is not set. A string cannot be cleared, so callers
// create it only where they send it.
func (c Credential) Text(field string) string { return string(c.Bytes(field)) }

// Bytes returns a secret field, or nil if it is not set. The credential keeps ownership of the
// bytes.
func (c Credential) Bytes(field string) []byte {
	if c.fields == nil {
		return nil
	}
	return c.fields()[field]
}

// IsToken reports whether text can be a token in an HTTP header: not empty, and printable ASCII
// without spaces. A token that was read from a file often ends with a line break.
func IsToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Wipe clears and removes all fields. A later Text or Bytes returns nothing, so a cleared value
// cannot be sent.
func (c Credential) Wipe() {
	if c.fields == nil {
		return
	}
	fields := c.fields()
	for name, value := range fields {
		clear(value)
		delete(fields, name)
	}
}

// Format prints a constant text.
func (c Credential) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "<credential>") }

// MarshalJSON returns an error.
func (c Credential) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a credential cannot be marshalled")
}

// Format prints the name of the entry and not its value.
func (v Value) Format(s fmt.State, _ rune) { _, _ = fmt.Fprintf(s, "<value of %q>", v.Name) }

// Format prints the operation and the name of the entry and not its value.
func (c Change) Format(s fmt.State, _ rune) {
	verb := "write"
	if c.Delete {
		verb = "delete"
	}
	_, _ = fmt.Fprintf(s, "<%s %q>", verb, c.Name)
}
