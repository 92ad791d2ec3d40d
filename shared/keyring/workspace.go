package keyring

import "time"

// Workspace is the unwrapped key versions of one workspace. It derives the keys of contexts and does nothing else. It is
// immutable: Rotate, SetMinDecryption and Trim return a new one, with keys of its own, that is in force once its entry is stored.
type Workspace struct {
	scope   WorkspaceScope
	minimum uint32 // oldest ≤ minimum ≤ latest
	keys    *ring
}

// Scope returns the workspace that the keys belong to.
func (w *Workspace) Scope() WorkspaceScope { return w.scope }

// owner begins the scope of a context: its first field is the workspace's id.
func (w *Workspace) owner() tuple { return newTuple(make([]byte, 0, scopeSize)).bytes(w.scope.ID[:]) }

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
	return &Workspace{w.scope, w.minimum, keys}, nil
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
	return &Workspace{w.scope, lowest, keys}, nil
}

// Trim leaves out the versions below MinDecryption. Once the result's entry has replaced the old one in storage they are destroyed,
// and with them whatever is still sealed under them.
func (w *Workspace) Trim() (*Workspace, error) {
	keys, err := w.keys.from(w.minimum)
	if err != nil {
		return nil, err
	}
	return &Workspace{w.scope, w.minimum, keys}, nil
}

// Wipe clears the keys from memory, once the operations that use them are done. Contexts that came from here answer ErrWiped from
// then on; the keys they have derived themselves are cleared by their own Wipe, or by their next use.
func (w *Workspace) Wipe() { w.keys.wipe() }
