package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

// Entry is what a sync knows of one entry at its destination.
type Entry struct {
	Owned   bool   `cbor:"1,keyasint,omitempty"` // we wrote it, or took it over: it is ours to change and delete
	Source  string `cbor:"2,keyasint,omitempty"` // name of the secret
	Version uint64 `cbor:"3,keyasint,omitempty"` // of the secret, as it was written
	Print   Print  `cbor:"4,keyasint,omitzero"`  // of the bytes that were written; zero: it is not known what stands there
	Shape   string `cbor:"5,keyasint,omitempty"` // of the settings it was written under
	Remote  Remote `cbor:"6,keyasint,omitzero"`  // as the other side told of it after the write

	Intent *Intent `cbor:"7,keyasint,omitempty"` // a change that was announced, and whose outcome is not known
}

// Intent is a change that may have been made.
type Intent struct {
	Delete  bool   `cbor:"1,keyasint,omitempty"`
	Source  string `cbor:"2,keyasint,omitempty"`
	Version uint64 `cbor:"3,keyasint,omitempty"`
	Print   Print  `cbor:"4,keyasint,omitzero"` // of the bytes of a write
	Shape   string `cbor:"5,keyasint,omitempty"`
}

// Print recognises bytes without holding them: a digest under a key of the sync's own. The zero value recognises none.
type Print struct {
	KeyVersion uint32   `cbor:"1,keyasint"`
	Sum        [32]byte `cbor:"2,keyasint"`
}

// Known reports whether it recognises anything.
func (p Print) Known() bool { return p.KeyVersion != 0 }

// Remote is what the other side told of an entry.
type Remote struct {
	ID      string    `cbor:"1,keyasint,omitempty"`
	Version string    `cbor:"2,keyasint,omitempty"`
	Updated time.Time `cbor:"3,keyasint,omitzero"`
}

// maxRemote bounds what is kept of an id or a version, in bytes; of a longer one its digest is.
const maxRemote = 128

// RemoteOf is what is kept of an entry as the other side lists it.
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

// Same reports whether nobody has written the entry in between, as far as the other side tells it; known is false where it does not.
func (r Remote) Same(now Remote) (same, known bool) {
	switch {
	case r.Version != "" && now.Version != "":
		return r.Version == now.Version && r.ID == now.ID, true
	case !r.Updated.IsZero() && !now.Updated.IsZero():
		return r.Updated.Equal(now.Updated) && r.ID == now.ID, true
	}
	return false, false
}

// chunk is a part of a ledger, as it is sealed.
type chunk struct {
	Entries map[string]Entry `cbor:"1,keyasint"` // by the name at the destination
}

var errChunk = errors.New("the chunk is none")

// weight is the most bytes that an entry takes in a chunk, whatever becomes of it.
func weight(name, source string) int {
	const fixed = 2*maxRemote + 2*(32+16+maxShape) + 128
	return fixed + len(name) + 2*len(source)
}

const (
	maxShape  = 64
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

// decode reads what encode has made and nothing else. Its error tells nothing of the input.
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
