package syncs

import (
	"context"
	"errors"
	"fmt"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Sealed counts the ledgers of a workspace.
func (s *Service) Sealed(ws store.ID) int { return s.Count(ws) }

// errIntents says that a ledger needs an older key until its destination was looked at.
var errIntents = errors.New("the ledger has intents of unknown outcome")

// Reseal seals the definitions and the ledgers of a workspace's syncs again under its latest key
// version, and makes the prints in the ledgers again where the values are still those that were
// written. So nothing is written again because a key was rotated, and later destroyed.
func (s *Service) Reseal(ctx context.Context, ws store.ID, _ string, _ func(cursor string, done, failed int) error) (done, failed int, err error) {
	for _, e := range s.of(ws) {
		err := s.reseal(ctx, e)
		switch {
		case ctx.Err() != nil:
			return done, failed, ctx.Err()
		case fault.Is(err, fault.Locked):
			return done, failed, err
		case err != nil:
			failed++
		default:
			done++
		}
	}
	return done, failed, nil
}

func (s *Service) reseal(ctx context.Context, e *entry) error {
	release, exists := s.hold(e.record.ID)
	defer release()
	if !exists {
		return nil
	}
	return errors.Join(s.resealDefinition(ctx, e.record.ID), s.resealLedger(ctx, e))
}

func (s *Service) resealLedger(ctx context.Context, e *entry) error {
	src, err := s.source(ctx, e)
	if err != nil {
		return err
	}
	defer src.wipe()
	l, closed, err := s.ledgers.Open(ctx, e.owner())
	if err != nil {
		return err
	}
	defer closed()
	stay, err := l.Refresh(ctx, src.values)
	if err == nil && stay > 0 {
		err = errIntents
	}
	return err
}

// Below counts, in words, the syncs of a workspace whose definitions or ledgers need a key version
// below lowest, or cannot be read and so may.
func (s *Service) Below(ctx context.Context, ws store.ID, lowest uint32) ([]string, error) {
	below, err := s.below(ctx, ws, lowest)
	if below == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("%d ledgers of syncs", below)}, err
}

func (s *Service) below(ctx context.Context, ws store.ID, lowest uint32) (below int, err error) {
	var all []*entry
	// A definition that was sealed under a keyring taken before the last rotation is stored once
	// the lock is granted.
	if err := s.Tree.Exclusively(ctx, ws, func() error { all = s.of(ws); return nil }); err != nil {
		return 0, err
	}
	for _, e := range all {
		if ledger.DefinitionVersion(e.record.Definition) < lowest {
			below++
			continue
		}
		l, closed, err := s.ledgers.Open(ctx, e.owner())
		switch {
		case ctx.Err() != nil || fault.Is(err, fault.Locked):
			return 0, err
		case err != nil:
			below++
			continue
		}
		if oldest, needs := l.Needs(); needs && oldest < lowest {
			below++
		}
		closed()
	}
	return below, nil
}
