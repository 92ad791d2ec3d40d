package enginetest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"
)

// ErrDown is the error of a storage that is down.
var ErrDown = errors.New("storage is down")

// Counts are numbers of storage calls.
type Counts struct{ Gets, Puts, Deletes, Lists int }

// Storage is an in-memory storage. It counts its calls. FailFrom makes every call fail from a given
// one on, as for a process that dies there.
type Storage struct {
	mu      sync.Mutex
	entries map[string][]byte
	counts  Counts
	calls   int  // since the last Reset
	failAt  int  // number of the first call that fails; 0: none
	stored  bool // see FailFrom
	hook    func(op, key string)
}

// NewStorage returns an empty storage.
func NewStorage() *Storage { return &Storage{entries: make(map[string][]byte)} }

// Clone returns what a restart finds: a storage with the same entries that is up and has no counts.
func (s *Storage) Clone() *Storage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Storage{entries: maps.Clone(s.entries)}
}

// Reset sets the counts to zero and ends a FailFrom.
func (s *Storage) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts, s.calls, s.failAt = Counts{}, 0, 0
}

// FailFrom sets the counts to zero and makes every call fail from the n-th on. 1 is the next call.
// With stored, the n-th call takes effect although it returns an error: only its response is lost.
func (s *Storage) FailFrom(n int, stored bool) {
	s.Reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failAt, s.stored = n, stored
}

// Calls returns the number of calls since the last Reset, including failed ones.
func (s *Storage) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Counts returns the numbers of calls since the last Reset.
func (s *Storage) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Hook sets a function that every call calls first, while no lock is held.
func (s *Storage) Hook(f func(op, key string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = f
}

// Diff returns the keys, sorted, whose entries differ between the two storages.
func (s *Storage) Diff(other *Storage) []string {
	mine, theirs := s.Clone().entries, other.Clone().entries
	var keys []string
	for key, value := range mine {
		if other, ok := theirs[key]; !ok || !bytes.Equal(value, other) {
			keys = append(keys, key)
		}
	}
	for key := range theirs {
		if _, ok := mine[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Keys returns all keys, sorted.
func (s *Storage) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.entries))
}

// Raw reads an entry without counting the call. It returns nil if there is no entry.
func (s *Storage) Raw(key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.entries[key])
}

// SetRaw writes an entry without counting the call. A nil value removes the entry.
func (s *Storage) SetRaw(key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value == nil {
		delete(s.entries, key)
		return
	}
	s.entries[key] = slices.Clone(value)
}

// begin counts a call. It reports whether the call takes effect, and whether it returns an error.
func (s *Storage) begin(op, key string, count func(*Counts)) (effect, fails bool) {
	s.mu.Lock()
	hook := s.hook
	s.calls++
	count(&s.counts)
	down := s.failAt > 0 && s.calls >= s.failAt
	effect = !down || s.stored && s.calls == s.failAt
	s.mu.Unlock()
	if hook != nil {
		hook(op, key)
	}
	return effect, down
}

// Get reads an entry.
func (s *Storage) Get(_ context.Context, key string) (*logical.StorageEntry, error) {
	if _, fails := s.begin("get", key, func(c *Counts) { c.Gets++ }); fails {
		return nil, ErrDown
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.entries[key]
	if !ok {
		return nil, nil
	}
	return &logical.StorageEntry{Key: key, Value: slices.Clone(value)}, nil
}

// Put writes an entry.
func (s *Storage) Put(_ context.Context, entry *logical.StorageEntry) error {
	effect, fails := s.begin("put", entry.Key, func(c *Counts) { c.Puts++ })
	if effect {
		s.SetRaw(entry.Key, append([]byte{}, entry.Value...))
	}
	if fails {
		return ErrDown
	}
	return nil
}

// Delete removes an entry.
func (s *Storage) Delete(_ context.Context, key string) error {
	effect, fails := s.begin("delete", key, func(c *Counts) { c.Deletes++ })
	if effect {
		s.SetRaw(key, nil)
	}
	if fails {
		return ErrDown
	}
	return nil
}

// List returns the sorted names directly under a prefix. Names of folders end with a slash.
func (s *Storage) List(_ context.Context, prefix string) ([]string, error) {
	if _, fails := s.begin("list", prefix, func(c *Counts) { c.Lists++ }); fails {
		return nil, ErrDown
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make(map[string]bool)
	for key := range s.entries {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		if name, _, isFolder := strings.Cut(rest, "/"); isFolder {
			found[name+"/"] = true
		} else {
			found[name] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}
