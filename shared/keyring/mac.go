package keyring

import (
	"encoding/binary"
	"hash"
)

// macLocation is the subject of a digest. The digest covers the location and the data.
type macLocation interface {
	AccessTokenLocation | FingerprintLocation | ActivityLocation | HMACLocation

	// identify appends the location's fields to the HMAC input.
	identify(input tuple) tuple
}

// MAC computes and verifies the digests of one scope. Unlike a Context it ignores the minimum
// version: a digest verifies until its key version is destroyed. It is safe for concurrent use.
// After a Wipe of the MAC or of its keyring, Sum and Verify return ErrWiped.
type MAC[L macLocation] struct {
	_ [0]func(L)

	keys  *derived
	input fields // first fields of every HMAC input
}

// newMAC takes the label and scope of the key, then the first fields of every HMAC input.
func newMAC[L macLocation](parent *ring, label string, scope tuple, input ...string) (*MAC[L], error) {
	scopeFields, err := scope.fields()
	if err != nil {
		return nil, err
	}
	keys, err := newDerived(parent, label, scopeFields)
	if err != nil {
		return nil, err
	}
	encoded, err := newTuple(nil).texts(input).fields()
	if err != nil {
		return nil, err
	}
	return &MAC[L]{keys: keys, input: encoded}, nil
}

// Sum returns the digest of data under the latest key version. The errors are ErrTooLarge and
// ErrWiped.
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

// Verify compares a digest with the digest of data, in constant time. It uses the key version in
// the digest. The errors are ErrVerify, ErrTooLarge and ErrWiped.
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

// Wipe waits for operations that are using the keys, then clears the keys from memory.
func (m *MAC[L]) Wipe() { m.keys.wipe() }

// sum sets d.sum to HMAC-SHA-256(key, T(label, fields...) || u64(len(data)) || data). The key is
// the one of d.version.
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
	// This is outside of use, because a large input must not delay Wipe and every operation behind
	// it.
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

// Digest is the result of a MAC: 32 bytes and the key version of their key. Both have to be stored.
// No verb of package fmt prints the bytes.
type Digest[L macLocation] struct {
	_ [0]func(L)

	digest hidden[digest]
}

// ParseDigest returns the digest with the given stored parts. It returns ErrFormat for key version
// 0.
func ParseDigest[L macLocation](keyVersion uint32, sum [32]byte) (Digest[L], error) {
	if keyVersion == 0 {
		return Digest[L]{}, ErrFormat
	}
	return Digest[L]{digest: hide(digest{keyVersion, sum})}, nil
}

// ParseDigestText parses the text form stash-mac:v<key version>:<base64url>. Each digest has
// exactly one text. ParseDigestText returns ErrFormat for any other text.
func ParseDigestText[L macLocation](s string) (Digest[L], error) {
	version, payload, err := parseText(digestPrefix, s, len(digest{}.sum))
	if err != nil || len(payload) != len(digest{}.sum) {
		return Digest[L]{}, ErrFormat
	}
	return Digest[L]{digest: hide(digest{version, [32]byte(payload)})}, nil
}

// Sum returns the 32 bytes of the digest.
func (d Digest[L]) Sum() [32]byte {
	if d.digest == nil {
		return [32]byte{}
	}
	return d.digest().sum
}

// Text returns the text form, which people and APIs use. It is "" for the zero value.
func (d Digest[L]) Text() string {
	if d.digest == nil {
		return ""
	}
	return d.digest().text()
}

// KeyVersion returns the version of the key that made the digest. It is 0 for the zero value.
func (d Digest[L]) KeyVersion() uint32 {
	if d.digest == nil {
		return 0
	}
	return d.digest().version
}
