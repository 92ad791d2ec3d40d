package keyring

import "sync"

// derived holds the keys of one scope, one for each version of the parent key. Each key is derived
// on first use.
type derived struct {
	parent *ring
	info   []byte // derivation info: T("stash/v1", label, scope...)

	// mu is read-locked while a key is in use, so that wipe waits. It is locked before the mu of
	// the parent.
	mu    sync.RWMutex
	wiped bool
	keys  map[uint32]*[keySize]byte
}

// newDerived prepares the keys of a scope. The first field of the scope is the id of the workspace
// or mount.
func newDerived(parent *ring, label string, scope fields) (*derived, error) {
	if parent.gone() {
		return nil, ErrWiped
	}
	info, err := newTuple(nil).text(scheme).text(label).all(scope).encode()
	if err != nil {
		return nil, err
	}
	return &derived{parent: parent, info: info, keys: make(map[uint32]*[keySize]byte, 1)}, nil
}

// use calls f with the key for a version of the parent key. f must not retain the key.
func (d *derived) use(number uint32, f func(*[keySize]byte) error) error {
	if d == nil {
		return ErrWiped // the zero value of an exported type has no keys
	}
	if d.parent.gone() {
		d.wipe()
		return ErrWiped
	}
	d.mu.RLock()
	key := d.keys[number]
	if key == nil || d.wiped {
		d.mu.RUnlock()
		return d.useNew(number, f)
	}
	defer d.mu.RUnlock()
	return f(key)
}

// useNew derives the key on the first use of a version, then calls f with it.
func (d *derived) useNew(number uint32, f func(*[keySize]byte) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wiped {
		return ErrWiped
	}
	if d.keys[number] == nil {
		err := d.parent.use(number, func(parent *[keySize]byte) error {
			key, err := expand(parent, d.info, keySize)
			if err == nil {
				d.keys[number] = (*[keySize]byte)(key)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return f(d.keys[number])
}

// alive returns ErrWiped once the keys or their parent are wiped.
func (d *derived) alive() error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.wiped || d.parent.gone() {
		return ErrWiped
	}
	return nil
}

func (d *derived) wipe() {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wiped = true
	for number, key := range d.keys {
		clear(key[:])
		delete(d.keys, number)
	}
}
