package syncs

import (
	"context"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
)

// exclusively does work on a sync that still exists while other changes to its workspace are held back.
func (s *Service) exclusively(ctx context.Context, id store.ID, work func(e *entry) error) error {
	e := s.byID(id)
	if e == nil {
		return errGone()
	}
	return s.Tree.Exclusively(ctx, e.home.workspace, func() error {
		if e = s.byID(id); e == nil {
			return errGone()
		}
		return work(e)
	})
}

func errGone() error { return fault.New(fault.NotFound, "the sync was deleted meanwhile") }

// unsure has storage asked how a change ended whose storage call has failed, and reports whether
// that is known now; else the tree holds back other changes to the workspace until it is. begun is
// the creation or deletion of the sync with an id, or nil.
func (s *Service) unsure(ctx context.Context, h home, at place, id store.ID, begun *undone.Change) (known bool) {
	return s.Tree.Unsure(ctx, h.workspace, func(ctx context.Context) error {
		if err := s.reload(ctx, h, at); err != nil {
			return err
		}
		s.mu.Lock()
		delete(s.ending, at)
		e := s.entries[at]
		s.mu.Unlock()
		if e == nil {
			s.settle(id, begun)
			return nil
		}
		begun.Settle()
		s.again(e.record.ID)
		return nil
	})
}
