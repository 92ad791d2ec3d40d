package keyring

import (
	"encoding/binary"
	"time"
)

// Master holds the live versions of a mount's master key. It wraps the keys of every workspace and
// derives the keys of the mount's own activity. It is immutable. Rotate and Trim return a new
// Master with its own copies of the keys. The new one takes effect once the caller has stored it.
type Master struct {
	mount [16]byte // random id of the mount, minted with the first version
	keys  *ring
}

// NewMaster mints the master key of a new mount. The error is ErrTime.
func NewMaster(now time.Time) (*Master, error) {
	first, err := newVersion(1, now)
	if err != nil {
		return nil, err
	}
	m := &Master{keys: &ring{versions: []keyVersion{first}}}
	random(m.mount[:])
	return m, nil
}

// Latest returns the version under which Wrap wraps.
func (m *Master) Latest() uint32 { return m.keys.latest() }

// Versions returns the live versions in increasing order.
func (m *Master) Versions() []VersionInfo { return m.keys.infos() }

// Rotate returns a Master with an additional random version, under which it wraps. The errors are
// ErrTooManyVersions, ErrTime and ErrWiped.
func (m *Master) Rotate(now time.Time) (*Master, error) {
	keys, err := m.keys.rotated(now)
	if err != nil {
		return nil, err
	}
	return &Master{m.mount, keys}, nil
}

// Trim returns a Master without the versions below lowest. An entry that is still wrapped under
// them can then never be unwrapped; see InspectEntry. The errors are ErrWiped, and ErrMinimum if no
// version would remain.
func (m *Master) Trim(lowest uint32) (*Master, error) {
	keys, err := m.keys.from(lowest)
	if err != nil {
		return nil, err
	}
	return &Master{m.mount, keys}, nil
}

// Wipe waits for operations that are using the keys, then clears the keys from memory.
func (m *Master) Wipe() { m.keys.wipe() }

// The master record, format 1. Integers are big-endian.
//
//	 0   1  format  0x01
//	 1  16  mount id
//	17   2  number of versions, 1 to MaxVersions; then for each, in increasing order:
//	     4  version, not 0
//	     8  creation time, Unix milliseconds
//	    32  key
const (
	masterHeaderSize  = 1 + 16 + 2
	masterVersionSize = versionPublicSize + keySize
)

// Encode returns the record that DecodeMaster reads. The record contains the keys in the clear. No
// other function lets a key leave the package. Store the record behind Vault's barrier and nowhere
// else. The caller clears the slice. The error is ErrWiped.
func (m *Master) Encode() ([]byte, error) {
	if m.keys.gone() {
		return nil, ErrWiped
	}
	b := make([]byte, 0, masterHeaderSize+len(m.keys.versions)*masterVersionSize)
	b = append(b, formatV1)
	b = append(b, m.mount[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.keys.versions)))
	for i := range m.keys.versions {
		v := &m.keys.versions[i]
		b = v.appendPublic(b)
		err := m.keys.use(v.number, func(key *[keySize]byte) error {
			b = append(b, key[:]...)
			return nil
		})
		if err != nil {
			clear(b)
			return nil, err
		}
	}
	made(b)
	return b, nil
}

// DecodeMaster reads a record that Encode returned. Each master key has exactly one record, and
// DecodeMaster returns ErrFormat for anything else. It retains nothing of b, so the caller can
// clear b.
func DecodeMaster(b []byte) (*Master, error) {
	if len(b) < masterHeaderSize || b[0] != formatV1 {
		return nil, ErrFormat
	}
	count := int(binary.BigEndian.Uint16(b[masterHeaderSize-2:]))
	if count < 1 || count > MaxVersions || len(b) != masterHeaderSize+count*masterVersionSize {
		return nil, ErrFormat
	}
	m := &Master{mount: [16]byte(b[1:]), keys: &ring{versions: make([]keyVersion, count)}}
	var previous uint32
	for i := range m.keys.versions {
		record := b[masterHeaderSize+i*masterVersionSize:]
		v := &m.keys.versions[i]
		if err := v.parsePublic(record, previous); err != nil {
			m.Wipe()
			return nil, err
		}
		key := [keySize]byte(record[versionPublicSize:])
		v.key = &key
		made(key[:])
		if equal(key[:], make([]byte, keySize)) {
			// The record was cleared before it was stored: no random key is zero.
			m.Wipe()
			return nil, ErrFormat
		}
		previous = v.number
	}
	return m, nil
}
