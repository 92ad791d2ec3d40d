package keyring

import (
	"encoding/binary"
	"math"
	"time"
)

// The key entry, format 1. It contains all key versions of a workspace, so that a rotation is one
// write. Integers are big-endian.
//
//	0    1  format  0x01
//	1    4  minimum version for decryption, between the lowest and the highest version
//	5    2  number of versions, 1 to MaxVersions; then for each, in increasing order:
//	     4  version, not 0
//	     8  creation time, Unix milliseconds
//	   116  envelope of the key; its key version is that of the master key
//
// Each envelope is bound to the workspace's name and id and to the key's version. The minimum and
// the creation times are not authenticated: they are only as trustworthy as the storage.
const (
	entryHeaderSize  = 1 + 4 + 2
	wrappedSize      = overhead + keySize
	entryVersionSize = versionPublicSize + wrappedSize
)

// EntryInfo is the part of a key entry that can be read without a key.
type EntryInfo struct {
	MasterVersion uint32        // lowest master key version that Unwrap needs
	Latest        uint32        // highest version in Versions
	MinDecryption uint32        // lowest version that contexts open
	Versions      []VersionInfo // in increasing order
}

// InspectEntry reads the public part of an entry that Wrap returned. It returns ErrFormat for
// anything else.
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

// NewWorkspace mints the first key version of a workspace. The errors are ErrTime, ErrTooLarge and
// ErrWiped.
func (m *Master) NewWorkspace(scope WorkspaceScope, now time.Time) (*Workspace, error) {
	if m.keys.gone() {
		return nil, ErrWiped
	}
	if len(scope.Name) > math.MaxUint16 {
		return nil, ErrTooLarge
	}
	first, err := newVersion(1, now)
	if err != nil {
		return nil, err
	}
	return &Workspace{scope, first.number, &ring{versions: []keyVersion{first}}}, nil
}

// Wrap returns the key entry of a workspace. Every version is wrapped under the latest master key
// version. Each call returns different bytes. The error is ErrWiped.
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

// Unwrap opens the key entry of a workspace. Its versions may be wrapped under different master key
// versions. The error is ErrWiped, or ErrOpen if the entry is damaged or belongs to another
// workspace or another master key.
func (m *Master) Unwrap(scope WorkspaceScope, entry []byte) (*Workspace, error) {
	if m.keys.gone() {
		return nil, ErrWiped
	}
	e, err := parseEntry(entry)
	if err != nil {
		return nil, ErrOpen
	}
	w := &Workspace{scope, e.minimum, e.keys}
	var kek *[keySize]byte
	var kekVersion uint32
	for i, wrapped := range e.wrapped {
		// All versions are usually wrapped under the same master key version.
		if kek == nil || wrapped.version() != kekVersion {
			kekVersion = wrapped.version()
			if kek, err = m.kek(kekVersion, scope); err != nil {
				w.Wipe()
				return nil, opaque(err, ErrOpen)
			}
			defer clear(kek[:])
		}
		if err := unwrapKey(kek, wrapped, scope, &e.keys.versions[i]); err != nil {
			w.Wipe()
			return nil, ErrOpen
		}
	}
	return w, nil
}

// Opens reports whether Unwrap would open the key entry. It keeps no key in memory.
func (m *Master) Opens(scope WorkspaceScope, entry []byte) bool {
	w, err := m.Unwrap(scope, entry)
	if err != nil {
		return false
	}
	w.Wipe()
	return true
}

// kek derives the key that wraps the keys of one workspace. The caller clears it.
func (m *Master) kek(number uint32, scope WorkspaceScope) (*[keySize]byte, error) {
	info, err := newTuple(nil).text(scheme).text(labelKEK).bytes(scope.ID[:]).text(scope.Name).encode()
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

func wrapKey(kek *[keySize]byte, masterVersion uint32, scope WorkspaceScope, number uint32, key *[keySize]byte) (envelope, error) {
	h := newHead(domainWorkspaceKey, masterVersion, len(key))
	m, keys, err := wrapKeys(kek, h, scope, number)
	if err != nil {
		return nil, err
	}
	defer clear(keys)
	return seal(h, m, keys, key[:])
}

// unwrapKey sets the key of v.
func unwrapKey(kek *[keySize]byte, wrapped envelope, scope WorkspaceScope, v *keyVersion) error {
	m, keys, err := wrapKeys(kek, wrapped[:commitmentOffset], scope, v.number)
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

// wrapKeys derives the message keys that wrap a workspace key. The caller clears them.
func wrapKeys(kek *[keySize]byte, h []byte, scope WorkspaceScope, number uint32) (message, []byte, error) {
	m, err := endMessage(template(newTemplate()).begin(h).text(labelWorkspaceKey).bytes(scope.ID[:]).text(scope.Name).u32(number))
	if err != nil {
		return nil, nil, err
	}
	keys, err := expand(kek, m, messageKeysSize)
	return m, keys, err
}

// parsedEntry is a parsed entry. The versions in keys have no key yet: wrapped contains the
// envelopes of the keys.
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
