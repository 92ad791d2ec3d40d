package workspaces

import "context"

// Sweep removes from storage what was beneath deleted workspaces, projects and environments. It finds it by looking, so it needs
// no journal and goes on after a restart; where a record could not be read it removes nothing.
func (t *Tree) Sweep(ctx context.Context) error {
	known, sure := t.Known()
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
