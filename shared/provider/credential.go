package provider

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Credential is the opened secret fields of an integration. No verb of package fmt prints it and it does not marshal.
type Credential struct {
	// A func, because fmt does not ask a field how it wants to be printed when the struct around it does not export it: it prints what is
	// there, with some verbs through a pointer too, and of a func the address.
	fields func() map[string][]byte
}

// NewCredential takes the secret fields over; Wipe clears them.
func NewCredential(fields map[string][]byte) Credential {
	return Credential{func() map[string][]byte { return fields }}
}

// Text answers a secret field; "" where it is not set. A string cannot be cleared, so it is made where it is sent.
func (c Credential) Text(field string) string { return string(c.Bytes(field)) }

// Bytes answers a secret field, which stays the credential's; nil where it is not set.
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

// Wipe clears the fields. None is set afterwards, so that nobody sends zeros.
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

// Format prints the same for every credential.
func (c Credential) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "<credential>") }

// MarshalJSON refuses.
func (c Credential) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a credential does not marshal")
}

// Format prints whose value it is, and not the value.
func (v Value) Format(s fmt.State, _ rune) { _, _ = fmt.Fprintf(s, "<value of %q>", v.Name) }

// Format prints what is changed, and not to which value.
func (c Change) Format(s fmt.State, _ rune) {
	verb := "write"
	if c.Delete {
		verb = "delete"
	}
	_, _ = fmt.Fprintf(s, "<%s %q>", verb, c.Name)
}
