package keys

import (
	"context"
	"errors"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// MinAutoRotate is the shortest auto_rotate_period.
const MinAutoRotate = 24 * time.Hour

// Covered reports whether everything stored is known to be sealed under version lowest or a newer
// one. That holds after a rewrap to such a version without failures, because later writes use newer
// versions.
func (e Entry) Covered(lowest uint32) bool {
	return lowest <= e.MinDecryption || e.Rewrap.State == store.RewrapDone && e.Rewrap.Target >= lowest
}

// SetMinDecryption excludes the versions below lowest: what is sealed under them can no longer be
// opened. The minimum can be lowered again until the versions are trimmed. The caller checks
// whether anything stored still needs them.
func (s *Service) SetMinDecryption(ctx context.Context, id store.ID, lowest uint32) (Entry, error) {
	entry, err := s.replace(ctx, id, func(_ *store.Keys, w *keyring.Workspace) (*keyring.Workspace, error) {
		return w.SetMinDecryption(lowest)
	})
	if errors.Is(err, keyring.ErrMinimum) {
		current, _ := s.Entry(id)
		return Entry{}, fault.New(fault.Invalid, "min_decryption_version: must be between %d and %d, the oldest and the latest existing version",
			current.Versions[0].Version, current.Latest)
	}
	return entry, err
}

// Trim destroys the versions below the minimum. What is still sealed under them is lost.
func (s *Service) Trim(ctx context.Context, id store.ID) (Entry, error) {
	return s.replace(ctx, id, func(_ *store.Keys, w *keyring.Workspace) (*keyring.Workspace, error) { return w.Trim() })
}

// SetAutoRotate sets the age at which the latest version is rotated; 0 means never.
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

// Due lists the workspaces whose latest key version has reached its maximum age. The call is cheap
// while no rotation is due.
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
		case !now.Before(at) && s.locked[id] == nil && !s.waiting(id):
			due = append(due, id)
		}
		// A due workspace keeps the earliest due time until its rotation succeeds.
		if s.nextDue.IsZero() || at.Before(s.nextDue) {
			s.nextDue = at
		}
	}
	return due
}
