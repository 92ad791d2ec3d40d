package provider

import (
	"errors"
	"fmt"
	"io"
)

// Credential is the opened secret fields of an integration. No verb of package fmt prints it and it does not marshal.
type Credential struct{ fields map[string][]byte }

// NewCredential takes the secret fields over; Wipe clears them.
func NewCredential(fields map[string][]byte) Credential { return Credential{fields} }

// Text answers a secret field; "" where it is not set. A string cannot be cleared, so it is made where it is sent.
func (c Credential) Text(field string) string { return string(c.fields[field]) }

// Bytes answers a secret field, which stays the credential's.
func (c Credential) Bytes(field string) []byte { return c.fields[field] }

// Wipe clears the fields.
func (c Credential) Wipe() {
	for _, value := range c.fields {
		clear(value)
	}
}

// Format prints the same for every credential.
func (c Credential) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "<credential>") }

// MarshalJSON refuses.
func (c Credential) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a credential does not marshal")
}
