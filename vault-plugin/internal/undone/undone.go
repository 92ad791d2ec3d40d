// Package undone owns the marks of creations and deletions that have begun and have not ended, and
// what becomes of them: the sweep, and the report of what has lost its record. It knows nothing of
// what is created and deleted but its kind.
//
// A thing is a workspace, a project, an environment, an integration or a sync. Its incarnation id
// is minted at its creation, and whatever belongs to it is stored beneath that id. These rules
// hold:
//
// 1. The mark undone/<id> is stored before the first effect of a creation or a deletion. It is
// removed last: once the thing exists whole, or once nothing of it is left.
// 2. The commit of a creation is the Put of the thing's record. The commit of a deletion is the
// Delete of the record. Of a workspace it is the Delete of its keys; the record goes after them,
// and before the mark is settled.
// 3. To settle a mark is to ask storage whether its thing exists. A thing that exists keeps all it
// has, and only the mark is removed. If it does not exist, the mark of a deletion sweeps all that
// is stored beneath the id. The mark of a creation removes only what a creation stores before its
// commit: the credential of an integration, or the keys of a workspace. If more is stored, the
// creation was committed and its record was lost later. Then all of it is kept.
// 4. Nothing is removed because a record is missing, unless a mark names the id. Whatever has
// neither a record nor a mark is kept, and is reported with its places.
// 5. While an operation is under way, or while its outcome is not known, its mark is open: nothing
// settles an open mark. The operation closes it with Done or Settle. No operation is under way when
// a mount starts, so a start settles all marks.
// 6. Whoever writes beneath an id does so while nothing deletes the thing, or calls Settle after
// the last write. So nothing is stored beneath an id once its mark is gone.
//
// The engine tries every minute, and at the next start, to remove a mark that storage has failed to
// remove. Until then, a lost record is taken for the commit of that deletion. The mark of a
// creation is safe by rule 3, except for a workspace that has nothing but keys.
package undone

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keylock"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Keys is the part of the key service that the end of a workspace needs.
type Keys interface {
	// Shred destroys the keys of a workspace.
	Shred(ctx context.Context, ws store.ID) error
	// Stored reports whether the keys of a workspace are stored.
	Stored(ctx context.Context, ws store.ID) (bool, error)
}

// Owner knows the things of some kinds that have a record.
type Owner interface {
	// HasRecord reports whether a thing with an id has a record.
	HasRecord(kind store.Kind, id store.ID) bool
	// HidesRecord reports whether a record of a kind is damaged, so that its id is not known.
	HidesRecord(kind store.Kind) bool
}

// Service holds the marks of one mount.
type Service struct {
	store  *store.Store
	keys   Keys
	jobs   *jobs.Group
	owners map[store.Kind]Owner
	before []func()

	locks keylock.Map[store.ID] // held while a mark is stored, settled or removed

	mu       sync.Mutex
	marks    map[store.ID]mark
	damaged  []store.ID // marks that could not be read
	lost     []string   // sentences: what has no record and no mark
	surveyed bool       // lost is complete
}

// mark is a mark that is stored, or may be.
type mark struct {
	store.Undone
	open  bool   // an operation is under way, or its outcome is not known
	wrong string // why it cannot be settled until a person does something
}

// loadParallelism bounds the storage reads in flight while a mount starts.
const loadParallelism = 64

// Load reads the marks that are stored.
func Load(ctx context.Context, records *store.Store, k Keys, group *jobs.Group) (*Service, error) {
	s := &Service{
		store: records, keys: k, jobs: group, owners: make(map[store.Kind]Owner), marks: make(map[store.ID]mark),
	}
	ids, err := records.UndoneIDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the marks of what is undone: %w", err)
	}
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(loadParallelism)
	for _, id := range ids {
		work.Go(func() error {
			record, err := records.Undone(workCtx, id)
			s.mu.Lock()
			defer s.mu.Unlock()
			switch {
			case errors.Is(err, store.ErrDamaged):
				s.damaged = append(s.damaged, id)
			case err != nil:
				return fmt.Errorf("read the mark of what is undone: %w", err)
			case record != nil:
				s.marks[id] = mark{Undone: *record}
			}
			return nil
		})
	}
	return s, work.Wait()
}

// Own has an owner asked for the things of some kinds. It must be called before Start.
func (s *Service) Own(o Owner, of ...store.Kind) {
	for _, k := range of {
		s.owners[k] = o
	}
}

// Before has f called before marks are settled. It must be called before Start.
func (s *Service) Before(f func()) { s.before = append(s.before, f) }

// Marked reports whether an id has a mark, and which.
func (s *Service) Marked(id store.ID) (store.Undone, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, marked := s.marks[id]
	return m.Undone, marked
}

// Change is a creation or a deletion that is marked. A nil Change is one of something that exists
// already: it has no mark.
type Change struct {
	s  *Service
	id store.ID
}

// Begin marks a creation or a deletion. Until it has returned without an error, nothing may be
// stored or removed.
func (s *Service) Begin(ctx context.Context, id store.ID, what store.Undone) (*Change, error) {
	defer s.locks.Lock(id)()
	s.set(id, mark{Undone: what, open: true})
	if err := s.store.PutUndone(ctx, id, &what); err != nil {
		s.settle(id) // it may be stored
		return nil, fmt.Errorf("mark what has begun: %w", err)
	}
	return &Change{s, id}, nil
}

// Done ends a creation that has come through.
func (c *Change) Done(ctx context.Context) {
	if c == nil {
		return
	}
	defer c.s.locks.Lock(c.id)()
	if c.s.unmark(context.WithoutCancel(ctx), c.id) != nil {
		c.s.close(c.id) // Wake tries again
	}
}

// Settle ends a change whose outcome storage can tell: in the background, the mark is settled.
func (c *Change) Settle() {
	if c != nil {
		c.s.settle(c.id)
	}
}

func (s *Service) settle(id store.ID) {
	s.close(id)
	s.Start()
}

func (s *Service) set(id store.ID, m mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks[id] = m
}

func (s *Service) close(id store.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, marked := s.marks[id]; marked {
		m.open = false
		s.marks[id] = m
	}
}

// unmark removes a mark. The caller holds its lock.
func (s *Service) unmark(ctx context.Context, id store.ID) error {
	if err := s.store.DeleteUndone(ctx, id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.marks, id)
	return nil
}

// Start settles in the background what can be settled. The first time, it then looks for what has
// lost its record.
func (s *Service) Start() { s.jobs.Start("sweep", s.run) }

// Wake tries again what has failed.
func (s *Service) Wake() {
	s.mu.Lock()
	left := !s.surveyed || len(s.due()) > 0
	s.mu.Unlock()
	if left {
		s.Start()
	}
}

// due lists the marks that are to be settled. The caller holds mu.
func (s *Service) due() []store.ID {
	var all []store.ID
	for _, id := range slices.Sorted(maps.Keys(s.marks)) {
		if m := s.marks[id]; !m.open && m.wrong == "" {
			all = append(all, id)
		}
	}
	return all
}

// Health says what cannot be settled, and what has lost its record, a sentence each.
func (s *Service) Health() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	wrong := slices.Clone(s.lost)
	for _, id := range s.damaged {
		wrong = append(wrong, fmt.Sprintf("the mark undone/%s of a creation or deletion is damaged; restore it from a snapshot of Vault's storage. Until then what it is about is kept", id))
	}
	for _, m := range s.marks {
		if m.wrong != "" {
			wrong = append(wrong, m.wrong)
		}
	}
	return wrong
}
