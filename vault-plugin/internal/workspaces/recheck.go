package workspaces

import (
	"context"
	"fmt"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
)

// pendingChange is a change to a workspace, or to something beneath it, whose outcome is unknown
// because its storage call failed. It is rechecked immediately. While storage does not respond, no
// other change is made to the workspace. If the change is a deletion, everything that it may have
// removed is blocked meanwhile. Otherwise a write there could be acknowledged and yet be swept at
// the next start.
type pendingChange struct {
	blocks               bool   // the change is a deletion, and the object is blocked
	project, environment string // the blocked object; the whole workspace if both are empty
	// recheck takes the stored state into memory. The caller holds the workspace's change lock.
	recheck func(context.Context) error
}

// change excludes other changes to a workspace until unlock is called. It fails if the outcome of
// the last change is still unknown.
func (t *Tree) change(ctx context.Context, w string) (unlock func(), err error) {
	unlock = t.changes.Lock(w)
	if err := t.recheck(ctx, w); err != nil {
		unlock()
		return nil, fault.New(fault.Unavailable, "cannot tell whether the last change to workspace %q was stored: storage failed; retry when storage is healthy", w)
	}
	return unlock, nil
}

// Change excludes other changes to a workspace and to everything beneath it, including its
// deletion, until unlock is called.
func (t *Tree) Change(ctx context.Context, call caller.Request, w string) (_ store.ID, unlock func(), err error) {
	unlock, err = t.change(ctx, w)
	if err != nil {
		return "", nil, err
	}
	id, err := t.WorkspaceID(call, w)
	if err != nil {
		unlock()
		return "", nil, err
	}
	return id, unlock, nil
}

// Exclusively calls work, which no request asked for, while other changes to the workspace with an
// id are excluded. It fails if the workspace is locked or does not exist.
func (t *Tree) Exclusively(ctx context.Context, ws store.ID, work func() error) error {
	condition, _ := t.Condition(ws)
	got, unlock, err := t.Change(ctx, caller.Request{}, condition.Name)
	if err != nil {
		return err
	}
	defer unlock()
	if got != ws {
		return fault.New(fault.NotFound, "the workspace was deleted meanwhile")
	}
	return work()
}

// AddPending records a change beneath the workspace with an id whose storage call failed. recheck
// reads the outcome from storage and takes the stored state into memory. AddPending calls recheck
// immediately. If storage does not respond, recheck is called again by Recheck and before the next
// change. AddPending reports whether the outcome is known now. The caller excludes other changes.
func (t *Tree) AddPending(ctx context.Context, ws store.ID, recheck func(context.Context) error) (known bool) {
	condition, _ := t.Condition(ws)
	return t.addPending(ctx, condition.Name, &pendingChange{recheck: recheck})
}

// addPending records a change whose storage call failed, and rechecks it. It reports whether the
// outcome is known now.
func (t *Tree) addPending(ctx context.Context, w string, p *pendingChange) (known bool) {
	t.mu.Lock()
	t.pending[w] = p
	t.mu.Unlock()
	return t.recheck(context.WithoutCancel(ctx), w) == nil // else Recheck tries again
}

// recheck determines the outcome of a workspace's pending change, if there is one. The caller holds
// the workspace's change lock.
func (t *Tree) recheck(ctx context.Context, w string) error {
	t.mu.RLock()
	p := t.pending[w]
	t.mu.RUnlock()
	if p == nil {
		return nil
	}
	if err := p.recheck(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.pending, w)
	return nil
}

// write is a change to the record of a project or an environment.
type write[R any] struct {
	workspace string
	creates   bool // there is no record yet
	id        store.ID
	mark      store.Undone // of the creation
	put       func(context.Context) error
	get       func(context.Context) (*R, error)
	take      func(*R) // into memory
}

// commit stores a record and takes it into memory. The caller holds the workspace's change lock.
func commit[R any](ctx context.Context, t *Tree, w write[R], record *R) (err error) {
	var begun *undone.Change
	if w.creates {
		if begun, err = t.undone.Begin(ctx, w.id, w.mark); err != nil {
			return err
		}
	}
	if err := w.put(ctx); err != nil {
		t.addPending(ctx, w.workspace, &pendingChange{recheck: func(ctx context.Context) error {
			return takeStored(w.take, begun)(w.get(ctx))
		}})
		return fmt.Errorf("store %s %q: %w", w.mark.Kind, w.mark.Name, err)
	}
	w.take(record)
	begun.Done(ctx)
	return nil
}

// takeStored returns a function that receives the result of reading a record. That function passes
// a stored record to take, and settles the creation begun unless begun is nil.
func takeStored[R any](take func(*R), begun *undone.Change) func(*R, error) error {
	return func(stored *R, err error) error {
		if err == nil {
			if stored != nil {
				take(stored)
			}
			begun.Settle()
		}
		return err
	}
}

// Recheck determines the outcomes of the pending changes of all workspaces.
func (t *Tree) Recheck(ctx context.Context) {
	t.mu.RLock()
	var names []string
	for w := range t.pending {
		names = append(names, w)
	}
	t.mu.RUnlock()
	for _, w := range names {
		unlock := t.changes.Lock(w)
		_ = t.recheck(ctx, w)
		unlock()
	}
}

// checkPending returns an error if a deletion whose outcome is unknown may have removed the object
// at path. The caller holds mu.
func (t *Tree) checkPending(path Path) error {
	p := t.pending[path.Workspace]
	if p == nil || !p.blocks || p.project != "" && p.project != path.Project || p.environment != "" && p.environment != path.Environment {
		return nil
	}
	return fault.New(fault.Unavailable, "cannot tell whether %s was deleted: storage failed; retry when storage is healthy", Path{path.Workspace, p.project, p.environment})
}

// deletion is the removal of a workspace, a project or an environment. The names below the removed
// object are empty.
type deletion struct {
	id                              store.ID
	mark                            store.Undone
	workspace, project, environment string
	environments                    []store.ID // the environments in the removed object

	erase  func(context.Context) error         // removes the record, or a workspace's keys: the commit
	stored func(context.Context) (bool, error) // reports whether the object is still stored
	forget func()                              // removes the object from memory
	// rest removes what must be gone before the name can be used again. It may be nil.
	rest func(context.Context) error
}

// remove carries out a deletion of frozen environments, and thaws them. It returns an error if the
// deletion has not happened, or if its outcome is unknown.
func (t *Tree) remove(ctx context.Context, d deletion, thaw func(gone bool)) error {
	d.mark.Deletion = true
	begun, err := t.undone.Begin(ctx, d.id, d.mark)
	if err != nil {
		thaw(false)
		return fmt.Errorf("delete %s: %w", Path{d.workspace, d.project, d.environment}, err)
	}
	err = d.erase(ctx)
	gone := err == nil
	pending := &pendingChange{blocks: true, project: d.project, environment: d.environment}
	pending.recheck = func(ctx context.Context) error {
		if !gone {
			exists, err := d.stored(ctx)
			if err != nil {
				return err
			}
			if exists {
				begun.Settle()
				return nil
			}
			gone = true
			t.removed(d, pending, t.freeze(d.environments))
		}
		if d.rest != nil {
			if err := d.rest(ctx); err != nil {
				return err
			}
		}
		begun.Settle()
		return nil
	}
	if gone {
		t.removed(d, pending, thaw)
		if pending.recheck(ctx) != nil {
			t.addPending(ctx, d.workspace, pending)
		}
		return nil
	}
	t.mu.Lock()
	t.pending[d.workspace] = pending // before writes continue
	t.mu.Unlock()
	thaw(false)
	if t.addPending(ctx, d.workspace, pending); gone {
		return nil
	}
	return fmt.Errorf("delete %s: %w", Path{d.workspace, d.project, d.environment}, err)
}

// removed takes a completed deletion into memory, lifts its block, and thaws the environments.
func (t *Tree) removed(d deletion, pending *pendingChange, thaw func(gone bool)) {
	t.mu.Lock()
	d.forget()
	pending.blocks = false
	t.mu.Unlock()
	thaw(true)
}
