package integrations

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/credseal"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Sealed counts the credentials of a workspace: every integration has one.
func (s *Service) Sealed(ws store.ID) int { return s.Count(ws) }

// Reseal seals the credentials of a workspace anew under its latest key version, one at a time, and answers how many are done and how
// many could not be opened or stored. Its error is one after which it has to be called again.
func (s *Service) Reseal(ctx context.Context, ws store.ID, _ string, _ func(cursor string, done, failed int) error) (done, failed int, err error) {
	for _, e := range s.of(ws) {
		err := s.Tree.Exclusively(ctx, ws, func() error { return s.reseal(ctx, e.ID) })
		switch {
		case ctx.Err() != nil:
			return done, failed, ctx.Err()
		case fault.Is(err, fault.Locked), fault.Is(err, fault.NotFound):
			return done, failed, err
		case err != nil:
			failed++
		default:
			done++
		}
	}
	return done, failed, nil
}

// reseal changes nothing but the envelopes. The caller holds the workspace's change lock.
func (s *Service) reseal(ctx context.Context, id store.ID) error {
	s.mu.RLock()
	e := s.records.ByID(id)
	s.mu.RUnlock()
	if e == nil {
		return nil
	}
	left := s.allowed(e.record, e.sealed)
	if left == nil {
		return credseal.ErrUnopened
	}
	resealed := false
	for i, g := range left.Generations {
		again, changed, err := s.sealing.Reseal(ctx, e.owner(), g)
		if err != nil {
			return err
		}
		left.Generations[i], resealed = again, resealed || changed
	}
	if !resealed {
		return nil
	}
	if err := s.Store.PutCredential(ctx, e.ID, left); err != nil {
		s.records.Recheck(ctx, e, nil)
		return err
	}
	s.records.Take(s.newEntry(e.Member, e.record, left))
	return nil
}

// Below counts, in words, the credentials of a workspace that need a key version below lowest, or cannot be read and so may. It opens none.
func (s *Service) Below(ctx context.Context, ws store.ID, lowest uint32) ([]string, error) {
	below, err := s.below(ctx, ws, lowest)
	if below == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("%d credentials", below)}, err
}

func (s *Service) below(ctx context.Context, ws store.ID, lowest uint32) (below int, err error) {
	// What was sealed under a keyring taken before the last rotation is stored once the lock is granted.
	err = s.Tree.Exclusively(ctx, ws, func() error {
		for _, e := range s.of(ws) {
			left := s.allowed(e.record, e.sealed)
			if left == nil || slices.ContainsFunc(left.Generations, func(g store.Generation) bool { return credseal.KeyVersion(g) < lowest }) {
				below++
			}
		}
		return nil
	})
	if errors.Is(err, context.Canceled) {
		return 0, ctx.Err()
	}
	return below, err
}
