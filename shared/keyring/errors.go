package keyring

import "errors"

// Errors contain no cause and no input, because the input may be a key, a plaintext or an
// attacker's text.
var (
	// ErrOpen is returned for everything that does not open. The reason may be a changed byte,
	// another location, another key, or a key version that is unknown, destroyed or below the
	// minimum. Different errors would help only a forger.
	ErrOpen = errors.New("keyring: cannot be opened")
	// ErrVerify is returned for every digest that does not verify.
	ErrVerify = errors.New("keyring: digest does not verify")
	// ErrWiped means that the keys were wiped from memory. The operation may succeed with a newly
	// unwrapped keyring.
	ErrWiped = errors.New("keyring: keys have been wiped")
	// ErrFormat means that the input is not a valid encoding of the requested type.
	ErrFormat = errors.New("keyring: not a valid encoding")
	// ErrTooManyVersions means that a key has MaxVersions live versions. Trim old versions before
	// the next rotation.
	ErrTooManyVersions = errors.New("keyring: too many key versions")
	// ErrMinimum means that a minimum version is not between the lowest and the highest live
	// version.
	ErrMinimum = errors.New("keyring: minimum version is not among the live versions")
	// ErrTooLarge means that a name, associated data or a plaintext exceeds its limit.
	ErrTooLarge = errors.New("keyring: input is too large")
	// ErrTime means that a creation time is not in the years 1970 to 9999.
	ErrTime = errors.New("keyring: creation time is out of range")
)

// errMarshal is the error of MarshalJSON for keys, ciphertexts and digests.
var errMarshal = errors.New("keyring: does not marshal; keys leave through Encode and Wrap, ciphertexts and digests as bytes or text")

// errUnknownVersion never leaves the package. It becomes ErrOpen or ErrVerify.
var errUnknownVersion = errors.New("keyring: unknown key version")

// opaque keeps ErrWiped and replaces every other error by visible.
func opaque(err, visible error) error {
	if errors.Is(err, ErrWiped) {
		return ErrWiped
	}
	return visible
}
