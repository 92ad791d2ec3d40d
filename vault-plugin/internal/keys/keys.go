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
	locked  map[store.ID]bool
	names   map[store.ID]string // of the workspaces whose record was loaded
	nextDue time.Time           // no rotation is due earlier; zero: no rotation is scheduled
	pending map[store.ID]bool   // the last Put failed: storage may hold the old entry or the new one
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
		entries: make(map[store.ID]Entry), locked: make(map[store.ID]bool), names: make(map[store.ID]string), pending: make(map[store.ID]bool),
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
			svc.remember(id, record)
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
func (s *Service) remember(id store.ID, record *store.Keys) {
	entry := Entry{Damaged: true}
	if record != nil {
		if info, err := keyring.InspectEntry(record.Ring); err == nil {
			entry = Entry{EntryInfo: info, RequestID: record.RequestID, Rewrap: record.Rewrap, AutoRotate: record.AutoRotate}
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

// put stores an entry and remembers it. If the Put fails, the stored content is unknown until
// Recheck has read it. The caller holds the lock of the entry.
func (s *Service) put(ctx context.Context, id store.ID, record *store.Keys) error {
	if err := s.store.PutKeys(ctx, id, record); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pending[id] = true
		return err
	}
	s.remember(id, record)
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
		s.remember(id, record)
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
	s.master.mu.RLock()
	defer s.master.mu.RUnlock()
	ring, err := s.master.ring.NewWorkspace(of, s.now())
	if err != nil {
		return fmt.Errorf("mint a workspace key: %w", err)
	}
	entry, err := s.master.ring.Wrap(ring)
	if err != nil {
		return fmt.Errorf("wrap a workspace key: %w", err)
	}
	record := &store.Keys{Ring: entry}
	if err := s.store.PutKeys(ctx, id, record); err != nil {
		return fmt.Errorf("store a workspace key: %w", err)
	}
	s.SetName(id, name)
	s.remember(id, record)
	s.cache.add(id, ring, s.now())
	return nil
}

// MarkMissing records that the key entry of an existing workspace is missing. Nothing in the
// workspace can be opened until the entry is restored.
func (s *Service) MarkMissing(id store.ID) { s.remember(id, nil) }

// Shred destroys a workspace's keys. Once it has returned nil, nobody can open anything sealed
// under them.
func (s *Service) Shred(ctx context.Context, id store.ID) error {
	defer s.locks.Lock(id)()
	if err := s.store.DeleteKeys(ctx, id); err != nil {
		return fmt.Errorf("destroy a workspace's keys: %w", err)
	}
	s.shredded(id)
	return nil
}

// Stored reports whether a workspace's keys are still in storage. It determines the outcome of a
// Shred that failed.
func (s *Service) Stored(ctx context.Context, id store.ID) (bool, error) {
	defer s.locks.Lock(id)()
	record, err := s.store.Keys(ctx, id)
	if err == nil && record == nil {
		s.shredded(id)
		return false, nil
	}
	if errors.Is(err, store.ErrDamaged) {
		return true, nil
	}
	return true, err
}

func (s *Service) shredded(id store.ID) {
	s.mu.Lock()
	delete(s.entries, id)
	delete(s.names, id)
	delete(s.pending, id)
	s.mu.Unlock()
	s.cache.evict(id)
}

// With calls use with a workspace's unwrapped keyring. The cache may evict and wipe the keyring
// during the call. With then calls use again with a keyring that is not in the cache. Therefore use
// must have no effect if it returns keyring.ErrWiped.
func (s *Service) With(ctx context.Context, id store.ID, use func(*keyring.Workspace) error) error {
	ring, err := s.ring(ctx, id)
	if err != nil {
		return err
	}
	if err := use(ring); !errors.Is(err, keyring.ErrWiped) {
		return err
	}
	if ring, err = s.openUncached(ctx, id); err != nil {
		return err
	}
	defer ring.Wipe()
	return use(ring)
}

// openUncached returns a keyring that is not in the cache. The caller wipes it.
func (s *Service) openUncached(ctx context.Context, id store.ID) (*keyring.Workspace, error) {
	defer s.locks.Lock(id)()
	_, ring, err := s.open(ctx, id)
	return ring, err
}

func (s *Service) ring(ctx context.Context, id store.ID) (*keyring.Workspace, error) {
	if ring := s.cache.get(id, s.now()); ring != nil {
		return ring, nil
	}
	// The entry's lock makes this the only load of this keyring, and excludes a rotation during the
	// load.
	defer s.locks.Lock(id)()
	if ring := s.cache.get(id, s.now()); ring != nil {
		return ring, nil
	}
	if s.isLocked(id) {
		return nil, fault.New(fault.Locked, "the workspace is locked")
	}
	record, ring, err := s.open(ctx, id)
	if err != nil {
		return nil, err
	}
	s.remember(id, record)
	s.cache.add(id, ring, s.now())
	return ring, nil
}

// open reads and unwraps a key entry. The caller holds the lock of the entry.
func (s *Service) open(ctx context.Context, id store.ID) (*store.Keys, *keyring.Workspace, error) {
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

// Evict evicts a workspace's unwrapped keyring from the cache, after another node has changed the
// entry in storage.
func (s *Service) Evict(id store.ID) { s.cache.evict(id) }

// Wipe clears every key from memory. The service cannot be used afterwards.
func (s *Service) Wipe() {
	s.cache.clear()
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
