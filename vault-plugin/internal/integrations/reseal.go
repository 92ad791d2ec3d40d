package integrations

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	for _, at := range s.placesOf(ws) {
		err := s.Tree.Exclusively(ctx, ws, func() error { return s.reseal(ctx, at) })
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
func (s *Service) reseal(ctx context.Context, at place) error {
	s.mu.RLock()
	e := s.entries[at]
	s.mu.RUnlock()
	if e == nil {
		return nil
	}
	g, held := e.sealed.Find(e.record.Credential.Generation)
	if !held {
		return credseal.ErrUnopened
	}
	again, changed, err := s.sealing.Reseal(ctx, at.owner(e.record.ID), g)
	if err != nil || !changed {
		return err
	}
	next := &store.Credential{Generations: []store.Generation{again}}
	if err := s.Store.PutCredential(ctx, e.record.ID, next); err != nil {
		s.unsure(ctx, at, e.record.ID, nil)
		return err
	}
	s.take(at, e.record, next)
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
		s.mu.RLock()
		defer s.mu.RUnlock()
		for at, e := range s.entries {
			if at.workspace != ws {
				continue
			}
			if g, held := e.sealed.Find(e.record.Credential.Generation); !held || credseal.KeyVersion(g) < lowest {
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

func (s *Service) placesOf(ws store.ID) []place {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := slices.Collect(maps.Keys(s.entries))
	all = slices.DeleteFunc(all, func(at place) bool { return at.workspace != ws })
	slices.SortFunc(all, func(a, b place) int {
		if a.provider+"/"+a.name < b.provider+"/"+b.name {
			return -1
		}
		return 1
	})
	return all
}
