package keyring

import (
	"fmt"
	"io"
)

// Every exported type that holds a key or something made with a key implements fmt.Formatter and
// refuses encoding/json. A Formatter takes precedence over everything that fmt does by itself. But
// fmt does not call Format for %p and %w, nor for an unexported field of another struct. There fmt
// prints the fields of the type. For a verb that does not suit a pointer, such as %s, it also
// prints what the pointer points to, but no pointers behind that one. So bytes that must not be
// printed are behind a function, or two pointers away from the exported type.
var (
	_ fmt.Formatter = Master{}
	_ fmt.Formatter = Workspace{}
	_ fmt.Formatter = Context[SecretLocation]{}
	_ fmt.Formatter = MAC[HMACLocation]{}
	_ fmt.Formatter = Ciphertext[SecretLocation]{}
	_ fmt.Formatter = Digest[HMACLocation]{}
)

// hidden keeps a value from fmt, which prints at most the address of a function.
type hidden[T any] func() T

func hide[T any](v T) hidden[T] { return func() T { return v } }

// Format prints a fixed text for every verb.
func (m Master) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[master key]") }

// Format prints the workspace's id for every verb.
func (w Workspace) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "[keys of workspace %s]", w.scope.ID)
}

// Format prints a fixed text for every verb.
func (c Context[L]) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[encryption context]") }

// Format prints a fixed text for every verb.
func (m MAC[L]) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[MAC context]") }

// Format prints the size and the key version for every verb.
func (ct Ciphertext[L]) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "[ciphertext of %d bytes, key version %d]", len(ct.envelope()), ct.KeyVersion())
}

// Format prints the key version for every verb.
func (d Digest[L]) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "[digest, key version %d]", d.KeyVersion())
}

// MarshalJSON returns an error. Keys leave only through Encode and Wrap.
func (m Master) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalJSON returns an error. Keys leave only through Wrap.
func (w Workspace) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalJSON returns an error. The keys of a context never leave it.
func (c Context[L]) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalJSON returns an error. The keys of a MAC never leave it.
func (m MAC[L]) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalJSON returns an error. Call Bytes or Text to output a ciphertext.
func (ct Ciphertext[L]) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalJSON returns an error. Call Sum or Text to output a digest.
func (d Digest[L]) MarshalJSON() ([]byte, error) { return nil, errMarshal }
