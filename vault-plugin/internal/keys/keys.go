// Package keys owns the key hierarchy in storage: the master key, each workspace's wrapped keys,
// the cache of unwrapped keyrings, and rotation. Plaintext keys stay within package keyring;
// package keys stores and loads the entries that package keyring has sealed.
package keys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keylock"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// loadParallelism bounds the storage reads in flight while a mount starts.
const loadParallelism = 64

// Service holds the keys of one mount.
type Service struct {
	store *store.Store
	now   func() time.Time
	jobs  *jobs.Group
	cache cache

	// Lock order: the lock of a workspace's key entry, then master. A function that wraps keys
	// holds master shared until its entry is stored. After a rotation of the master key, entries
	// therefore lists every key entry that is not yet under the new version.
	locks  keylock.Map[store.ID]
	master master

	mu      sync.RWMutex
	entries map[store.ID]Entry
	locked  map[store.ID]error                  // the refusal of every use
	uses    map[store.ID]map[chan struct{}]bool // calls of With; the end of one closes its channel
	names   map[store.ID]string                 // of the workspaces whose record was loaded
	nextDue time.Time                           // no rotation is due earlier; zero: no rotation is scheduled
	pending map[store.ID]bool                   // the last Put failed: storage may hold the old entry or the new one
}

// Version is a live version of a key: its number and its creation time.
type Version = keyring.VersionInfo

// Entry is the part of a workspace's key entry that is readable without unwrapping the keys.
type Entry struct {
	keyring.EntryInfo
	RequestID string // of the last rotation
	Rewrap    store.Rewrap
	Damaged   bool // the stored entry is missing or unreadable

	AutoRotate time.Duration

	// opened means that this process has opened or wrapped the stored keys. Until then, the public
	// part may be damaged, and MasterVersion with it.
	opened bool
}

// Due returns when the latest version reaches its maximum age; zero means never.
func (e Entry) Due() time.Time {
	if e.AutoRotate == 0 || e.Damaged || len(e.Versions) == 0 {
		return time.Time{}
	}
	return e.Versions[len(e.Versions)-1].Created.Add(e.AutoRotate)
}

// Load reads the master key, and the public part of every workspace's key entry. On a mount without
// any keys it mints the master key.
func Load(ctx context.Context, s *store.Store, group *jobs.Group, now func() time.Time) (*Service, error) {
	svc := &Service{
		store: s, now: now, jobs: group,
		entries: make(map[store.ID]Entry), names: make(map[store.ID]string), pending: make(map[store.ID]bool),
		locked: make(map[store.ID]error), uses: make(map[store.ID]map[chan struct{}]bool),
	}
	ids, err := s.KeyIDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the workspaces' keys: %w", err)
	}
	if err := svc.loadMaster(ctx, len(ids) > 0); err != nil {
		return nil, err
	}
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(loadParallelism)
	for _, id := range ids {
		work.Go(func() error {
			record, err := s.Keys(workCtx, id)
			if err != nil && !errors.Is(err, store.ErrDamaged) {
				return fmt.Errorf("read a workspace's keys: %w", err)
			}
			svc.remember(id, record, false)
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	return svc, nil
}

// Start continues a rewrap of the workspaces' keys that was interrupted or that the last pass did
// not complete.
func (s *Service) Start() {
	if len(s.MasterStatus().Versions) > 1 {
		s.startMasterRewrap()
	}
}

// remember keeps the public part of a stored entry. A nil or unreadable record is kept as damaged.
// opened reports whether this process has opened or wrapped the keys in it.
func (s *Service) remember(id store.ID, record *store.Keys, opened bool) {
	entry := Entry{Damaged: true}
	if record != nil {
		if info, err := keyring.InspectEntry(record.Ring); err == nil {
			entry = Entry{EntryInfo: info, RequestID: record.RequestID, Rewrap: record.Rewrap, AutoRotate: record.AutoRotate, opened: opened}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[id] = entry
	delete(s.pending, id)
	if due := entry.Due(); !due.IsZero() && (s.nextDue.IsZero() || due.Before(s.nextDue)) {
		s.nextDue = due
	}
}

// put stores an entry and remembers it. opened is passed to remember. If the Put fails, the stored
// content is unknown until Recheck has read it. The caller holds the lock of the entry.
func (s *Service) put(ctx context.Context, id store.ID, record *store.Keys, opened bool) error {
	if err := s.store.PutKeys(ctx, id, record); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pending[id] = true
		return err
	}
	s.remember(id, record, opened)
	return nil
}

// Recheck reads the entries whose last Put failed, and the master key if its last Put failed.
func (s *Service) Recheck(ctx context.Context) {
	s.mu.RLock()
	ids := slices.Collect(maps.Keys(s.pending))
	s.mu.RUnlock()
	for _, id := range ids {
		s.recheckEntry(ctx, id)
	}
	s.master.mu.Lock()
	defer s.master.mu.Unlock()
	_ = s.recheckMaster(ctx)
}

func (s *Service) recheckEntry(ctx context.Context, id store.ID) {
	defer s.locks.Lock(id)()
	if _, exists := s.Entry(id); !exists {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.pending, id) // shredded since
		return
	}
	record, err := s.store.Keys(ctx, id)
	if err == nil || errors.Is(err, store.ErrDamaged) {
		s.remember(id, record, false)
	}
}

// Entry returns the public part of a workspace's key entry. It returns false if the workspace has
// no keys.
func (s *Service) Entry(id store.ID) (Entry, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	entry, ok := s.entries[id]
	return entry, ok
}

// IDs lists the workspaces that have a key entry, in no particular order.
func (s *Service) IDs() []store.ID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ids := make([]store.ID, 0, len(s.entries))
	for id := range s.entries {
		ids = append(ids, id)
	}
	return ids
}

// Create mints the first key of the new workspace with the given id and name, and stores it.
func (s *Service) Create(ctx context.Context, id store.ID, name string) error {
	parsed, err := keyring.ParseID(string(id))
	if err != nil {
		return fmt.Errorf("mint a workspace key: %w", err)
	}
	of := keyring.WorkspaceScope{Name: name, ID: parsed}
	defer s.locks.Lock(id)()
	s.master.mu.RLock()
	defer s.master.mu.RUnlock()
	ring, err := s.master.ring.NewWorkspace(of, s.now())
	if err != nil {
		return fmt.Errorf("mint a workspace key: %w", err)
	}
	s.SetName(id, name)
	if err := s.putRing(ctx, id, &store.Keys{}, ring); err != nil {
		s.forget(id) // the mark of the creation names what may be stored
		return err
	}
	return nil
}

// MarkMissing records that the key entry of an existing workspace is missing. Nothing in the
// workspace can be opened until the entry is restored.
func (s *Service) MarkMissing(id store.ID) { s.remember(id, nil, false) }

// Shred destroys a workspace's keys. Once it has returned nil, no call of With uses them, and
// nobody can open anything sealed under them.
func (s *Service) Shred(ctx context.Context, id store.ID) error {
	if err := s.destroy(ctx, id); err != nil {
		return fmt.Errorf("destroy a workspace's keys: %w", err)
	}
	s.awaitUses(id) // not under the lock of the entry, because a use may wait for it
	return nil
}

func (s *Service) destroy(ctx context.Context, id store.ID) error {
	defer s.locks.Lock(id)()
	if err := s.store.DeleteKeys(ctx, id); err != nil {
		return err
	}
	s.forget(id)
	return nil
}

// Stored reports whether a workspace's keys are still in storage. It determines the outcome of a
// Shred that failed.
func (s *Service) Stored(ctx context.Context, id store.ID) (bool, error) {
	stored, err := s.stored(ctx, id)
	if !stored {
		s.awaitUses(id)
	}
	return stored, err
}

func (s *Service) stored(ctx context.Context, id store.ID) (bool, error) {
	defer s.locks.Lock(id)()
	record, err := s.store.Keys(ctx, id)
	if err == nil && record == nil {
		s.forget(id)
		return false, nil
	}
	if errors.Is(err, store.ErrDamaged) {
		return true, nil
	}
	return true, err
}

// forget removes a workspace's keys, which are no longer stored, from memory.
func (s *Service) forget(id store.ID) {
	s.mu.Lock()
	delete(s.entries, id)
	delete(s.names, id)
	delete(s.pending, id)
	s.mu.Unlock()
	s.cache.evict(id)
}

// opened calls use with a stored key entry and its keyring, which is wiped afterwards. It holds the
// lock of the entry meanwhile.
func (s *Service) opened(ctx context.Context, id store.ID, use func(*store.Keys, *keyring.Workspace) error) error {
	defer s.locks.Lock(id)()
	record, ring, err := s.open(ctx, id)
	if err != nil {
		return err
	}
	defer ring.Wipe()
	return use(record, ring)
}

// open reads and unwraps a key entry, unless the workspace is locked. The caller holds the lock of
// the entry, and wipes the keyring.
func (s *Service) open(ctx context.Context, id store.ID) (*store.Keys, *keyring.Workspace, error) {
	if refusal := s.refusal(id); refusal != nil {
		return nil, nil, refusal
	}
	of, err := s.scope(id)
	if err != nil {
		return nil, nil, err
	}
	record, err := s.store.Keys(ctx, id)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return nil, nil, fmt.Errorf("read a workspace's keys: %w", err)
	}
	if record == nil {
		return nil, nil, ErrDamaged(id)
	}
	s.master.mu.RLock()
	defer s.master.mu.RUnlock()
	ring, err := s.master.ring.Unwrap(of, record.Ring)
	if errors.Is(err, keyring.ErrWiped) {
		return nil, nil, fault.New(fault.Unavailable, "the mount is being unloaded; retry in a few seconds")
	}
	if err != nil {
		return nil, nil, ErrDamaged(id)
	}
	return record, ring, nil
}

// ErrDamaged returns the error for a workspace's key entry that cannot be opened: status 500.
func ErrDamaged(id store.ID) error {
	return fault.Damaged("the key entry of this workspace cannot be opened: the entry keys/%s or the workspace's record ws/<name> is missing, damaged "+
		"or was moved here; restore both from a snapshot of Vault's storage", id)
}

// Configure sets the size and the TTL of the cache of unwrapped keyrings.
func (s *Service) Configure(c store.Config) { s.cache.configure(c.KeyringCacheSize, c.KeyringCacheTTL) }

// Wipe clears every key from memory. The service cannot be used afterwards.
func (s *Service) Wipe() {
	s.cache.close()
	s.master.mu.Lock()
	defer s.master.mu.Unlock()
	s.master.ring.Wipe()
}

// Health returns one sentence per problem: damaged key entries by their storage key, entries that
// wait for their workspace's record, and a failed rewrap.
func (s *Service) Health() []string {
	s.master.mu.RLock()
	latest := s.master.ring.Latest()
	s.master.mu.RUnlock()
	s.mu.RLock()
	defer s.mu.RUnlock()
	wrong := s.waitingHealth(latest)
	for id, entry := range s.entries {
		if entry.Damaged {
			wrong = append(wrong, fmt.Sprintf("the key entry keys/%s is missing or damaged; restore it from a snapshot of Vault's storage", id))
		}
	}
	return append(wrong, s.master.health()...)
}
