package keyring

import (
	"encoding/binary"
	"hash"
)

// macLocation is what a MAC is about, beside the data.
type macLocation interface {
	AccessTokenLocation | FingerprintLocation | ActivityLocation | HMACLocation

	// identify adds the location's fields to the HMAC input.
	identify(input tuple) tuple
}

// MAC makes and verifies digests of one scope. Unlike a Context it heeds no minimum version: a digest is verifiable as long as
// its key version lives. It is safe for concurrent use and of no use after Wipe, of itself or of the keyring it came from.
type MAC[L macLocation] struct {
	_ [0]func(L)

	keys  *derived
	input fields // that every input begins with
}

// newMAC takes the label and scope of the key, then the fields that every input begins with.
func newMAC[L macLocation](parent *ring, label string, scope tuple, input ...string) (*MAC[L], error) {
	of, err := scope.fields()
	if err != nil {
		return nil, err
	}
	keys, err := newDerived(parent, label, of)
	if err != nil {
		return nil, err
	}
	encoded, err := newTuple(nil).texts(input).fields()
	if err != nil {
		return nil, err
	}
	return &MAC[L]{keys: keys, input: encoded}, nil
}

// Sum makes the digest of data under the latest key version. Its errors are ErrTooLarge and ErrWiped.
func (m *MAC[L]) Sum(at L, data []byte) (Digest[L], error) {
	if m.keys == nil {
		return Digest[L]{}, ErrWiped
	}
	d := digest{version: m.keys.parent.latest()}
	if err := m.sum(at, data, &d); err != nil {
		return Digest[L]{}, err
	}
	return Digest[L]{digest: hide(d)}, nil
}

// Verify compares, in constant time, a digest with that of data under the digest's key version. Its errors are ErrVerify,
// ErrTooLarge and ErrWiped.
func (m *MAC[L]) Verify(at L, data []byte, d Digest[L]) error {
	want := digest{version: d.KeyVersion()}
	if err := m.sum(at, data, &want); err != nil {
		return err
	}
	if got := d.Sum(); !equal(got[:], want.sum[:]) {
		return ErrVerify
	}
	return nil
}

// Wipe clears the keys from memory, once the operations that use them are done.
func (m *MAC[L]) Wipe() { m.keys.wipe() }

// sum fills in d for its version: HMAC-SHA-256(key, T(label, fields...) || u64(len(data)) || data).
func (m *MAC[L]) sum(at L, data []byte, d *digest) error {
	prefix, err := at.identify(newTuple(nil).all(m.input)).encode()
	if err != nil {
		return err
	}
	prefix = binary.BigEndian.AppendUint64(prefix, uint64(len(data)))
	var h hash.Hash
	err = m.keys.use(d.version, func(key *[keySize]byte) error {
		h = newHMAC(key)
		return nil
	})
	if err != nil {
		return opaque(err, ErrVerify)
	}
	// Outside of use: long data must not keep Wipe waiting, and with it everybody who comes after.
	h.Write(prefix)
	h.Write(data)
	h.Sum(d.sum[:0])
	return nil
}

type digest struct {
	version uint32
	sum     [32]byte
}

func (d digest) text() string { return printText(digestPrefix, d.version, d.sum[:]) }

// Digest is the result of a MAC: 32 bytes and the key version they were made under, to be stored together. No verb of package
// fmt prints it.
type Digest[L macLocation] struct {
	_ [0]func(L)

	digest hidden[digest]
}

// ParseDigest makes a digest of its stored parts. It refuses key version 0 with ErrFormat.
func ParseDigest[L macLocation](keyVersion uint32, sum [32]byte) (Digest[L], error) {
	if keyVersion == 0 {
		return Digest[L]{}, ErrFormat
	}
	return Digest[L]{digest: hide(digest{keyVersion, sum})}, nil
}

// ParseDigestText reads the text form, stash-mac:v<key version>:<base64url>. Each digest has one text; everything else is
// refused with ErrFormat.
func ParseDigestText[L macLocation](s string) (Digest[L], error) {
	version, payload, err := parseText(digestPrefix, s, len(digest{}.sum))
	if err != nil || len(payload) != len(digest{}.sum) {
		return Digest[L]{}, ErrFormat
	}
	return Digest[L]{digest: hide(digest{version, [32]byte(payload)})}, nil
}

// Sum is the 32 bytes of the digest.
func (d Digest[L]) Sum() [32]byte {
	if d.digest == nil {
		return [32]byte{}
	}
	return d.digest().sum
}

// Text is the form that people and APIs see.
func (d Digest[L]) Text() string {
	if d.digest == nil {
		return ""
	}
	return d.digest().text()
}

// KeyVersion is the version of the key that it was made under.
func (d Digest[L]) KeyVersion() uint32 {
	if d.digest == nil {
		return 0
	}
	return d.digest().version
}
