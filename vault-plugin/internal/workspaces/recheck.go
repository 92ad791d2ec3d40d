package workspaces

import (
	"context"
	"fmt"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
)

// doubt is a change to a workspace, or to what is beneath it, of which it is not known whether it was stored, for a storage call of it
// has failed. Storage is asked at once; while it does not answer, the doubt stands, and no other change is made to the workspace. What
// a deletion may have ended is closed meanwhile: whatever was written there could be gone at the next start, though it was
// acknowledged.
type doubt struct {
	closes               bool
	project, environment string                      // what is closed: all of the workspace where both are empty
	settle               func(context.Context) error // takes in what is stored; the caller holds the workspace's change lock
}

// change holds back other changes to a workspace until unlock is called. Storage must tell first how the last one ended.
func (t *Tree) change(ctx context.Context, w string) (unlock func(), err error) {
	unlock = t.changes.Lock(w)
	if err := t.settleDoubt(ctx, w); err != nil {
		unlock()
		return nil, fault.New(fault.Unavailable, "whether the last change to workspace %q was stored is not known, because storage failed; try again when it is well", w)
	}
	return unlock, nil
}

// Change holds back all other changes to a workspace and what is beneath it until unlock is called, its deletion included.
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

// Exclusively does work, which no request asks for, while other changes to the workspace with an id are held back; not on one that is
// locked or gone.
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

// Unsure is told of a change to what stands beneath the workspace with an id, whose storage call has failed. settle asks storage how it
// ended, and takes in what is stored: at once, and as long as storage does not answer, before the next change. It reports whether
// that is known now. The caller holds back other changes.
func (t *Tree) Unsure(ctx context.Context, ws store.ID, settle func(context.Context) error) (known bool) {
	condition, _ := t.Condition(ws)
	return t.unsure(ctx, condition.Name, &doubt{settle: settle})
}

// unsure notes a change whose storage call has failed, and asks storage how it ended.
func (t *Tree) unsure(ctx context.Context, w string, d *doubt) (known bool) {
	t.mu.Lock()
	t.doubts[w] = d
	t.mu.Unlock()
	return t.settleDoubt(context.WithoutCancel(ctx), w) == nil // else Recheck tries again
}

// settleDoubt asks storage how a change ended, if that is not known. The caller holds the workspace's change lock.
func (t *Tree) settleDoubt(ctx context.Context, w string) error {
	t.mu.RLock()
	d := t.doubts[w]
	t.mu.RUnlock()
	if d == nil {
		return nil
	}
	if err := d.settle(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.doubts, w)
	return nil
}

// write is a change to the record of a project or an environment.
type write[R any] struct {
	workspace string
	creates   bool // there was no record
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
		t.unsure(ctx, w.workspace, &doubt{settle: func(ctx context.Context) error {
			return settled(w.take, begun)(w.get(ctx))
		}})
		return fmt.Errorf("store %s %q: %w", w.mark.Kind, w.mark.Name, err)
	}
	w.take(record)
	begun.Done(ctx)
	return nil
}

// settled makes the settling of a doubt of what takes in a record that storage has. begun is the
// creation of it, or nil.
func settled[R any](take func(*R), begun *undone.Change) func(*R, error) error {
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

// Recheck asks storage how those changes ended of which it is not known.
func (t *Tree) Recheck(ctx context.Context) {
	t.mu.RLock()
	var names []string
	for w := range t.doubts {
		names = append(names, w)
	}
	t.mu.RUnlock()
	for _, w := range names {
		unlock := t.changes.Lock(w)
		_ = t.settleDoubt(ctx, w)
		unlock()
	}
}

// open refuses what a deletion of unknown outcome may have ended. The names below the one asked for are empty. The caller holds mu.
func (t *Tree) open(path Path) error {
	d := t.doubts[path.Workspace]
	if d == nil || !d.closes || d.project != "" && d.project != path.Project || d.environment != "" && d.environment != path.Environment {
		return nil
	}
	return fault.New(fault.Unavailable, "whether %s was deleted is not known, because storage failed; try again when it is well", Path{path.Workspace, d.project, d.environment})
}

// deletion is the removal of a workspace, a project or an environment: the names below it are empty.
type deletion struct {
	id                              store.ID
	mark                            store.Undone
	workspace, project, environment string
	environments                    []store.ID                          // that go with it
	erase                           func(context.Context) error         // from storage; the commit
	stands                          func(context.Context) (bool, error) // whether storage still has it
	forget                          func()                              // takes it out of memory
	rest                            func(context.Context) error         // removes what must be gone before the name is used again; may be nil
}

// remove carries out a deletion of what is frozen, and thaws it. It fails only where the deletion has not happened, or where that
// is not known.
func (t *Tree) remove(ctx context.Context, d deletion, thaw func(gone bool)) error {
	d.mark.Deletion = true
	begun, err := t.undone.Begin(ctx, d.id, d.mark)
	if err != nil {
		thaw(false)
		return fmt.Errorf("delete %s: %w", Path{d.workspace, d.project, d.environment}, err)
	}
	err = d.erase(ctx)
	gone := err == nil
	unsure := &doubt{closes: true, project: d.project, environment: d.environment}
	unsure.settle = func(ctx context.Context) error {
		if !gone {
			exists, err := d.stands(ctx)
			if err != nil {
				return err
			}
			if exists {
				begun.Settle()
				return nil
			}
			gone = true
			t.removed(d, unsure, t.freeze(d.environments))
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
		t.removed(d, unsure, thaw)
		if unsure.settle(ctx) != nil {
			t.unsure(ctx, d.workspace, unsure)
		}
		return nil
	}
	t.mu.Lock()
	t.doubts[d.workspace] = unsure // before writes go on
	t.mu.Unlock()
	thaw(false)
	if t.unsure(ctx, d.workspace, unsure); gone {
		return nil
	}
	return fmt.Errorf("delete %s: %w", Path{d.workspace, d.project, d.environment}, err)
}

func (t *Tree) removed(d deletion, unsure *doubt, thaw func(gone bool)) {
	t.mu.Lock()
	d.forget()
	unsure.closes = false
	t.mu.Unlock()
	thaw(true)
}
