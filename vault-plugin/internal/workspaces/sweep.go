package workspaces

import (
	"context"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Owner knows of one kind of record beneath the tree.
type Owner interface {
	// Known adds to what a sweep must leave alone; false where a record could not be read.
	Known(*store.Known) bool
}

// Sweep removes from storage what was beneath deleted workspaces, projects and environments, and beneath what its owners have
// deleted. It finds it by looking, so it needs no journal and goes on after a restart; where a record could not be read it removes
// nothing.
func (t *Tree) Sweep(ctx context.Context, owners ...Owner) error {
	known, sure := t.Known()
	for _, owner := range owners {
		sure = owner.Known(&known) && sure
	}
	if !sure {
		return nil
	}
	orphans, err := t.store.Orphans(ctx, known)
	if err != nil {
		return err
	}
	for _, prefix := range orphans {
		if err := t.store.Remove(ctx, prefix); err != nil {
			return err
		}
	}
	return nil
}
