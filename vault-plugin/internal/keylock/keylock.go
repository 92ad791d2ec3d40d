// Package keylock owns locks that are named by a key. Two keys never share a lock, so holding one across a storage call delays
// only those who want the same thing.
package keylock

import "sync"

// Map holds the locks in use; its zero value is ready.
type Map[K comparable] struct {
	mu    sync.Mutex
	locks map[K]*lock
}

type lock struct {
	mu    sync.Mutex
	users int // holders and waiters; the lock leaves the map with the last
}

// Lock waits for the lock of key and answers what releases it.
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
