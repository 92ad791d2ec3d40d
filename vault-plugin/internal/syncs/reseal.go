package syncs

import (
	"context"
	"errors"
	"fmt"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Sealed counts the ledgers of a workspace.
func (s *Service) Sealed(ws store.ID) int { return s.Count(ws) }

// errIntents says that a ledger needs an older key until its destination was looked at.
var errIntents = errors.New("the ledger has intents of unknown outcome")

// Reseal seals the ledgers of a workspace anew under its latest key version, and makes the prints in them anew where the values are
// still those that were written. So nothing is written again because a key was rotated, and later destroyed.
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
	if s.byID(e.record.ID) == nil {
		return nil
	}
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

// Below counts, in words, the syncs of a workspace whose ledgers need a key version below lowest, or cannot be read and so may.
func (s *Service) Below(ctx context.Context, ws store.ID, lowest uint32) ([]string, error) {
	below, err := s.below(ctx, ws, lowest)
	if below == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("%d ledgers of syncs", below)}, err
}

func (s *Service) below(ctx context.Context, ws store.ID, lowest uint32) (below int, err error) {
	for _, e := range s.of(ws) {
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
