// Package recordset owns what every family of named records shares, such as integrations and syncs:
// the entries in memory, their loading, damaged records, creations and deletions, changes of
// unknown outcome, and dependents. It knows nothing of what the records contain.
//
// A family's service keeps its entries in a Set. An entry embeds Member and is immutable: a change
// replaces it. A Set uses the lock of its service. The service can therefore read an entry and the
// data that it keeps for the entry in one step.
package recordset

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
)

// Key names a record in its family.
type Key struct {
	Parent store.ID // of the workspace, environment or integration that the record belongs to
	Group  string   // provider of an integration, destination of a sync; "" without groups
	Name   string
}

// compare orders keys by parent, group and name.
func (k Key) compare(other Key) int {
	return cmp.Or(cmp.Compare(k.Parent, other.Parent), cmp.Compare(k.Group, other.Group), cmp.Compare(k.Name, other.Name))
}

// String returns the names below the parent, joined by a slash.
func (k Key) String() string {
	if k.Group == "" {
		return k.Name
	}
	return k.Group + "/" + k.Name
}

// Stored returns the storage key of a record of the given kind, for errors.
func (k Key) Stored(kind store.Kind) string {
	return kind.RecordPrefix() + string(k.Parent) + "/" + k.String()
}

// Member is the part of an entry that a Set needs. Entries embed it.
type Member struct {
	At        Key
	ID        store.ID // incarnation id, from the record
	Workspace store.ID
}

func (m Member) member() Member { return m }

// Entry is a pointer to a struct that embeds Member.
type Entry interface {
	comparable
	member() Member
}

// Tree is the part of the tree of workspaces that a Set needs.
type Tree interface {
	// Exclusively runs work while other changes to a workspace are held back.
	Exclusively(ctx context.Context, ws store.ID, work func() error) error
	// AddPending records a change whose outcome is unknown. It calls recheck immediately and, as
	// long as recheck fails, before the next change to the workspace. It reports whether recheck
	// has succeeded.
	AddPending(ctx context.Context, ws store.ID, recheck func(context.Context) error) (known bool)
}

// Family is what a Set knows of the service that owns it.
type Family[E Entry] struct {
	Kind   store.Kind
	Tree   Tree
	Undone *undone.Service

	// Exists reports whether a parent has a record.
	Exists func(parent store.ID) bool
	// Read reads the record at the key of e, and returns a new entry that is like e in all that the
	// record does not decide. It returns nil if no record is stored, and store.ErrDamaged if it
	// cannot be decoded.
	Read func(ctx context.Context, e E) (E, error)
	// Owns reports whether what is stored beneath the id of e belongs to e. It returns false for a
	// record that was moved or copied from another name, because the id is that of the other
	// record. Deleting such a record removes nothing beneath the id.
	Owns func(ctx context.Context, e E) (bool, error)
	// Took is called with the lock held when an entry is put into memory. If two records have the
	// same id, it is called again for one of them after the other is dropped.
	Took func(e E)
	// Dropped is called with the lock held when an entry is removed from memory.
	Dropped func(e E)
	// Rechecked is called when the outcome of a change to e is known. stored is the entry that
	// storage has now, or nil; begun is the creation or deletion of e, which Rechecked ends, or
	// nil. The caller holds back other changes to the workspace.
	Rechecked func(ctx context.Context, e, stored E, begun *undone.Change)
}

// Set holds the entries of one family in memory.
type Set[E Entry] struct {
	Family[E]
	mu *sync.RWMutex // the service's

	entries map[Key]E
	keys    map[store.ID][]Key        // sorted; more than one only if a record was copied
	inside  map[store.ID]map[Key]bool // by workspace
	closed  map[Key]bool              // a deletion may have removed their records
	damaged []string                  // storage keys of damaged records; sorted after Load
}

// New returns an empty Set. mu is the lock of the service that owns it.
func New[E Entry](mu *sync.RWMutex, f Family[E]) *Set[E] {
	return &Set[E]{
		Family: f, mu: mu,
		entries: make(map[Key]E), keys: make(map[store.ID][]Key), inside: make(map[store.ID]map[Key]bool), closed: make(map[Key]bool),
	}
}

// Find returns the entry at a key, or nil if there is none. It fails if a deletion of unknown
// outcome may have removed the record, or if the record is damaged: a new record would overwrite
// it. The caller holds the lock.
func (s *Set[E]) Find(at Key) (E, error) {
	e, exists := s.entries[at]
	switch {
	case s.closed[at]:
		var none E
		return none, fault.New(fault.Unavailable, "cannot tell whether %s %s was deleted: storage failed; try again when storage is healthy", s.Kind, at)
	case !exists && slices.Contains(s.damaged, at.Stored(s.Kind)):
		return e, fault.Damaged("the record %s is damaged, so its content cannot be read; restore it from a snapshot of Vault's storage", at.Stored(s.Kind))
	}
	return e, nil
}

// ByID returns the entry with an id, or nil if there is none. If several records have the id, it
// returns the first by key. The caller holds the lock.
func (s *Set[E]) ByID(id store.ID) E {
	if at := s.keys[id]; len(at) > 0 {
		return s.entries[at[0]]
	}
	var none E
	return none
}

// All returns all entries. The caller holds the lock during the iteration.
func (s *Set[E]) All() iter.Seq[E] { return maps.Values(s.entries) }

// In returns the entries of a workspace. The caller holds the lock during the iteration.
func (s *Set[E]) In(ws store.ID) iter.Seq[E] {
	return func(yield func(E) bool) {
		for at := range s.inside[ws] {
			if !yield(s.entries[at]) {
				return
			}
		}
	}
}

// Count returns the number of entries of a workspace.
func (s *Set[E]) Count(ws store.ID) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.inside[ws])
}

// Total returns the number of entries.
func (s *Set[E]) Total() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.entries)
}

// HasRecord reports whether the record with an id is in memory.
func (s *Set[E]) HasRecord(_ store.Kind, id store.ID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, has := s.keys[id]
	return has
}

// HidesRecord reports whether a record is damaged.
func (s *Set[E]) HidesRecord(store.Kind) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.damaged) > 0
}

// Hidden returns the number of damaged records whose parents inside reports. What is stored for
// them cannot be found, so the keys that it needs are unknown.
func (s *Set[E]) Hidden(inside func(parent store.ID) bool) (hidden int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, key := range s.damaged {
		parent, _, _ := strings.Cut(strings.TrimPrefix(key, s.Kind.RecordPrefix()), "/")
		if inside(store.ID(parent)) {
			hidden++
		}
	}
	return hidden
}

// Health returns a sentence for each damaged record.
func (s *Set[E]) Health() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	wrong := make([]string, len(s.damaged))
	for i, key := range s.damaged {
		wrong[i] = fmt.Sprintf("the record %s is damaged; restore it from a snapshot of Vault's storage", key)
	}
	return wrong
}

// Take puts an entry into memory in place of the one at its key.
func (s *Set[E]) Take(e E) {
	m := e.member()
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, exists := s.entries[m.At]; exists {
		s.unindex(before.member())
	}
	s.entries[m.At] = e
	keys := append(s.keys[m.ID], m.At)
	slices.SortFunc(keys, Key.compare)
	s.keys[m.ID] = keys
	if s.inside[m.Workspace] == nil {
		s.inside[m.Workspace] = make(map[Key]bool)
	}
	s.inside[m.Workspace][m.At] = true
	s.Took(e)
}

// unindex removes an entry from keys and inside. The caller holds the lock.
func (s *Set[E]) unindex(m Member) {
	s.keys[m.ID] = slices.DeleteFunc(s.keys[m.ID], func(at Key) bool { return at == m.At })
	if len(s.keys[m.ID]) == 0 {
		delete(s.keys, m.ID)
	}
	if delete(s.inside[m.Workspace], m.At); len(s.inside[m.Workspace]) == 0 {
		delete(s.inside, m.Workspace)
	}
}

// drop removes the entry at a key from memory.
func (s *Set[E]) drop(at Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, exists := s.entries[at]
	if !exists {
		return
	}
	m := e.member()
	delete(s.entries, at)
	s.unindex(m)
	s.Dropped(e)
	var none E
	if other := s.ByID(m.ID); other != none {
		s.Took(other)
	}
}

// Forget removes from memory the entries of deleted parents. A sweep removes their records.
func (s *Set[E]) Forget() {
	s.mu.RLock()
	var gone []Key
	for at := range s.entries {
		if !s.Exists(at.Parent) {
			gone = append(gone, at)
		}
	}
	s.mu.RUnlock()
	for _, at := range gone {
		s.drop(at)
	}
}
