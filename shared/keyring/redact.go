package keyring

import (
	"fmt"
	"io"
)

// Every exported type that holds a key, or what one has made, implements fmt.Formatter, which precedes all that fmt would do by
// itself, and refuses encoding/json. But fmt does not call Format for %p and %w, nor on a field that is not exported of somebody's
// struct. There it prints a type's fields, and for a verb that does not suit a pointer, such as %s, also what the pointer points to,
// though not what the pointers in that point to. So bytes that must not be printed are two pointers away from the exported type, or
// behind a function.
var (
	_ fmt.Formatter = Master{}
	_ fmt.Formatter = Workspace{}
	_ fmt.Formatter = Context[SecretLocation]{}
	_ fmt.Formatter = MAC[HMACLocation]{}
	_ fmt.Formatter = Ciphertext[SecretLocation]{}
	_ fmt.Formatter = Digest[HMACLocation]{}
)

// hidden keeps a value from fmt, which prints a function as its address at most.
type hidden[T any] func() T

func hide[T any](v T) hidden[T] { return func() T { return v } }

// Format prints that this is a master key, whatever the verb.
func (m Master) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[master key]") }

// Format prints whose keys these are, whatever the verb.
func (w Workspace) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "[keys of workspace %s]", w.scope.ID)
}

// Format prints that this is a context, whatever the verb.
func (c Context[L]) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[encryption context]") }

// Format prints that this is a MAC, whatever the verb.
func (m MAC[L]) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[MAC context]") }

// Format prints the size and the key version, whatever the verb.
func (ct Ciphertext[L]) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "[ciphertext of %d bytes, key version %d]", len(ct.envelope()), ct.KeyVersion())
}

// Format prints the key version, whatever the verb.
func (d Digest[L]) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "[digest, key version %d]", d.KeyVersion())
}

// MarshalJSON refuses: keys leave through Encode and Wrap only.
func (m Master) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalJSON refuses: keys leave through Wrap only.
func (w Workspace) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalJSON refuses: the keys of a context do not leave it.
func (c Context[L]) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalJSON refuses: the keys of a MAC do not leave it.
func (m MAC[L]) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalJSON refuses: whether a ciphertext goes out, and as bytes or text, is to be said.
func (ct Ciphertext[L]) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalJSON refuses: whether a digest goes out, and as bytes or text, is to be said.
func (d Digest[L]) MarshalJSON() ([]byte, error) { return nil, errMarshal }
