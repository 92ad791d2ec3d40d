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
	return s.replace(ctx, id, func(record *store.Keys, w *keyring.Workspace) (*keyring.Workspace, error) {
		if call.Replays(record.RequestID) {
			return nil, nil
		}
		next, err := w.Rotate(s.now())
		if errors.Is(err, keyring.ErrTooManyVersions) {
			return nil, fault.New(fault.Limit, "the workspace has %d key versions, the most it may have; trim old versions first", keyring.MaxVersions)
		}
		if err != nil {
			return nil, fmt.Errorf("rotate a workspace key: %w", err)
		}
		record.RequestID, record.Rewrap = call.ID, s.newRewrap(next.Latest(), total)
		return next, nil
	})
}

// replace stores the keyring that change returns for a workspace's current keyring. change may also
// change the other fields of the record. If change returns no keyring, nothing is stored, and the
// result is the stored entry.
func (s *Service) replace(ctx context.Context, id store.ID, change func(record *store.Keys, current *keyring.Workspace) (*keyring.Workspace, error)) (Entry, error) {
	err := s.opened(ctx, id, func(record *store.Keys, ring *keyring.Workspace) error {
		next, err := change(record, ring)
		if err != nil {
			return err
		}
		if next == nil {
			s.remember(id, record, true) // the outcome of an earlier change may have been unknown
			return nil
		}
		s.master.mu.RLock()
		defer s.master.mu.RUnlock()
		return s.putRing(ctx, id, record, next)
	})
	if err != nil {
		return Entry{}, err
	}
	entry, _ := s.Entry(id)
	return entry, nil
}

// putRing wraps a keyring, stores it in a key entry and caches it. If that fails, it wipes the
// keyring and evicts the previous one, so the next use reads the entry from storage. The caller
// holds the lock of the entry, and master shared.
func (s *Service) putRing(ctx context.Context, id store.ID, record *store.Keys, ring *keyring.Workspace) error {
	err := s.wrap(record, ring)
	if err == nil {
		err = s.put(ctx, id, record, true)
	}
	if err != nil {
		ring.Wipe()
		s.cache.evict(id)
		return fmt.Errorf("store a workspace key: %w", err)
	}
	s.cache.add(id, ring, s.now())
	return nil
}

// wrap sets the wrapped keys of a record. The caller holds master shared.
func (s *Service) wrap(record *store.Keys, ring *keyring.Workspace) (err error) {
	if record.Ring, err = s.master.ring.Wrap(ring); err != nil {
		return fmt.Errorf("wrap a workspace key: %w", err)
	}
	return nil
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
	if err := s.put(ctx, id, record, false); err != nil {
		return fmt.Errorf("store a workspace's keys: %w", err)
	}
	return nil
}
