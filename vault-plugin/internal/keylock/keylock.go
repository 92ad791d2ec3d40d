// Package keylock owns locks that are named by a key. Two keys never share a lock. A lock that is
// held across a storage call therefore delays only callers that use the same key.
package keylock

import "sync"

// Map holds the locks in use. The zero value is ready to use.
type Map[K comparable] struct {
	mu    sync.Mutex
	locks map[K]*lock
}

type lock struct {
	mu    sync.Mutex
	users int // holders and waiters; the last one removes the lock from the map
}

// Lock acquires the lock of key and returns the function that releases it.
func (m *Map[K]) Lock(key K) (unlock func()) {
	m.mu.Lock()
	l := m.locks[key]
	if l == nil {
		l = &lock{}
		if m.locks == nil {
			m.locks = make(map[K]*lock)
		}
		m.locks[key] = l
	}
	l.users++
	m.mu.Unlock()

	l.mu.Lock()
	return func() {
		l.mu.Unlock()
		m.mu.Lock()
		defer m.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(m.locks, key)
		}
	}
}
