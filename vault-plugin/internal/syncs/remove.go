package syncs

import (
	"context"
	"fmt"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// Deleted is what becomes of a sync that is deleted.
type Deleted struct {
	Name    string
	Owned   int
	Purging bool // it goes once all that it has written is deleted
}

// Delete ends a sync. With purge all that it has written and still owns is deleted in the background first, across restarts; else it is
// left where it is, and nobody's.
func (s *Service) Delete(ctx context.Context, call caller.Request, at Path, purge *bool) (Deleted, error) {
	_, unlock, err := s.Tree.Change(ctx, call, at.Workspace)
	if err != nil {
		return Deleted{}, err
	}
	defer unlock()
	_, e, err := s.find(call, at)
	switch {
	case err != nil:
		return Deleted{}, err
	case e == nil:
		return Deleted{}, at.missing()
	case purge == nil:
		return Deleted{}, fault.New(fault.Invalid, "purge: must be said: true deletes all entries that the sync has written, false leaves them")
	}
	gone := Deleted{Name: at.Name, Owned: s.stateOf(e).Owned}
	if !*purge {
		return gone, s.erase(ctx, e)
	}
	gone.Purging = true
	if e.record.Purging {
		return gone, nil
	}
	record := *e.record
	record.Purging, record.Stamp.Updated, record.Stamp.RequestID = true, s.now(), call.ID
	_, err = s.put(ctx, s.newEntry(e.location, &record), nil)
	return gone, err
}

// erase removes a sync; what it has written at the destination is left. The record is the commit;
// what is stored beneath it is swept. The caller holds the workspace's change lock.
func (s *Service) erase(ctx context.Context, e *entry) error {
	begun, err := s.records.Remove(ctx, e, func(ctx context.Context) error {
		return s.Store.DeleteSync(ctx, e.At.Parent, e.At.Group, e.At.Name)
	})
	if err != nil {
		return fmt.Errorf("delete sync %s: %w", e.path(), err)
	}
	s.settle(e.ID, begun)
	return nil
}
