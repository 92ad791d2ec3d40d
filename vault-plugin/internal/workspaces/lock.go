package workspaces

import (
	"context"
	"fmt"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// SetLocked locks or unlocks a workspace. Once SetLocked has locked the workspace and returned, no
// operation in the workspace is running and its keys are not in memory. From then on, and across
// restarts, every operation is refused except reading the workspace's own record and unlocking it.
func (t *Tree) SetLocked(ctx context.Context, call caller.Request, name string, locked bool) (Workspace, error) {
	unlock, err := t.change(ctx, name)
	if err != nil {
		return Workspace{}, err
	}
	defer unlock()
	t.mu.RLock()
	ws := t.workspaces[name]
	t.mu.RUnlock()
	if ws == nil {
		if err := t.checkDamaged(workspaceKey(name)); err != nil {
			return Workspace{}, err
		}
		return Workspace{}, fault.New(fault.NotFound, "workspace %q does not exist", name)
	}
	if ws.record.Locked == locked {
		return t.Workspace(name)
	}
	record := *ws.record
	record.Locked = locked
	record.Stamp = t.updatedStamp(call, record.Stamp)
	thaw := t.freeze(t.environmentIDs(ws, ""))
	defer thaw(false)
	take := func(stored *store.Workspace) {
		t.takeWorkspace(name, ws, stored)
		t.keys.SetLocked(stored.ID, stored.Locked)
	}
	if err := t.store.PutWorkspace(ctx, name, &record); err != nil {
		t.addPending(ctx, name, &pendingChange{recheck: func(ctx context.Context) error {
			return takeStored(take, nil)(t.store.Workspace(ctx, name))
		}})
		return Workspace{}, fmt.Errorf("store workspace %q: %w", name, err)
	}
	take(&record)
	return t.Workspace(name)
}

// Locked reports whether the workspace with an id is locked. It returns true if there is no such
// workspace.
func (t *Tree) Locked(id store.ID) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, ws := range t.workspaces {
		if ws.record.ID == id {
			return ws.record.Locked
		}
	}
	return true
}
