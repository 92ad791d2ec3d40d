package workspaces

import (
	"context"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// MaxLockReason is the largest size of the reason of a lock in bytes.
const MaxLockReason = 256

// Lock locks a workspace for a reason, which every refusal shows. Once Lock has returned, no
// operation in the workspace is running and its keys are not in memory. From then on, and across
// restarts, every operation is refused except reading the workspace's own record and unlocking it.
// If the workspace is already locked, Lock replaces the reason, or keeps it if reason is nil.
func (t *Tree) Lock(ctx context.Context, call caller.Request, name string, reason *string) (Workspace, error) {
	if reason != nil {
		if err := checkLockReason(*reason); err != nil {
			return Workspace{}, err
		}
	}
	return t.setLock(ctx, call, name, func(record *store.Workspace) {
		record.Locked = true
		if reason != nil {
			record.LockReason = *reason
		}
	})
}

// Unlock allows operations in a workspace again.
func (t *Tree) Unlock(ctx context.Context, call caller.Request, name string) (Workspace, error) {
	return t.setLock(ctx, call, name, func(record *store.Workspace) { record.Locked, record.LockReason = false, "" })
}

func (t *Tree) setLock(ctx context.Context, call caller.Request, name string, change func(*store.Workspace)) (Workspace, error) {
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
	record := *ws.record
	change(&record)
	if ws.record.Locked == record.Locked && ws.record.LockReason == record.LockReason {
		return t.Workspace(name)
	}
	record.Stamp = t.updatedStamp(call, record.Stamp)
	thaw := t.freeze(t.environmentIDs(ws, ""))
	defer thaw(false)
	take := func(stored *store.Workspace) {
		t.takeWorkspace(name, ws, stored)
		t.lockKeys(name, stored)
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

// lockKeys locks or unlocks the keys of a workspace as its record says.
func (t *Tree) lockKeys(name string, record *store.Workspace) {
	if record.Locked {
		t.keys.Lock(record.ID, errLocked(name, record.LockReason))
		return
	}
	t.keys.Unlock(record.ID)
}

// errLocked returns the refusal of an operation in a locked workspace. It does not say how to
// unlock the workspace, because that is the decision of the operator who locked it.
func errLocked(w, reason string) error {
	return fault.New(fault.Locked, "%s", lockedText(w, reason))
}

func lockedText(w, reason string) string {
	if reason == "" {
		reason = "no reason was given"
	}
	return fmt.Sprintf("workspace %q is locked by its operator: %s", w, reason)
}

func checkLockReason(reason string) error {
	if len(reason) > MaxLockReason {
		return fault.New(fault.Limit, "reason: has %d bytes; at most %d are allowed", len(reason), MaxLockReason)
	}
	for _, r := range reason {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return fault.New(fault.Invalid, "reason: must be one line of printable text")
		}
	}
	return nil
}

// CheckLocked returns the refusal of an operation if a workspace is locked. A caller that has read
// something checks it before it returns what it has read, because the workspace may have been
// locked meanwhile.
func (t *Tree) CheckLocked(w string) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if ws := t.workspaces[w]; ws != nil && ws.record.Locked {
		return errLocked(w, ws.record.LockReason)
	}
	return nil
}

// Locked reports whether the workspace with an id is locked. It returns true if there is no such
// workspace.
func (t *Tree) Locked(id store.ID) bool {
	condition, exists := t.Condition(id)
	return !exists || condition.Locked
}
