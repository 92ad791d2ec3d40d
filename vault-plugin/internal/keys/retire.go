package keys

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// MinAutoRotate is the shortest auto_rotate_period.
const MinAutoRotate = 24 * time.Hour

// Covered reports whether everything stored is known, without looking, to be sealed under a version from lowest on: a rewrap
// to such a version went through without a failure, and whatever was written since is under a newer one.
func (e Entry) Covered(lowest uint32) bool {
	return lowest <= e.MinDecryption || e.Rewrap.State == store.RewrapDone && e.Rewrap.Target >= lowest
}

// SetMinDecryption rules out the versions below lowest: what is sealed under them is not opened any more. Allowing them again is
// possible until they are trimmed. Whether anything stored still needs them is for the caller to find out.
func (s *Service) SetMinDecryption(ctx context.Context, id store.ID, lowest uint32) (Entry, error) {
	entry, err := s.change(ctx, id, func(w *keyring.Workspace) (*keyring.Workspace, error) { return w.SetMinDecryption(lowest) })
	if errors.Is(err, keyring.ErrMinimum) {
		current, _ := s.Entry(id)
		return Entry{}, fault.New(fault.Invalid, "min_decryption_version: must be between %d and %d, the oldest and the latest version there is",
			current.Versions[0].Version, current.Latest)
	}
	return entry, err
}

// Trim destroys the versions below the minimum, and with them whatever is still sealed under them.
func (s *Service) Trim(ctx context.Context, id store.ID) (Entry, error) {
	return s.change(ctx, id, func(w *keyring.Workspace) (*keyring.Workspace, error) { return w.Trim() })
}

// change stores what change makes of a workspace's keyring.
func (s *Service) change(ctx context.Context, id store.ID, change func(*keyring.Workspace) (*keyring.Workspace, error)) (Entry, error) {
	defer s.locks.Lock(id)()
	record, ring, err := s.open(ctx, id)
	if err != nil {
		return Entry{}, err
	}
	next, err := change(ring)
	ring.Wipe()
	if err != nil {
		return Entry{}, err
	}
	s.master.mu.RLock()
	defer s.master.mu.RUnlock()
	if record.Ring, err = s.master.ring.Wrap(next); err != nil {
		return Entry{}, fmt.Errorf("wrap a workspace key: %w", err)
	}
	return s.putRing(ctx, id, record, next)
}

// SetAutoRotate sets how old the latest version may get before it is rotated; 0 is for ever.
func (s *Service) SetAutoRotate(ctx context.Context, id store.ID, period time.Duration) (Entry, error) {
	if period != 0 && period < MinAutoRotate {
		return Entry{}, fault.New(fault.Invalid, "auto_rotate_period: must be at least 24h, or 0 for never")
	}
	err := s.update(ctx, id, func(r *store.Keys, _ uint32) error {
		r.AutoRotate = period
		return nil
	})
	entry, _ := s.Entry(id)
	return entry, err
}

// Due lists the workspaces whose latest key version has reached its age. While the earliest of them lies ahead it costs nothing.
func (s *Service) Due() []store.ID {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nextDue.IsZero() || now.Before(s.nextDue) {
		return nil
	}
	s.nextDue = time.Time{}
	var due []store.ID
	for id, entry := range s.entries {
		at := entry.Due()
		switch {
		case at.IsZero():
			continue
		case !now.Before(at) && !s.locked[id] && !s.waiting(id):
			due = append(due, id)
		}
		// One that is due stays the earliest until its rotation has come through.
		if s.nextDue.IsZero() || at.Before(s.nextDue) {
			s.nextDue = at
		}
	}
	return due
}

// SetLocked keeps a workspace's keys out of memory, or lets them in again.
func (s *Service) SetLocked(id store.ID, locked bool) {
	s.mu.Lock()
	if locked {
		s.locked[id] = true
	} else {
		delete(s.locked, id)
	}
	s.mu.Unlock()
	if locked {
		defer s.locks.Lock(id)() // a load that has passed the check has put its keyring into the cache by now
		s.cache.evict(id)
	}
}

func (s *Service) isLocked(id store.ID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.locked[id]
}
