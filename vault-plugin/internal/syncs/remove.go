package syncs

import (
	"context"
	"errors"
	"fmt"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/activity"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
)

// Deleted describes a sync whose deletion has begun.
type Deleted struct {
	Name    string
	Owned   int
	Purging bool // the sync is deleted after the entries that it owns
}

// Delete deletes a sync. If purge is true, the background first deletes all entries that the sync
// owns, across restarts. If purge is false, the entries are kept, and no sync owns them. A nil
// purge is an error.
func (s *Service) Delete(ctx context.Context, call caller.Request, path Path, purge *bool) (Deleted, error) {
	_, unlock, err := s.Tree.Change(ctx, call, path.Workspace)
	if err != nil {
		return Deleted{}, err
	}
	defer unlock()
	_, e, err := s.find(call, path)
	switch {
	case err != nil:
		return Deleted{}, err
	case e == nil:
		return Deleted{}, path.missing()
	case purge == nil:
		return Deleted{}, fault.New(fault.Invalid, "purge: is required; true deletes the entries this sync wrote, false keeps them")
	}
	deleted := Deleted{Name: path.Name, Owned: s.stateOf(e).Owned}
	if !*purge {
		return deleted, s.erase(ctx, e)
	}
	deleted.Purging = true
	if e.record.Purging {
		return deleted, nil
	}
	record := *e.record
	record.Purging, record.Stamp.Updated, record.Stamp.RequestID = true, s.now(), call.ID
	_, err = s.put(ctx, s.newDef(e.location, &record), nil)
	return deleted, err
}

// owns reports whether the ledger stored under the id of a sync is the ledger of this sync. The
// definition and the ledger open only under the names that they were sealed for. If the definition
// is damaged, an empty ledger counts as owned, because nothing in it can be lost.
func (s *Service) owns(ctx context.Context, e *syncDef) (bool, error) {
	_, err := s.ledgers.OpenDefinition(ctx, e.owner(), e.record.Definition)
	if err == nil || !errors.Is(err, ledger.ErrMoved) {
		return err == nil, err
	}
	_, closeLedger, err := s.ledgers.Open(ctx, e.owner())
	if err == nil {
		closeLedger()
	}
	if errors.Is(err, ledger.ErrDamaged) {
		return false, nil
	}
	return err == nil, err
}

// erase deletes a sync and keeps its entries at the destination. The deletion of the record is the
// commit; a sweep then removes what is stored below the sync. A sync whose record was moved here
// from another sync leaves the other's ledger in storage. The caller holds the workspace's change
// lock.
func (s *Service) erase(ctx context.Context, e *syncDef) error {
	before := conditionOf(s.stateOf(e))
	begun, err := s.records.Remove(ctx, e, func(ctx context.Context) error {
		return s.Store.DeleteSync(ctx, e.At.Parent, e.At.Group, e.At.Name)
	})
	if err != nil {
		return fmt.Errorf("delete sync %s: %w", e.path(), err)
	}
	s.recordState(e, before, activity.Condition{State: activity.Deleted})
	s.settle(e.ID, begun)
	if s.byID(e.ID) != nil {
		s.retryNow(e.ID) // the record of e was a copy, and the state of both was the same
	}
	return nil
}
