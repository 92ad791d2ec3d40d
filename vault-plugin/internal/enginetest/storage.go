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

// ErrDown is what a storage answers from the call on that FailFrom names.
var ErrDown = errors.New("storage is down")

// Counts are the storage calls since the last Reset.
type Counts struct{ Gets, Puts, Deletes, Lists int }

// Storage is a mount's storage in memory. It counts the calls, and can go down at any one of them: as for a process that dies,
// nothing goes through from there on.
type Storage struct {
	mu      sync.Mutex
	entries map[string][]byte
	counts  Counts
	calls   int // since the last Reset
	failAt  int // the call from which on everything fails; 0: never
	stored  bool
	hook    func(op, key string)
}

// NewStorage makes an empty storage.
func NewStorage() *Storage { return &Storage{entries: make(map[string][]byte)} }

// Clone answers a storage of the same content that is up and has counted nothing: what a restart finds.
func (s *Storage) Clone() *Storage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Storage{entries: maps.Clone(s.entries)}
}

// Reset begins to count anew and has the storage up.
func (s *Storage) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts, s.calls, s.failAt = Counts{}, 0, 0
}

// FailFrom begins to count anew and fails from the n-th call on, 1 being the next. With stored, that call itself still takes
// effect though it answers an error: the answer is lost, not the write.
func (s *Storage) FailFrom(n int, stored bool) {
	s.Reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failAt, s.stored = n, stored
}

// Calls answers how many calls there were since the last Reset, failed ones included.
func (s *Storage) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Counts answers the calls by kind since the last Reset.
func (s *Storage) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Hook has f called at the beginning of every call, with no lock held.
func (s *Storage) Hook(f func(op, key string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = f
}

// Diff lists the keys whose entries are not the same, byte for byte, in the other storage, sorted.
func (s *Storage) Diff(other *Storage) []string {
	mine, theirs := s.Clone().entries, other.Clone().entries
	var keys []string
	for key, value := range mine {
		if at, ok := theirs[key]; !ok || !bytes.Equal(value, at) {
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

// Keys lists everything that is stored, sorted.
func (s *Storage) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.entries))
}

// Raw reads an entry past the counting; nil where there is none.
func (s *Storage) Raw(key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.entries[key])
}

// SetRaw writes an entry past the counting; nil removes it.
func (s *Storage) SetRaw(key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value == nil {
		delete(s.entries, key)
		return
	}
	s.entries[key] = slices.Clone(value)
}

// begin counts a call and tells whether it takes effect, and whether it answers an error.
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

// List lists what stands directly under a prefix; folders end with a slash.
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
