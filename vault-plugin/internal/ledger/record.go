package ledger

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

// Entry is what a sync knows of one entry at its destination.
type Entry struct {
	// Owned reports that the sync wrote or adopted the entry, so the sync may change and delete it.
	Owned   bool   `cbor:"1,keyasint,omitempty"`
	Source  string `cbor:"2,keyasint,omitempty"` // name of the secret
	Version uint64 `cbor:"3,keyasint,omitempty"` // of the secret whose value was written
	Print   Print  `cbor:"4,keyasint,omitzero"`  // of the last written value; zero: the current value is unknown
	Shape   string `cbor:"5,keyasint,omitempty"` // identifies the settings it was written under
	Remote  Remote `cbor:"6,keyasint,omitzero"`  // what the destination reported after the write

	Intent *Intent `cbor:"7,keyasint,omitempty"` // an announced change whose outcome is unknown
}

// Intent is a change that may have been made.
type Intent struct {
	Delete  bool   `cbor:"1,keyasint,omitempty"`
	Source  string `cbor:"2,keyasint,omitempty"`
	Version uint64 `cbor:"3,keyasint,omitempty"`
	Print   Print  `cbor:"4,keyasint,omitzero"` // of the bytes to write
	Shape   string `cbor:"5,keyasint,omitempty"`
}

// Print recognises a value without containing it. It is a digest under a key of the sync. The zero
// value recognises nothing.
type Print struct {
	KeyVersion uint32   `cbor:"1,keyasint"`
	Sum        [32]byte `cbor:"2,keyasint"`
}

// Known reports whether the print can recognise a value.
func (p Print) Known() bool { return p.KeyVersion != 0 }

// Same reports in constant time whether two prints are equal.
func (p Print) Same(other Print) bool {
	return p.KeyVersion == other.KeyVersion && subtle.ConstantTimeCompare(p.Sum[:], other.Sum[:]) == 1
}

// Remote is what the destination reports about an entry. A zero field was not reported.
type Remote struct {
	ID      string    `cbor:"1,keyasint,omitempty"`
	Version string    `cbor:"2,keyasint,omitempty"`
	Updated time.Time `cbor:"3,keyasint,omitzero"`
}

// maxRemote is the largest size of a stored ID or Version in bytes. A longer one is stored as its
// SHA-256 digest in hexadecimal digits.
const maxRemote = 128

// RemoteOf returns what is stored of an entry that the destination listed.
func RemoteOf(e provider.Entry) Remote {
	return Remote{ID: short(e.ID), Version: short(e.Version), Updated: e.Updated.UTC()}
}

func short(text string) string {
	if len(text) <= maxRemote {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Same reports whether now shows that nobody has written the entry since r was stored. Everything
// that the destination reports must match: an entry that was removed and made again can have the
// same version number. known is false if the destination reports too little to show it.
func (r Remote) Same(now Remote) (same, known bool) {
	hasVersion := r.Version != "" && now.Version != ""
	hasTime := !r.Updated.IsZero() && !now.Updated.IsZero()
	if !hasVersion && !hasTime {
		return false, false
	}
	return r.ID == now.ID && (!hasVersion || r.Version == now.Version) && (!hasTime || r.Updated.Equal(now.Updated)), true
}

// Replaced reports whether now is another entry than r: the entry of r was removed, and an entry of
// the same name was made again. It returns false if the destination reports no id.
func (r Remote) Replaced(now Remote) bool { return r.ID != "" && now.ID != "" && r.ID != now.ID }

// chunk is the plaintext of a sealed part of a ledger.
type chunk struct {
	Entries map[string]Entry `cbor:"1,keyasint"` // by the name at the destination
}

var errChunk = errors.New("the bytes are not a ledger chunk")

// weight is the largest size in bytes that an entry can have in a chunk, with or without an intent.
func weight(name, source string) int {
	const fixed = 2*maxRemote + 2*(32+16+maxShape) + 128
	return fixed + len(name) + 2*len(source)
}

const (
	maxShape  = 64      // bytes of a Shape
	maxName   = 1 << 10 // bytes of a name at a destination
	maxSource = 255     // of a secret's name
)

func encode(c chunk) ([]byte, error) {
	mode, err := cbor.EncOptions{Sort: cbor.SortCoreDeterministic, Time: cbor.TimeRFC3339NanoUTC}.EncMode()
	if err != nil {
		return nil, err
	}
	return mode.Marshal(c)
}

// decode accepts only bytes that encode can produce. Its error contains nothing of the input.
func decode(b []byte) (chunk, error) {
	mode, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField, IndefLength: cbor.IndefLengthForbidden,
	}.DecMode()
	if err != nil {
		return chunk{}, err
	}
	var c chunk
	if mode.Unmarshal(b, &c) != nil {
		return chunk{}, errChunk
	}
	for name, e := range c.Entries {
		if name == "" || len(name) > maxName || len(e.Source) > maxSource || !e.Owned && e.Intent == nil {
			return chunk{}, errChunk
		}
	}
	return c, nil
}
