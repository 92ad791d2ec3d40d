package keyring

import (
	"encoding/binary"
	"time"
)

// Master is the live versions of a mount's master key, which wraps the keys of every workspace and derives those of the mount's
// own activity. It is immutable: Rotate and Trim return a new one, with keys of its own, that is in force once it is stored.
type Master struct {
	mount [16]byte // random, minted with the first version
	keys  *ring
}

// NewMaster mints the master key of a new mount. Its error is ErrTime.
func NewMaster(now time.Time) (*Master, error) {
	first, err := newVersion(1, now)
	if err != nil {
		return nil, err
	}
	m := &Master{keys: &ring{versions: []keyVersion{first}}}
	random(m.mount[:])
	return m, nil
}

// Latest is the version under which Wrap wraps.
func (m *Master) Latest() uint32 { return m.keys.latest() }

// Versions lists the live versions in increasing order.
func (m *Master) Versions() []VersionInfo { return m.keys.infos() }

// Rotate adds a random version, which the result wraps under. Its errors are ErrTooManyVersions, ErrTime and ErrWiped.
func (m *Master) Rotate(now time.Time) (*Master, error) {
	keys, err := m.keys.rotated(now)
	if err != nil {
		return nil, err
	}
	return &Master{m.mount, keys}, nil
}

// Trim leaves out the versions below lowest. What is still wrapped under them, see InspectEntry, can then never be unwrapped. Its
// errors are ErrMinimum, if no version would be left, and ErrWiped.
func (m *Master) Trim(lowest uint32) (*Master, error) {
	keys, err := m.keys.from(lowest)
	if err != nil {
		return nil, err
	}
	return &Master{m.mount, keys}, nil
}

// Wipe clears the keys from memory, once the operations that use them are done.
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

// Encode returns the record that DecodeMaster reads. It holds the keys in the clear: this is the only way for a key to leave the
// package. It belongs behind Vault's barrier and nowhere else; the caller clears it. Its error is ErrWiped.
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
	return b, nil
}

// DecodeMaster reads the record that Encode has written, of which there is exactly one for a master key, and refuses all else with
// ErrFormat. It keeps nothing of b, which the caller clears.
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
		if key == ([keySize]byte{}) {
			// A record that was cleared before it was stored. No random key is zero.
			m.Wipe()
			return nil, ErrFormat
		}
		previous = v.number
	}
	return m, nil
}
