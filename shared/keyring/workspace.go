package keyring

import (
	"encoding/hex"
	"time"
)

// WorkspaceID is a random UUID that a workspace is given when it is created. It is not secret. A workspace that is deleted and
// created again has another id, so that nothing of the old one opens in the new one.
type WorkspaceID [16]byte

// NewWorkspaceID mints a UUID of version 4 (RFC 9562, section 5.4). The error is always nil so far.
func NewWorkspaceID() (WorkspaceID, error) {
	var id WorkspaceID
	random(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

// ParseWorkspaceID reads what String prints, 32 lower-case hexadecimal digits, and refuses all else with ErrFormat.
func ParseWorkspaceID(s string) (WorkspaceID, error) {
	var id WorkspaceID
	if len(s) != hex.EncodedLen(len(id)) {
		return WorkspaceID{}, ErrFormat
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil || id.String() != s {
		return WorkspaceID{}, ErrFormat
	}
	return id, nil
}

// String is 32 lower-case hexadecimal digits.
func (id WorkspaceID) String() string { return hex.EncodeToString(id[:]) }

// Workspace is the unwrapped key versions of one workspace. It derives the keys of contexts and does nothing else. It is
// immutable: Rotate, SetMinDecryption and Trim return a new one, with keys of its own, that is in force once its entry is stored.
type Workspace struct {
	id      WorkspaceID
	minimum uint32 // oldest ≤ minimum ≤ latest
	keys    *ring
}

// ID tells which workspace the keys belong to.
func (w *Workspace) ID() WorkspaceID { return w.id }

// Latest is the version under which contexts seal.
func (w *Workspace) Latest() uint32 { return w.keys.latest() }

// MinDecryption is the lowest version that contexts open.
func (w *Workspace) MinDecryption() uint32 { return w.minimum }

// Versions lists the live versions in increasing order, those below MinDecryption included.
func (w *Workspace) Versions() []VersionInfo { return w.keys.infos() }

// Rotate adds a random version, which contexts of the result seal under. Its errors are ErrTooManyVersions, ErrTime and ErrWiped.
func (w *Workspace) Rotate(now time.Time) (*Workspace, error) {
	keys, err := w.keys.rotated(now)
	if err != nil {
		return nil, err
	}
	return &Workspace{w.id, w.minimum, keys}, nil
}

// SetMinDecryption makes contexts of the result refuse what is sealed under versions below lowest, which stay and can be allowed
// again until Trim destroys them. Its errors are ErrMinimum and ErrWiped.
func (w *Workspace) SetMinDecryption(lowest uint32) (*Workspace, error) {
	if lowest < w.keys.oldest() || lowest > w.keys.latest() {
		return nil, ErrMinimum
	}
	keys, err := w.keys.from(0)
	if err != nil {
		return nil, err
	}
	return &Workspace{w.id, lowest, keys}, nil
}

// Trim leaves out the versions below MinDecryption. Once the result's entry has replaced the old one in storage they are destroyed,
// and with them whatever is still sealed under them.
func (w *Workspace) Trim() (*Workspace, error) {
	keys, err := w.keys.from(w.minimum)
	if err != nil {
		return nil, err
	}
	return &Workspace{w.id, w.minimum, keys}, nil
}

// Wipe clears the keys from memory, once the operations that use them are done. Contexts that came from here answer ErrWiped from
// then on; the keys they have derived themselves are cleared by their own Wipe, or by their next use.
func (w *Workspace) Wipe() { w.keys.wipe() }
