package keyring

import "time"

// Workspace holds the unwrapped key versions of one workspace. It derives the keys of contexts and
// does nothing else. It is immutable. Rotate, SetMinDecryption and Trim return a new Workspace with
// its own copies of the keys. The new one takes effect once the caller has stored its key entry.
type Workspace struct {
	scope   WorkspaceScope
	minimum uint32 // oldest ≤ minimum ≤ latest
	keys    *ring
}

// Scope returns the name and ID of the workspace.
func (w *Workspace) Scope() WorkspaceScope { return w.scope }

// owner begins the scope of a context. The first field of every scope is the workspace's id.
func (w *Workspace) owner() tuple { return newTuple(make([]byte, 0, scopeSize)).bytes(w.scope.ID[:]) }

// Latest returns the version under which contexts seal.
func (w *Workspace) Latest() uint32 { return w.keys.latest() }

// MinDecryption returns the lowest version that contexts open.
func (w *Workspace) MinDecryption() uint32 { return w.minimum }

// Versions returns the live versions in increasing order, including those below MinDecryption.
func (w *Workspace) Versions() []VersionInfo { return w.keys.infos() }

// Rotate returns a Workspace with an additional random version, under which its contexts seal. The
// errors are ErrTooManyVersions, ErrTime and ErrWiped.
func (w *Workspace) Rotate(now time.Time) (*Workspace, error) {
	keys, err := w.keys.rotated(now)
	if err != nil {
		return nil, err
	}
	return &Workspace{w.scope, w.minimum, keys}, nil
}

// SetMinDecryption returns a Workspace whose contexts do not open ciphertexts of versions below
// lowest. Those versions remain, and a lower minimum permits them again, until Trim removes them.
// The errors are ErrMinimum and ErrWiped.
func (w *Workspace) SetMinDecryption(lowest uint32) (*Workspace, error) {
	if lowest < w.keys.oldest() || lowest > w.keys.latest() {
		return nil, ErrMinimum
	}
	keys, err := w.keys.from(0)
	if err != nil {
		return nil, err
	}
	return &Workspace{w.scope, lowest, keys}, nil
}

// Trim returns a Workspace without the versions below MinDecryption. The versions are destroyed
// once the new key entry has replaced the old one in storage. Data still sealed under them is then
// lost. The error is ErrWiped.
func (w *Workspace) Trim() (*Workspace, error) {
	keys, err := w.keys.from(w.minimum)
	if err != nil {
		return nil, err
	}
	return &Workspace{w.scope, w.minimum, keys}, nil
}

// Wipe waits for operations that are using the keys, then clears the keys from memory. From then on
// the workspace's contexts return ErrWiped. The keys that a context derived are cleared by its own
// Wipe or its next use.
func (w *Workspace) Wipe() { w.keys.wipe() }
