package keyring

import (
	"encoding/binary"
	"math"
	"time"
)

// The key entry, format 1: all of a workspace's key versions, so that a rotation is one write. Integers are big-endian.
//
//	0    1  format  0x01
//	1    4  minimum version for decryption, between the lowest and the highest version
//	5    2  number of versions, 1 to MaxVersions; then for each, in increasing order:
//	     4  version, not 0
//	     8  creation time, Unix milliseconds
//	   116  envelope of the key, whose key version is that of the master key
//
// A key's workspace, by name and id, and its version are bound into its envelope. The minimum and the creation times are as true
// as the storage is.
const (
	entryHeaderSize  = 1 + 4 + 2
	wrappedSize      = overhead + keySize
	entryVersionSize = versionPublicSize + wrappedSize
)

// EntryInfo is what a key entry tells without a key.
type EntryInfo struct {
	MasterVersion uint32 // the lowest master key version that is needed to unwrap the entry
	Latest        uint32
	MinDecryption uint32
	Versions      []VersionInfo // in increasing order
}

// InspectEntry reads what is public of the entry that Wrap made, and refuses all else with ErrFormat.
func InspectEntry(entry []byte) (EntryInfo, error) {
	e, err := parseEntry(entry)
	if err != nil {
		return EntryInfo{}, err
	}
	info := EntryInfo{MasterVersion: e.wrapped[0].version(), Latest: e.keys.latest(), MinDecryption: e.minimum, Versions: e.keys.infos()}
	for _, wrapped := range e.wrapped {
		info.MasterVersion = min(info.MasterVersion, wrapped.version())
	}
	return info, nil
}

// NewWorkspace mints the first key version of a workspace. Its errors are ErrTime, ErrTooLarge and ErrWiped.
func (m *Master) NewWorkspace(of WorkspaceScope, now time.Time) (*Workspace, error) {
	if m.keys.gone() {
		return nil, ErrWiped
	}
	if len(of.Name) > math.MaxUint16 {
		return nil, ErrTooLarge
	}
	first, err := newVersion(1, now)
	if err != nil {
		return nil, err
	}
	return &Workspace{of, first.number, &ring{versions: []keyVersion{first}}}, nil
}

// Wrap returns the key entry of a workspace, with every version wrapped under the latest master key. It is different each time.
// Its error is ErrWiped.
func (m *Master) Wrap(w *Workspace) ([]byte, error) {
	if w.keys.gone() {
		return nil, ErrWiped
	}
	latest := m.keys.latest()
	kek, err := m.kek(latest, w.scope)
	if err != nil {
		return nil, err
	}
	defer clear(kek[:])
	entry := make([]byte, 0, entryHeaderSize+len(w.keys.versions)*entryVersionSize)
	entry = append(entry, formatV1)
	entry = binary.BigEndian.AppendUint32(entry, w.minimum)
	entry = binary.BigEndian.AppendUint16(entry, uint16(len(w.keys.versions)))
	for i := range w.keys.versions {
		v := &w.keys.versions[i]
		entry = v.appendPublic(entry)
		err := w.keys.use(v.number, func(key *[keySize]byte) error {
			wrapped, err := wrapKey(kek, latest, w.scope, v.number, key)
			entry = append(entry, wrapped...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return entry, nil
}

// Unwrap opens a workspace's key entry, whatever master key versions it is wrapped under. Its errors are ErrOpen, for an entry that
// is damaged, of another workspace or of another master key, and ErrWiped.
func (m *Master) Unwrap(of WorkspaceScope, entry []byte) (*Workspace, error) {
	if m.keys.gone() {
		return nil, ErrWiped
	}
	e, err := parseEntry(entry)
	if err != nil {
		return nil, ErrOpen
	}
	w := &Workspace{of, e.minimum, e.keys}
	var kek *[keySize]byte
	var kekVersion uint32
	for i, wrapped := range e.wrapped {
		// Usually all versions are wrapped under the same master key.
		if kek == nil || wrapped.version() != kekVersion {
			kekVersion = wrapped.version()
			if kek, err = m.kek(kekVersion, of); err != nil {
				w.Wipe()
				return nil, opaque(err, ErrOpen)
			}
			defer clear(kek[:])
		}
		if err := unwrapKey(kek, wrapped, of, &e.keys.versions[i]); err != nil {
			w.Wipe()
			return nil, ErrOpen
		}
	}
	return w, nil
}

// kek derives the key that wraps the keys of one workspace. The caller clears it.
func (m *Master) kek(number uint32, of WorkspaceScope) (*[keySize]byte, error) {
	info, err := newTuple(nil).text(scheme).text(labelKEK).bytes(of.ID[:]).text(of.Name).encode()
	if err != nil {
		return nil, err
	}
	var kek []byte
	err = m.keys.use(number, func(key *[keySize]byte) (err error) {
		kek, err = expand(key, info, keySize)
		return err
	})
	if err != nil {
		return nil, err
	}
	return (*[keySize]byte)(kek), nil
}

func wrapKey(kek *[keySize]byte, masterVersion uint32, of WorkspaceScope, number uint32, key *[keySize]byte) (envelope, error) {
	h := newHead(domainWorkspaceKey, masterVersion, len(key))
	m, keys, err := wrapKeys(kek, h, of, number)
	if err != nil {
		return nil, err
	}
	defer clear(keys)
	return seal(h, m, keys, key[:])
}

// unwrapKey fills in the key of v.
func unwrapKey(kek *[keySize]byte, wrapped envelope, of WorkspaceScope, v *keyVersion) error {
	m, keys, err := wrapKeys(kek, wrapped[:commitmentAt], of, v.number)
	if err != nil {
		return err
	}
	defer clear(keys)
	key, err := open(wrapped, m, keys)
	if err != nil {
		return err
	}
	v.key = (*[keySize]byte)(key)
	return nil
}

// wrapKeys expands the message keys of a wrapped workspace key. The caller clears them.
func wrapKeys(kek *[keySize]byte, h []byte, of WorkspaceScope, number uint32) (message, []byte, error) {
	m, err := endMessage(template(newTemplate()).begin(h).text(labelWorkspaceKey).bytes(of.ID[:]).text(of.Name).u32(number))
	if err != nil {
		return nil, nil, err
	}
	keys, err := expand(kek, m, messageKeysSize)
	return m, keys, err
}

// parsedEntry is an entry whose keys are still missing, beside the envelopes they are in.
type parsedEntry struct {
	minimum uint32
	keys    *ring
	wrapped []envelope
}

func parseEntry(b []byte) (parsedEntry, error) {
	if len(b) < entryHeaderSize || b[0] != formatV1 {
		return parsedEntry{}, ErrFormat
	}
	count := int(binary.BigEndian.Uint16(b[5:]))
	if count < 1 || count > MaxVersions || len(b) != entryHeaderSize+count*entryVersionSize {
		return parsedEntry{}, ErrFormat
	}
	e := parsedEntry{
		minimum: binary.BigEndian.Uint32(b[1:]),
		keys:    &ring{versions: make([]keyVersion, count)},
		wrapped: make([]envelope, count),
	}
	var previous uint32
	for i := range count {
		record := b[entryHeaderSize+i*entryVersionSize:][:entryVersionSize]
		if err := e.keys.versions[i].parsePublic(record, previous); err != nil {
			return parsedEntry{}, err
		}
		previous = e.keys.versions[i].number
		var err error
		if e.wrapped[i], err = parseEnvelope(record[versionPublicSize:], domainWorkspaceKey); err != nil {
			return parsedEntry{}, err
		}
	}
	if e.minimum < e.keys.oldest() || e.minimum > e.keys.latest() {
		return parsedEntry{}, ErrFormat
	}
	return e, nil
}
