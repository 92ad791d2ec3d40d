package integrations

import (
	"context"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
)

// unsure has storage asked how a change ended whose storage call has failed, and reports whether
// that is known now; else the tree holds back other changes to the workspace until it is. id is of
// the integration that it was about; begun is its creation or deletion, or nil.
func (s *Service) unsure(ctx context.Context, at place, id store.ID, begun *undone.Change) (known bool) {
	return s.Tree.Unsure(ctx, at.workspace, func(ctx context.Context) error {
		if err := s.reload(ctx, at); err != nil {
			return err
		}
		s.mu.Lock()
		delete(s.ending, at)
		s.mu.Unlock()
		s.tidy(ctx, at)
		begun.Settle()
		s.changed(at, id)
		return nil
	})
}

// open refuses what a deletion of unknown outcome may have ended. The caller holds mu.
func (s *Service) open(at place) error {
	if s.ending[at] {
		return fault.New(fault.Unavailable, "whether integration %s/%s was deleted is not known, because storage failed; try again when it is well", at.provider, at.name)
	}
	return nil
}
