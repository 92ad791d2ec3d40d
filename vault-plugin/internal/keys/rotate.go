package keys

import (
	"context"
	"errors"
	"fmt"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Rotate adds a key version for new writes. The same Put records that the total secrets stored so
// far are to be sealed again. A replay, recognised by its request id, returns the result of the
// first call.
func (s *Service) Rotate(ctx context.Context, call caller.Request, id store.ID, total int) (Entry, error) {
	defer s.locks.Lock(id)()
	record, ring, err := s.open(ctx, id)
	if err != nil {
		return Entry{}, err
	}
	if call.Replays(record.RequestID) {
		ring.Wipe()
		s.remember(id, record) // the outcome of the first call may have been unknown
		entry, _ := s.Entry(id)
		return entry, nil
	}
	next, err := ring.Rotate(s.now())
	ring.Wipe()
	if errors.Is(err, keyring.ErrTooManyVersions) {
		return Entry{}, fault.New(fault.Limit, "the workspace has %d key versions, the most it may have; trim old versions first", keyring.MaxVersions)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("rotate a workspace key: %w", err)
	}
	s.master.mu.RLock()
	defer s.master.mu.RUnlock()
	sealed, err := s.master.ring.Wrap(next)
	if err != nil {
		return Entry{}, fmt.Errorf("wrap a workspace key: %w", err)
	}
	record.Ring, record.RequestID, record.Rewrap = sealed, call.ID, s.newRewrap(next.Latest(), total)
	return s.putRing(ctx, id, record, next)
}

// putRing stores a key entry and caches the keyring that it wraps. The caller holds the lock of the
// entry, and master shared.
func (s *Service) putRing(ctx context.Context, id store.ID, record *store.Keys, ring *keyring.Workspace) (Entry, error) {
	if err := s.put(ctx, id, record); err != nil {
		s.cache.evict(id) // the next use reads the entry from storage
		return Entry{}, fmt.Errorf("store a workspace key: %w", err)
	}
	s.cache.add(id, ring, s.now())
	entry, _ := s.Entry(id)
	return entry, nil
}

func (s *Service) newRewrap(target uint32, total int) store.Rewrap {
	now := s.now()
	return store.Rewrap{State: store.RewrapRunning, Target: target, Total: total, Started: now, Updated: now}
}

// BeginRewrap records that a workspace's total secrets are to be sealed again under the latest
// version. A rewrap that is running continues.
func (s *Service) BeginRewrap(ctx context.Context, id store.ID, total int) (Entry, error) {
	err := s.update(ctx, id, func(r *store.Keys, latest uint32) error {
		if r.Rewrap.State != store.RewrapRunning {
			r.Rewrap = s.newRewrap(latest, total)
		}
		r.Rewrap.Updated = s.now()
		return nil
	})
	entry, _ := s.Entry(id)
	return entry, err
}

// ErrSuperseded reports that a rewrap has ended because another rewrap with a newer target has
// begun.
var ErrSuperseded = errors.New("another rewrap has begun")

// SaveRewrap applies change to the rewrap towards key version target and stores it. It returns
// ErrSuperseded if the current rewrap has another target.
func (s *Service) SaveRewrap(ctx context.Context, id store.ID, target uint32, change func(r *store.Rewrap)) error {
	return s.update(ctx, id, func(r *store.Keys, _ uint32) error {
		if r.Rewrap.Target != target {
			return ErrSuperseded
		}
		change(&r.Rewrap)
		r.Rewrap.Updated = s.now()
		return nil
	})
}

// update applies change to the fields beside the keys in a workspace's entry and stores it. If the
// workspace was shredded meanwhile, the error is of kind NotFound.
func (s *Service) update(ctx context.Context, id store.ID, change func(r *store.Keys, latest uint32) error) error {
	defer s.locks.Lock(id)()
	record, err := s.store.Keys(ctx, id)
	if errors.Is(err, store.ErrDamaged) {
		return ErrDamaged(id)
	}
	if err != nil {
		return fmt.Errorf("read a workspace's keys: %w", err)
	}
	if record == nil {
		return fault.New(fault.NotFound, "the workspace's keys were destroyed: the workspace was deleted")
	}
	info, err := keyring.InspectEntry(record.Ring)
	if err != nil {
		return ErrDamaged(id)
	}
	if err := change(record, info.Latest); err != nil {
		return err
	}
	if err := s.put(ctx, id, record); err != nil {
		return fmt.Errorf("store a workspace's keys: %w", err)
	}
	return nil
}
