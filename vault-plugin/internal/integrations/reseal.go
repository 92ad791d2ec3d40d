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

// Sealed returns the number of credentials of a workspace. Every integration has one credential.
func (s *Service) Sealed(ws store.ID) int { return s.Count(ws) }

// Reseal seals the credentials of a workspace under its latest key version, one at a time. done is
// the number of credentials that need no more work. failed is the number of credentials that could
// not be opened or stored. After an error, the caller must call Reseal again.
func (s *Service) Reseal(ctx context.Context, ws store.ID, _ string, _ func(cursor string, done, failed int) error) (done, failed int, err error) {
	for _, e := range s.inWorkspace(ws) {
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
	return done, failed + s.hidden(ws), nil
}

// hidden returns the number of a workspace's integrations whose records are damaged.
func (s *Service) hidden(ws store.ID) int {
	return s.records.Hidden(func(parent store.ID) bool { return parent == ws })
}

// reseal seals the credential of one integration under the latest key version, and changes nothing
// else. It does nothing if the integration does not exist. The caller holds the workspace's change
// lock.
func (s *Service) reseal(ctx context.Context, id store.ID) error {
	s.mu.RLock()
	e := s.records.ByID(id)
	s.mu.RUnlock()
	if e == nil {
		return nil
	}
	kept := s.allowed(e.record, e.sealed)
	if kept == nil {
		return credseal.ErrUnopened
	}
	resealed := false
	for i, g := range kept.Generations {
		next, rewrapped, err := s.sealing.Reseal(ctx, e.owner(), g)
		if err != nil {
			return err
		}
		kept.Generations[i], resealed = next, resealed || rewrapped
	}
	if !resealed {
		return nil
	}
	if err := s.Store.PutCredential(ctx, e.ID, kept); err != nil {
		s.records.Recheck(ctx, e, nil)
		return err
	}
	s.records.Take(s.newEntry(e.Member, e.record, kept))
	return nil
}

// Below returns a phrase with the number of credentials of a workspace that need a key version
// below lowest, or nil if there are none. A credential that cannot be read may need one, and
// counts. Below opens no credential.
func (s *Service) Below(ctx context.Context, ws store.ID, lowest uint32) ([]string, error) {
	below, err := s.below(ctx, ws, lowest)
	if below == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("%d credentials", below)}, err
}

func (s *Service) below(ctx context.Context, ws store.ID, lowest uint32) (below int, err error) {
	// A change that took its keyring before the last rotation is stored, or has failed, once the
	// lock is acquired.
	err = s.Tree.Exclusively(ctx, ws, func() error {
		for _, e := range s.inWorkspace(ws) {
			kept := s.allowed(e.record, e.sealed)
			if kept == nil || slices.ContainsFunc(kept.Generations, func(g store.Generation) bool { return credseal.KeyVersion(g) < lowest }) {
				below++
			}
		}
		return nil
	})
	if errors.Is(err, context.Canceled) {
		return 0, ctx.Err()
	}
	return below + s.hidden(ws), err
}
