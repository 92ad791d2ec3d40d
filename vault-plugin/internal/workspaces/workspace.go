package workspaces

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/charset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
)

// Limits of the texts that a person can set for a workspace, a project or an environment.
const (
	MaxDescription   = 512 // bytes
	MaxMetadata      = 64  // entries
	MaxMetadataKey   = 128 // bytes
	MaxMetadataValue = 512 // bytes
)

// Workspace is a workspace as the API returns it.
type Workspace struct {
	Name string
	store.Workspace
	Effective store.Settings
	Counts    Counts
}

// Workspace returns one workspace.
func (t *Tree) Workspace(name string) (Workspace, error) {
	t.mu.RLock()
	err := t.checkPending(Path{Workspace: name})
	t.mu.RUnlock()
	if err != nil {
		return Workspace{}, err
	}
	if w, exists := t.describeWorkspace(name); exists {
		return w, nil
	}
	return Workspace{}, t.noWorkspace(name)
}

// describeWorkspace returns a workspace. It returns false if there is none.
func (t *Tree) describeWorkspace(name string) (_ Workspace, exists bool) {
	t.mu.RLock()
	ws := t.workspaces[name]
	if ws == nil {
		t.mu.RUnlock()
		return Workspace{}, false
	}
	record := ws.record
	var c census
	c.addWorkspace(ws)
	t.mu.RUnlock()
	return Workspace{Name: name, Workspace: *record, Effective: t.settings.Effective(record.Settings), Counts: t.count(c)}, true
}

// noWorkspace returns the error for a workspace that is missing or whose record is damaged.
func (t *Tree) noWorkspace(name string) error {
	if err := t.checkDamaged(workspaceKey(name)); err != nil {
		return err
	}
	return fault.Missing("workspace %q does not exist", name)
}

// Workspaces lists all workspaces, sorted by name.
func (t *Tree) Workspaces() []Workspace {
	t.mu.RLock()
	names := slices.Collect(maps.Keys(t.workspaces))
	t.mu.RUnlock()
	slices.Sort(names)
	var all []Workspace
	for _, name := range names {
		if w, exists := t.describeWorkspace(name); exists { // else it was deleted meanwhile
			all = append(all, w)
		}
	}
	return all
}

// PutWorkspace creates a workspace with its own keys, or changes a workspace. With mustExist, it
// fails instead of creating.
func (t *Tree) PutWorkspace(ctx context.Context, call caller.Request, name string, mustExist bool, change func(*store.Workspace)) (Workspace, error) {
	unlock, err := t.change(ctx, name)
	if err != nil {
		return Workspace{}, err
	}
	defer unlock()
	t.mu.RLock()
	ws := t.workspaces[name]
	t.mu.RUnlock()
	if ws == nil {
		if err := t.noWorkspace(name); mustExist || !fault.Is(err, fault.NotFound) {
			return Workspace{}, err
		}
	} else if ws.record.Locked {
		return Workspace{}, errLocked(name, ws.record.LockReason)
	}
	record := store.Workspace{Stamp: t.newStamp(call)}
	if ws != nil {
		if replays(call, ws.record.Stamp) {
			return t.Workspace(name)
		}
		if call.Creates {
			return Workspace{}, caller.Exists("workspace " + name)
		}
		record = *ws.record
		record.Stamp = t.updatedStamp(call, record.Stamp)
	}
	change(&record)
	if err := checkWorkspace(record); err != nil {
		return Workspace{}, err
	}
	var begun *undone.Change
	if ws == nil {
		if record.ID, begun, err = t.beginWorkspace(ctx, name); err != nil {
			return Workspace{}, err
		}
	}
	if err := t.store.PutWorkspace(ctx, name, &record); err != nil {
		t.addPending(ctx, name, &pendingChange{recheck: func(ctx context.Context) error {
			stored, err := t.store.Workspace(ctx, name)
			switch {
			case err != nil:
				return err
			case stored != nil:
				t.takeWorkspace(name, ws, stored)
			}
			begun.Settle()
			return nil
		}})
		return Workspace{}, fmt.Errorf("store workspace %q: %w", name, err)
	}
	t.takeWorkspace(name, ws, &record)
	begun.Done(ctx)
	return t.Workspace(name)
}

// beginWorkspace mints the id and the keys of a new workspace. It stores the key entry before the
// record, because a record without a key entry belongs to a shredded workspace.
func (t *Tree) beginWorkspace(ctx context.Context, name string) (store.ID, *undone.Change, error) {
	id := store.NewID()
	begun, err := t.undone.Begin(ctx, id, store.Undone{Kind: store.KindWorkspace, Name: name})
	if err != nil {
		return "", nil, err
	}
	if err := t.keys.Create(ctx, id, name); err != nil {
		begun.Settle()
		return "", nil, err
	}
	return id, begun, nil
}

// takeWorkspace takes a stored record into memory. The record belongs to ws, or to a new workspace
// if ws is nil.
func (t *Tree) takeWorkspace(name string, ws *workspace, record *store.Workspace) {
	t.mu.Lock()
	if ws == nil {
		t.workspaces[name] = &workspace{record: record, projects: make(map[string]*project)}
		t.ids.workspaces[record.ID] = name
	} else {
		ws.record = record
	}
	t.mu.Unlock()
	t.notify(record.ID)
}

func (t *Tree) newStamp(call caller.Request) store.Stamp {
	now := t.now().UTC()
	return store.Stamp{Created: now, Updated: now, RequestID: call.ID}
}

func (t *Tree) updatedStamp(call caller.Request, s store.Stamp) store.Stamp {
	s.Updated, s.RequestID = t.now().UTC(), call.ID
	return s
}

// replays reports whether a request is the one that a record was last written by.
func replays(call caller.Request, s store.Stamp) bool {
	return call.Replays(s.RequestID)
}

func checkWorkspace(r store.Workspace) error {
	if err := CheckDescription(r.Description); err != nil {
		return err
	}
	if err := CheckMetadata("metadata", r.Metadata); err != nil {
		return err
	}
	return settings.Check(r.Settings)
}

// CheckMetadata rejects custom metadata with too many entries, and keys or values that are too long
// or not printable. field is the name of the API field.
func CheckMetadata(field string, m map[string]string) error {
	if len(m) > MaxMetadata {
		return fault.New(fault.Limit, "%s: has %d entries; at most %d are allowed", field, len(m), MaxMetadata)
	}
	for key, value := range m {
		if len(key) == 0 || len(key) > MaxMetadataKey || len(value) > MaxMetadataValue {
			return fault.New(fault.Limit, "%s: a key must have 1 to %d bytes, and a value at most %d", field, MaxMetadataKey, MaxMetadataValue)
		}
		if err := charset.CheckPrintable(field, key+value); err != nil {
			return err
		}
	}
	return nil
}

// CheckDescription rejects a description that is too long, or that a terminal would not show as it
// is.
func CheckDescription(text string) error {
	if len(text) > MaxDescription {
		return fault.New(fault.Limit, "description: has %d bytes; at most %d are allowed", len(text), MaxDescription)
	}
	return charset.CheckPrintable("description", text)
}

// Receipt holds the numbers of objects that a deletion removed.
type Receipt struct {
	Counts
	KeyVersions int // destroyed key versions; 0 unless a workspace was shredded
}

// DeleteWorkspace shreds a workspace. It destroys the keys first, so nothing in the workspace can
// be read from then on. The remaining entries are swept in the background.
func (t *Tree) DeleteWorkspace(ctx context.Context, call caller.Request, name, confirm string, keyVersions func(store.ID) int) (Receipt, error) {
	unlock, err := t.change(ctx, name)
	if err != nil {
		return Receipt{}, err
	}
	defer unlock()
	t.mu.RLock()
	ws := t.workspaces[name]
	t.mu.RUnlock()
	if ws == nil {
		return Receipt{}, t.noWorkspace(name)
	}
	if ws.record.Locked {
		return Receipt{}, errLocked(name, ws.record.LockReason)
	}
	if !ws.record.DeletionAllowed {
		return Receipt{}, fault.New(fault.Conflict, "workspace %q may not be deleted; allow it first with: vault write %sworkspaces/%s deletion_allowed=true", name, call.Mount, name)
	}
	if confirm != name {
		return Receipt{}, fault.New(fault.Invalid, "confirm: deleting a workspace destroys its keys, which makes its content permanently unreadable; repeat the workspace's name: confirm=%s", name)
	}
	var dependents []string
	for _, list := range t.dependents {
		dependents = append(dependents, list(ws.record.ID, nil)...)
	}
	if err := dependentsError("workspace "+name, dependents); err != nil {
		return Receipt{}, err
	}
	ids := t.environmentIDs(ws, "")
	thaw := t.freeze(ids)
	receipt := Receipt{Counts: t.countsOf(ws, ""), KeyVersions: keyVersions(ws.record.ID)}
	err = t.remove(ctx, deletion{
		id: ws.record.ID, mark: store.Undone{Kind: store.KindWorkspace, Name: name},
		workspace: name, environments: ids,
		erase:  func(ctx context.Context) error { return t.keys.Shred(ctx, ws.record.ID) },
		stored: func(ctx context.Context) (bool, error) { return t.keys.Stored(ctx, ws.record.ID) },
		forget: func() { t.forgetWorkspace(name) },
		// A record without keys is useless, but a new workspace of the same name must not find it.
		rest: func(ctx context.Context) error { return t.store.DeleteWorkspace(ctx, name) },
	}, thaw)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, nil
}

// forgetWorkspace removes a workspace and everything beneath it from memory. The caller holds mu.
func (t *Tree) forgetWorkspace(name string) {
	ws := t.workspaces[name]
	for _, p := range ws.projects {
		t.forgetProject(p)
	}
	delete(t.ids.workspaces, ws.record.ID)
	delete(t.workspaces, name)
}

func (t *Tree) forgetProject(p *project) {
	for _, e := range p.environments {
		delete(t.ids.environments, e.ID)
	}
	delete(t.ids.projects, p.record.ID)
}
