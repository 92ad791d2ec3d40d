package syncs

import (
	"context"
	"errors"
	"fmt"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Sealed returns the number of syncs of a workspace: Reseal handles each as one item.
func (s *Service) Sealed(ws store.ID) int { return s.Count(ws) }

// errIntents reports that a ledger needs an older key until the next run has contacted the
// destination.
var errIntents = errors.New("the ledger has intents of unknown outcome")

// Reseal reseals the definitions and the ledgers of a workspace's syncs under the latest key
// version. It also recomputes the prints of values that have not changed since they were written. A
// rotation and a later destruction of the old key therefore cause no writes to destinations.
func (s *Service) Reseal(ctx context.Context, ws store.ID, _ string, _ func(cursor string, done, failed int) error) (done, failed int, err error) {
	for _, e := range s.inWorkspace(ws) {
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
	return done, failed + s.hidden(ws), nil
}

// hidden returns the number of a workspace's syncs whose records are damaged.
func (s *Service) hidden(ws store.ID) int {
	environments := make(map[store.ID]bool)
	for _, place := range s.Tree.Places(ws) {
		environments[place.EnvironmentID] = true
	}
	return s.records.Hidden(func(parent store.ID) bool { return environments[parent] })
}

func (s *Service) reseal(ctx context.Context, e *syncDef) error {
	release, exists := s.hold(e.record.ID)
	defer release()
	if !exists {
		return nil
	}
	return errors.Join(s.resealDefinition(ctx, e.record.ID), s.resealLedger(ctx, e))
}

func (s *Service) resealLedger(ctx context.Context, e *syncDef) error {
	src, err := s.readSource(ctx, e)
	if err != nil {
		return err
	}
	defer src.wipe()
	l, closeLedger, err := s.ledgers.Open(ctx, e.owner())
	if err != nil {
		return err
	}
	defer closeLedger()
	stay, err := l.Refresh(ctx, src.values)
	if err == nil && stay > 0 {
		err = errIntents
	}
	return err
}

// Below returns, in words, the number of syncs of a workspace whose definitions or ledgers need a
// key version below lowest. It includes syncs whose ledgers cannot be read, because they may need
// one.
func (s *Service) Below(ctx context.Context, ws store.ID, lowest uint32) ([]string, error) {
	below, err := s.below(ctx, ws, lowest)
	if below == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("%d syncs", below)}, err
}

func (s *Service) below(ctx context.Context, ws store.ID, lowest uint32) (below int, err error) {
	var all []*syncDef
	// Once the lock is granted, no definition is still to be stored that was sealed under a keyring
	// from before the last rotation.
	if err := s.Tree.Exclusively(ctx, ws, func() error { all = s.inWorkspace(ws); return nil }); err != nil {
		return 0, err
	}
	for _, e := range all {
		if ledger.DefinitionVersion(e.record.Definition) < lowest {
			below++
			continue
		}
		l, closeLedger, err := s.ledgers.Open(ctx, e.owner())
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
		closeLedger()
	}
	return below + s.hidden(ws), nil
}
