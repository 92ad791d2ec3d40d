package keys

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// masterRewrapParallelism bounds how many entries are wrapped again at once, so that requests need
// not wait.
const masterRewrapParallelism = 4

const masterRewrapJob = "master-rewrap"

type master struct {
	mu        sync.RWMutex
	ring      *keyring.Master
	requestID string // of the last rotation
	pending   bool   // the last Put failed: storage may hold the old key or the new one
	failed    atomic.Int64
}

// MasterStatus describes the live versions of the master key, and the progress of the workspaces'
// keys towards the latest version.
type MasterStatus struct {
	Latest   uint32
	Versions []keyring.VersionInfo
	Running  bool
	Total    int // workspaces
	Done     int // workspaces whose keys are wrapped under the latest version
	Failed   int // workspaces whose keys the last pass failed to wrap again
	Waiting  int // workspaces whose record must be restored before their keys can be wrapped again
	Locked   int // workspaces that must be unlocked before their keys can be wrapped again
}

func (s *Service) loadMaster(ctx context.Context, hasKeys bool) error {
	record, err := s.store.Master(ctx)
	if errors.Is(err, store.ErrDamaged) {
		return errDamagedMaster()
	}
	if err != nil {
		return fmt.Errorf("read the master key: %w", err)
	}
	if record != nil {
		ring, err := keyring.DecodeMaster(record.Ring)
		clear(record.Ring)
		if err != nil {
			return errDamagedMaster()
		}
		s.master.ring, s.master.requestID = ring, record.RequestID
		return nil
	}
	names, err := s.store.Workspaces(ctx)
	if err != nil {
		return fmt.Errorf("list the workspaces: %w", err)
	}
	if hasKeys || len(names) > 0 {
		// A new master key would open none of the workspaces' keys, and would hide that the old one
		// is missing.
		return fault.Damaged("the master key's entry core/master is missing although workspaces exist; restore it from a snapshot of Vault's storage")
	}
	ring, err := keyring.NewMaster(s.now())
	if err != nil {
		return fmt.Errorf("mint the master key: %w", err)
	}
	s.master.ring = ring
	return s.storeMaster(ctx, ring, "")
}

func errDamagedMaster() error {
	return fault.Damaged("the master key's entry core/master is damaged; restore it from a snapshot of Vault's storage")
}

func (s *Service) storeMaster(ctx context.Context, ring *keyring.Master, requestID string) error {
	encoded, err := ring.Encode()
	if err != nil {
		return fmt.Errorf("encode the master key: %w", err)
	}
	defer clear(encoded)
	if err := s.store.PutMaster(ctx, &store.Master{Ring: encoded, RequestID: requestID}); err != nil {
		return fmt.Errorf("store the master key: %w", err)
	}
	return nil
}

// replaceMaster stores the master key that change returns, and puts it in force. The caller holds
// master.mu, so nothing is wrapped meanwhile.
func (s *Service) replaceMaster(ctx context.Context, requestID string, change func(*keyring.Master) (*keyring.Master, error)) error {
	next, err := change(s.master.ring)
	if err != nil {
		return err
	}
	if err := s.storeMaster(ctx, next, requestID); err != nil {
		s.master.pending = true
		next.Wipe()
		return err
	}
	old := s.master.ring
	s.master.ring, s.master.requestID = next, requestID
	old.Wipe()
	return nil
}

// recheckMaster reads the master key from storage if its last Put failed. The caller holds
// master.mu.
func (s *Service) recheckMaster(ctx context.Context) error {
	if !s.master.pending {
		return nil
	}
	record, err := s.store.Master(ctx)
	if err != nil || record == nil {
		return errors.Join(errors.New("cannot tell whether the last change to the master key was stored: storage failed; retry when storage is healthy"), err)
	}
	ring, err := keyring.DecodeMaster(record.Ring)
	clear(record.Ring)
	if err != nil {
		return errDamagedMaster()
	}
	old := s.master.ring
	s.master.ring, s.master.requestID, s.master.pending = ring, record.RequestID, false
	old.Wipe()
	if len(ring.Versions()) == 1 {
		s.master.failed.Store(0) // the trim was stored although its Put failed
	}
	return nil
}

// RotateMaster adds a version of the master key, and starts a background job that wraps every
// workspace's keys under it.
func (s *Service) RotateMaster(ctx context.Context, call caller.Request) error {
	s.master.mu.Lock()
	defer s.master.mu.Unlock()
	if err := s.recheckMaster(ctx); err != nil {
		return err
	}
	if call.Replays(s.master.requestID) {
		return nil
	}
	err := s.replaceMaster(ctx, call.ID, func(m *keyring.Master) (*keyring.Master, error) { return m.Rotate(s.now()) })
	if err != nil {
		return err
	}
	s.startMasterRewrap()
	return nil
}

// Expire evicts keyrings that have exceeded the TTL of the cache.
func (s *Service) Expire() { s.cache.expire(s.now()) }

func (s *Service) startMasterRewrap() { s.jobs.Start(masterRewrapJob, s.rewrapMaster) }

// rewrapMaster wraps every workspace's keys under the latest master version. It destroys the older
// versions once nothing is wrapped under them. It needs no cursor: each entry names the version
// that wraps it, and an older live version shows that work is left.
func (s *Service) rewrapMaster(ctx context.Context) {
	var failed atomic.Int64
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(masterRewrapParallelism)
	for _, id := range s.behindMaster().todo {
		work.Go(func() error {
			if err := s.rewrapEntry(workCtx, id); err != nil {
				failed.Add(1)
			}
			return nil
		})
	}
	_ = work.Wait()
	if ctx.Err() != nil {
		return
	}
	s.master.mu.Lock()
	defer s.master.mu.Unlock()
	if s.recheckMaster(ctx) != nil {
		return
	}
	// Every entry that was wrapped under an older version is stored by now, so the backlog is
	// complete. Without an older version there is nothing to destroy.
	latest := s.master.ring.Latest()
	if len(s.master.ring.Versions()) > 1 && s.behind(latest, true).empty() {
		err := s.replaceMaster(ctx, s.master.requestID, func(m *keyring.Master) (*keyring.Master, error) { return m.Trim(latest) })
		if err != nil {
			failed.Add(1)
		}
	}
	s.master.failed.Store(failed.Load())
}

// rewrapEntry wraps a workspace's keys under the latest master version. If they already are, it
// only checks that they open.
func (s *Service) rewrapEntry(ctx context.Context, id store.ID) error {
	err := s.opened(ctx, id, func(record *store.Keys, ring *keyring.Workspace) error {
		s.remember(id, record, true)
		s.master.mu.RLock()
		defer s.master.mu.RUnlock()
		if entry, _ := s.Entry(id); entry.MasterVersion >= s.master.ring.Latest() {
			return nil
		}
		if err := s.wrap(record, ring); err != nil {
			return err
		}
		return s.put(ctx, id, record, true)
	})
	if _, exists := s.Entry(id); !exists {
		return nil // shredded since
	}
	return err
}

// backlog holds the workspaces whose keys are not wrapped under the latest master version.
type backlog struct {
	todo    []store.ID
	waiting int // for their record
	locked  int
}

func (b backlog) empty() bool { return len(b.todo)+b.waiting+b.locked == 0 }

func (s *Service) behindMaster() backlog {
	s.master.mu.RLock()
	defer s.master.mu.RUnlock()
	return s.behind(s.master.ring.Latest(), true)
}

// behind returns the workspaces whose keys are wrapped under a version older than latest, or whose
// entry is damaged. If opened is set, it also returns those whose keys this process has not opened.
// Their entry may be damaged, and may need an older version once it is restored.
func (s *Service) behind(latest uint32, opened bool) (b backlog) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for id, entry := range s.entries {
		switch {
		case !entry.Damaged && entry.MasterVersion >= latest && (entry.opened || !opened):
		case s.waiting(id):
			b.waiting++
		case s.locked[id] != nil:
			b.locked++
		default:
			b.todo = append(b.todo, id)
		}
	}
	return b
}

// MasterStatus returns the status from memory.
func (s *Service) MasterStatus() MasterStatus {
	s.master.mu.RLock()
	defer s.master.mu.RUnlock()
	latest := s.master.ring.Latest()
	left := s.behind(latest, false)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return MasterStatus{
		Latest:   latest,
		Versions: s.master.ring.Versions(),
		Running:  s.jobs.Running(masterRewrapJob),
		Total:    len(s.entries),
		Done:     len(s.entries) - len(left.todo) - left.waiting - left.locked,
		Failed:   int(s.master.failed.Load()),
		Waiting:  left.waiting,
		Locked:   left.locked,
	}
}

func (m *master) health() []string {
	if n := m.failed.Load(); n > 0 {
		return []string{fmt.Sprintf("the keys of %d workspaces could not be wrapped under the latest master key; the engine retries every minute", n)}
	}
	return nil
}
