package keyring

import "errors"

// Errors carry no cause and no input: what failed to parse or open may be a key, a plaintext or an attacker's text.
var (
	// ErrOpen is the one answer to everything that does not open: a changed byte, another location, another key, a key version
	// that is unknown, destroyed or below the minimum. Telling them apart would help only whoever forges.
	ErrOpen = errors.New("keyring: cannot be opened")
	// ErrVerify is the one answer to a digest that does not verify.
	ErrVerify = errors.New("keyring: digest does not verify")
	// ErrWiped means that the keys were wiped from memory; a freshly unwrapped keyring may still do what was asked.
	ErrWiped = errors.New("keyring: keys have been wiped")
	// ErrFormat means that bytes or a text are not a valid encoding of what was asked for.
	ErrFormat = errors.New("keyring: not a valid encoding")
	// ErrTooManyVersions means that a key has MaxVersions live versions: old ones must be trimmed before it can be rotated.
	ErrTooManyVersions = errors.New("keyring: too many key versions")
	// ErrMinimum means that a minimum version lies outside of the live versions.
	ErrMinimum = errors.New("keyring: minimum version is not among the live versions")
	// ErrTooLarge means that a name, associated data or a plaintext is longer than its limit.
	ErrTooLarge = errors.New("keyring: input is too large")
	// ErrTime means that a creation time lies outside of the years 1970 to 9999.
	ErrTime = errors.New("keyring: creation time is out of range")
)

// errMarshal is what encoding/json reports for keys, ciphertexts and digests.
var errMarshal = errors.New("keyring: does not marshal; keys leave through Encode and Wrap, ciphertexts and digests as bytes or text")

// errUnknownVersion never leaves the package: it becomes ErrOpen or ErrVerify.
var errUnknownVersion = errors.New("keyring: unknown key version")

// opaque replaces every failure but that of a wiped key by the one its caller may see.
func opaque(err, visible error) error {
	if errors.Is(err, ErrWiped) {
		return ErrWiped
	}
	return visible
}
