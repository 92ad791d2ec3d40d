// Package undone owns the marks of creations and deletions that have begun and have not ended. It
// sweeps what interrupted ones left in storage, and reports entries whose record is missing. Of the
// things that are created and deleted it knows only the kind.
//
// A thing is a workspace, a project, an environment, an integration or a sync. Its incarnation id
// is minted at its creation, and everything that belongs to the thing is stored beneath that id.
// These rules hold:
//
//  1. The mark undone/<id> is stored before the first effect of a creation or deletion. It is
//     removed last: once the thing is complete, or once nothing of it is left.
//  2. The commit of a creation is the Put of the thing's record. The commit of a deletion is the
//     Delete of the record. For a workspace the commit is the Delete of its keys; its record is
//     removed after the keys, and before the mark is settled.
//  3. Settling a mark means reading from storage whether its thing exists. If the thing exists,
//     only the mark is removed. If the thing does not exist, the mark of a deletion sweeps
//     everything stored beneath the id. The mark of a creation removes only what a creation stores
//     before its commit: the credential of an integration, or the keys of a workspace. If more is
//     stored, the creation was committed and its record was lost later. Then everything is kept.
//  4. Nothing is removed because a record is missing, unless a mark names the id. Entries beneath
//     an id that has neither a record nor a mark are kept, and are reported with their places.
//  5. While an operation is under way, or while its outcome is unknown, its mark is held: nothing
//     settles a held mark. The operation releases its mark with Done or Settle. No operation is
//     under way when a mount starts, so a start settles all marks.
//  6. A writer beneath an id excludes the deletion of the thing while it writes, or calls Settle
//     after its last write. Therefore nothing is stored beneath an id once its mark is removed.
//
// If storage fails to remove a mark, the engine tries again every minute and at the next start.
// Until then, a record that is lost looks like the commit of the marked deletion. The mark of a
// creation is safe by rule 3, except for a workspace that has only keys.
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

// Keys is the part of the key service that the deletion of a workspace needs.
type Keys interface {
	// Shred destroys the keys of a workspace.
	Shred(ctx context.Context, ws store.ID) error
	// Stored reports whether the keys of a workspace are stored.
	Stored(ctx context.Context, ws store.ID) (bool, error)
}

// Owner holds the records of some kinds of things.
type Owner interface {
	// HasRecord reports whether the thing with an id has a record.
	HasRecord(kind store.Kind, id store.ID) bool
	// HidesRecord reports whether a record of a kind is damaged, so that its id is unknown.
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
	orphans  []string   // a sentence for each id that has entries but neither a record nor a mark
	surveyed bool       // orphans is complete
}

// mark is a mark that is stored, or whose Put failed with an unknown outcome.
type mark struct {
	store.Undone
	held    bool   // an operation is under way, or its outcome is unknown
	problem string // why the mark cannot be settled until a person acts
}

// loadParallelism bounds the storage reads in flight while a mount starts.
const loadParallelism = 64

// Load reads the stored marks.
func Load(ctx context.Context, records *store.Store, k Keys, group *jobs.Group) (*Service, error) {
	s := &Service{
		store: records, keys: k, jobs: group, owners: make(map[store.Kind]Owner), marks: make(map[store.ID]mark),
	}
	ids, err := records.UndoneIDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the marks of unfinished creations and deletions: %w", err)
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
				return fmt.Errorf("read the mark of an unfinished creation or deletion: %w", err)
			case record != nil:
				s.marks[id] = mark{Undone: *record}
			}
			return nil
		})
	}
	return s, work.Wait()
}

// Own registers o as the owner of some kinds. It must be called before Start.
func (s *Service) Own(o Owner, of ...store.Kind) {
	for _, k := range of {
		s.owners[k] = o
	}
}

// Before registers f to be called before marks are settled. It must be called before Start.
func (s *Service) Before(f func()) { s.before = append(s.before, f) }

// Marked returns the mark of an id. It returns false if the id has no mark.
func (s *Service) Marked(id store.ID) (store.Undone, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, marked := s.marks[id]
	return m.Undone, marked
}

// Change is a marked creation or deletion. A nil Change belongs to a change of an existing thing,
// which has no mark; its methods do nothing.
type Change struct {
	s  *Service
	id store.ID
}

// Begin stores the mark of a creation or deletion. Until it has returned without an error, nothing
// may be stored or removed.
func (s *Service) Begin(ctx context.Context, id store.ID, what store.Undone) (*Change, error) {
	defer s.locks.Lock(id)()
	s.set(id, mark{Undone: what, held: true})
	if err := s.store.PutUndone(ctx, id, &what); err != nil {
		s.settle(id) // the mark may be stored
		return nil, fmt.Errorf("store the mark of a creation or deletion: %w", err)
	}
	return &Change{s, id}, nil
}

// Done ends a creation that succeeded, and removes its mark.
func (c *Change) Done(ctx context.Context) {
	if c == nil {
		return
	}
	defer c.s.locks.Lock(c.id)()
	if c.s.unmark(context.WithoutCancel(ctx), c.id) != nil {
		c.s.release(c.id) // Wake tries again
	}
}

// Settle ends a change whose outcome storage determines. The mark is settled in the background.
func (c *Change) Settle() {
	if c != nil {
		c.s.settle(c.id)
	}
}

func (s *Service) settle(id store.ID) {
	s.release(id)
	s.Start()
}

func (s *Service) set(id store.ID, m mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks[id] = m
}

func (s *Service) release(id store.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, marked := s.marks[id]; marked {
		m.held = false
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

// Start starts a background job that settles every mark that can be settled. After that, the first
// run surveys storage for orphans.
func (s *Service) Start() { s.jobs.Start("sweep", s.run) }

// Wake starts the job again if a mark or the survey is left.
func (s *Service) Wake() {
	s.mu.Lock()
	left := !s.surveyed || len(s.due()) > 0
	s.mu.Unlock()
	if left {
		s.Start()
	}
}

// due lists the marks that can be settled. The caller holds mu.
func (s *Service) due() []store.ID {
	var all []store.ID
	for _, id := range slices.Sorted(maps.Keys(s.marks)) {
		if m := s.marks[id]; !m.held && m.problem == "" {
			all = append(all, id)
		}
	}
	return all
}

// Health describes the marks that cannot be settled and the orphans, in a sentence each.
func (s *Service) Health() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	problems := slices.Clone(s.orphans)
	for _, id := range s.damaged {
		problems = append(problems, fmt.Sprintf("the mark undone/%s of a creation or deletion is damaged; restore the mark from a snapshot of Vault's storage. Until then, the engine keeps the entries beneath this id", id))
	}
	for _, m := range s.marks {
		if m.problem != "" {
			problems = append(problems, m.problem)
		}
	}
	return problems
}
