// Package workspaces owns the tree of workspaces, projects and environments: their records, which
// are all in memory, their limits, and their deletion. Of the secrets in an environment it knows
// only the number.
package workspaces

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keylock"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
)

// Keys is the part of the key service that the tree needs.
type Keys interface {
	Create(ctx context.Context, ws store.ID, name string) error
	// SetName records the name of a workspace whose record was loaded.
	SetName(ws store.ID, name string)
	// Genuine returns the name in names that the keys are wrapped for, or "" if there is none.
	Genuine(ctx context.Context, ws store.ID, names []string) (string, error)
	// MarkMissing records that the key entry of an existing workspace is missing.
	MarkMissing(ws store.ID)
	Shred(ctx context.Context, ws store.ID) error
	// Stored reports whether the keys are still in storage. It determines the outcome of a Shred
	// that failed.
	Stored(ctx context.Context, ws store.ID) (bool, error)
	// Lock removes a workspace's keys from memory, waits for their uses, and refuses later uses
	// with an error.
	Lock(ws store.ID, refusal error)
	// Unlock allows the use of a workspace's keys again.
	Unlock(ws store.ID)
	IDs() []store.ID
}

// Contents is the content of environments, as the tree sees it.
type Contents interface {
	// Freeze waits for the running writes in an environment, and blocks new ones until thaw is
	// called. It returns the number of secrets. thaw(true) means that the environment was deleted.
	Freeze(env store.ID) (secrets int, thaw func(gone bool))
	// Count returns the number of secrets in an environment.
	Count(env store.ID) int
	// Referring returns the secrets of a workspace, as project/environment/NAME, that refer to a
	// secret in the given environments but are not in one of them.
	Referring(ctx context.Context, ws store.ID, environments map[string]bool) ([]string, error)
}

// Tree holds every record in memory. Records are immutable: a change replaces the record.
type Tree struct {
	store    *store.Store
	settings *settings.Service
	keys     Keys
	contents Contents
	now      func() time.Time
	undone   *undone.Service

	// changes serialises the changes to a workspace and to everything beneath it, by the
	// workspace's name.
	changes keylock.Map[string]

	watchers   []func(ws store.ID)
	dependents []func(ws store.ID, environments map[string]bool) []string

	mu         sync.RWMutex
	workspaces map[string]*workspace
	ids        idIndex
	pending    map[string]*pendingChange // by workspace
	// damaged holds the storage keys of the records that could not be read when the mount was
	// loaded, sorted.
	damaged []string
}

// idIndex holds the ids of everything that has a record.
type idIndex struct {
	workspaces             map[store.ID]string // values are the names
	projects, environments map[store.ID]bool
}

type workspace struct {
	record   *store.Workspace
	projects map[string]*project
}

// environmentCount returns the number of environments in all projects of a workspace.
func (w *workspace) environmentCount() (count int) {
	for _, project := range w.projects {
		count += len(project.environments)
	}
	return count
}

type project struct {
	record       *store.Project
	environments map[string]*store.Environment
}

// Deps are the services that a Tree uses.
type Deps struct {
	Store    *store.Store
	Settings *settings.Service
	Keys     Keys
	Contents Contents
	Now      func() time.Time
	Undone   *undone.Service
}

// loadParallelism bounds the storage reads in flight while a mount starts.
const loadParallelism = 64

// Load reads the whole tree. It also continues the deletion of a workspace that a crash
// interrupted.
func Load(ctx context.Context, d Deps) (*Tree, error) {
	t := &Tree{
		store: d.Store, settings: d.Settings, keys: d.Keys, contents: d.Contents, now: d.Now, undone: d.Undone,
		workspaces: make(map[string]*workspace), pending: make(map[string]*pendingChange),
		ids: idIndex{make(map[store.ID]string), make(map[store.ID]bool), make(map[store.ID]bool)},
	}
	names, err := d.Store.Workspaces(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the workspaces: %w", err)
	}
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(loadParallelism)
	for _, name := range names {
		work.Go(func() error { return t.loadWorkspace(workCtx, name) })
	}
	if err := work.Wait(); err != nil {
		return nil, fmt.Errorf("load the workspaces: %w", err)
	}
	if err := t.nameKeys(ctx); err != nil {
		return nil, fmt.Errorf("load the workspaces: %w", err)
	}
	t.refuseCopies()
	slices.Sort(t.damaged)
	d.Undone.Own(t, store.KindWorkspace, store.KindProject, store.KindEnvironment)
	return t, t.matchKeys(ctx)
}

// matchKeys compares the workspaces' records with their key entries. If a record has no key entry
// and the mark of a deletion names it, the deletion was interrupted. Then the record is removed
// before its name can be used again. Without such a mark the key entry was lost, and the workspace
// is kept.
func (t *Tree) matchKeys(ctx context.Context) error {
	keyed := make(map[store.ID]bool)
	for _, id := range t.keys.IDs() {
		keyed[id] = true
	}
	for name, ws := range t.workspaces {
		id := ws.record.ID
		if keyed[id] {
			continue
		}
		if m, marked := t.undone.Marked(id); !marked || !m.Deletion || m.Name != name {
			t.keys.MarkMissing(id)
			continue
		}
		if err := t.store.DeleteWorkspace(ctx, name); err != nil {
			return fmt.Errorf("remove the record of a shredded workspace: %w", err)
		}
		t.forgetWorkspace(name)
	}
	return nil
}

func (t *Tree) loadWorkspace(ctx context.Context, name string) error {
	record, err := t.store.Workspace(ctx, name)
	if skip, err := t.unreadable(workspaceKey(name), record == nil, err); skip {
		return err
	}
	ws := &workspace{record: record, projects: make(map[string]*project)}
	t.mu.Lock()
	t.workspaces[name] = ws
	t.ids.workspaces[record.ID] = name
	t.mu.Unlock()
	t.lockKeys(name, record)
	names, err := t.store.Projects(ctx, record.ID)
	if err != nil {
		return err
	}
	for _, p := range names {
		if err := t.loadProject(ctx, ws, p); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) loadProject(ctx context.Context, ws *workspace, name string) error {
	record, err := t.store.Project(ctx, ws.record.ID, name)
	if skip, err := t.unreadable(projectKey(ws, name), record == nil, err); skip {
		return err
	}
	p := &project{record: record, environments: make(map[string]*store.Environment)}
	t.mu.Lock()
	ws.projects[name] = p
	t.ids.projects[record.ID] = true
	t.mu.Unlock()
	names, err := t.store.Environments(ctx, record.ID)
	if err != nil {
		return err
	}
	for _, e := range names {
		env, err := t.store.Environment(ctx, record.ID, e)
		if skip, err := t.unreadable(environmentKey(p, e), env == nil, err); skip {
			if err != nil {
				return err
			}
			continue
		}
		t.mu.Lock()
		p.environments[e] = env
		t.ids.environments[env.ID] = true
		t.mu.Unlock()
	}
	return nil
}

// unreadable records the key of a damaged record, and reports that the record is to be skipped. It
// passes on any other error.
func (t *Tree) unreadable(key string, missing bool, err error) (skip bool, _ error) {
	if errors.Is(err, store.ErrDamaged) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.damaged = append(t.damaged, key)
		return true, nil
	}
	return err != nil || missing, err
}

func workspaceKey(w string) string                { return "ws/" + w }
func projectKey(ws *workspace, p string) string   { return "proj/" + string(ws.record.ID) + "/" + p }
func environmentKey(pr *project, e string) string { return "env/" + string(pr.record.ID) + "/" + e }

// damagedRecord is the text for a record that could not be read, with its storage key.
const damagedRecord = "the record %s is damaged or holds the id of another record, so everything beneath it is unreachable; restore the record from a snapshot of Vault's storage, or remove it if it was copied there"

// checkDamaged returns an error if the record under a storage key could not be read. Nothing may be
// created under its name: the new record would replace the damaged one, and nothing would lead to
// the entries beneath the old id.
func (t *Tree) checkDamaged(key string) error {
	if _, found := slices.BinarySearch(t.damaged, key); !found {
		return nil
	}
	return fault.Damaged(damagedRecord, key)
}

// Place identifies an environment and holds the settings that apply to it.
type Place struct {
	Workspace, Project, Environment string
	WorkspaceID, EnvironmentID      store.ID
	Production, Locked              bool
	Base                            string         // project/environment; empty for none
	Settings                        store.Settings // effective
}

// Path returns the names of the environment.
func (p Place) Path() Path { return Path{p.Workspace, p.Project, p.Environment} }

// Find returns the place of an environment. If an object on the path is missing, the error has
// status 400 and contains the command that creates the object.
func (t *Tree) Find(call caller.Request, path Path) (Place, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	ws, pr, err := t.project(call, path)
	if err != nil {
		return Place{}, err
	}
	if err := t.checkPending(path); err != nil {
		return Place{}, err
	}
	env := pr.environments[path.Environment]
	if env == nil {
		if err := t.checkDamaged(environmentKey(pr, path.Environment)); err != nil {
			return Place{}, err
		}
		return Place{}, fault.New(fault.NotFound, "environment %q of %s does not exist; create it with: vault write -force %senvironments/%s", path.Environment, path.Parent(), call.Mount, path)
	}
	return Place{
		Workspace: path.Workspace, Project: path.Project, Environment: path.Environment,
		WorkspaceID: ws.record.ID, EnvironmentID: env.ID,
		Production: env.Production, Locked: env.Locked, Base: env.Base, Settings: t.settings.Effective(ws.record.Settings),
	}, nil
}

// workspace returns the workspace with a name, for an operation on something beneath it. The caller
// of workspace or project holds mu.
func (t *Tree) workspace(call caller.Request, w string) (*workspace, error) {
	if err := t.checkPending(Path{Workspace: w}); err != nil {
		return nil, err
	}
	ws := t.workspaces[w]
	if ws == nil {
		if err := t.checkDamaged(workspaceKey(w)); err != nil {
			return nil, err
		}
		return nil, fault.New(fault.NotFound, "workspace %q does not exist; create it with: vault write -force %sworkspaces/%s", w, call.Mount, w)
	}
	if ws.record.Locked {
		return nil, errLocked(w, ws.record.LockReason)
	}
	return ws, nil
}

func (t *Tree) project(call caller.Request, path Path) (*workspace, *project, error) {
	ws, err := t.workspace(call, path.Workspace)
	if err != nil {
		return nil, nil, err
	}
	path.Environment = ""
	if err := t.checkPending(path); err != nil {
		return nil, nil, err
	}
	pr := ws.projects[path.Project]
	if pr == nil {
		if err := t.checkDamaged(projectKey(ws, path.Project)); err != nil {
			return nil, nil, err
		}
		return nil, nil, fault.New(fault.NotFound, "project %q of %s does not exist; create it with: vault write -force %sprojects/%s", path.Project, path.Workspace, call.Mount, path)
	}
	return ws, pr, nil
}

// Exists reports whether a workspace, project or environment exists. Empty names are ignored.
func (t *Tree) Exists(path Path) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	ws := t.workspaces[path.Workspace]
	if ws == nil || path.Project == "" {
		return ws != nil
	}
	pr := ws.projects[path.Project]
	if pr == nil || path.Environment == "" {
		return pr != nil
	}
	return pr.environments[path.Environment] != nil
}
