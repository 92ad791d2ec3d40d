// Package workspaces owns the tree of workspaces, projects and environments: their records, which are all in memory, their
// limits, and what deleting one takes. It knows nothing of the secrets in an environment but how many there are.
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

// Keys is the part of the key service that a workspace's life needs.
type Keys interface {
	Create(ctx context.Context, ws store.ID, name string) error
	// SetName records the name of a workspace whose record was loaded.
	SetName(ws store.ID, name string)
	// Genuine returns which of several names the keys are wrapped for; "" for none of them.
	Genuine(ctx context.Context, ws store.ID, names []string) (string, error)
	// MarkMissing records that the key entry of an existing workspace is missing.
	MarkMissing(ws store.ID)
	Shred(ctx context.Context, ws store.ID) error
	// Stored reports whether the keys still stand in storage, after a Shred that has failed.
	Stored(ctx context.Context, ws store.ID) (bool, error)
	// SetLocked keeps a workspace's keys out of memory, or lets them in again.
	SetLocked(ws store.ID, locked bool)
	IDs() []store.ID
}

// Contents is what environments hold, as seen by the tree that owns them.
type Contents interface {
	// Freeze waits for the writes under way in an environment and holds back new ones until thaw is called. It answers how many
	// secrets there are. thaw(true) says that the environment is gone for ever.
	Freeze(env store.ID) (secrets int, thaw func(gone bool))
	// Count answers how many secrets an environment has.
	Count(env store.ID) int
	// Referring names the secrets of a workspace, as project/environment/NAME, that refer to one in the environments named, and
	// stand in none of them.
	Referring(ctx context.Context, ws store.ID, environments map[string]bool) ([]string, error)
}

// Tree holds every record in memory. The records are immutable: a change replaces one.
type Tree struct {
	store    *store.Store
	settings *settings.Service
	keys     Keys
	contents Contents
	now      func() time.Time
	undone   *undone.Service

	// Changes to a workspace and all beneath it are made one at a time, under the workspace's name.
	changes keylock.Map[string]

	watchers   []func(ws store.ID)
	dependents []func(ws store.ID, environments map[string]bool) []string

	mu         sync.RWMutex
	workspaces map[string]*workspace
	ids        known
	doubts     map[string]*doubt // by workspace
	damaged    []string          // places in storage whose record could not be read; sorted, and as they were when the mount was loaded
}

// known are the ids of everything that has a record.
type known struct {
	workspaces             map[store.ID]string // their names
	projects, environments map[store.ID]bool
}

type workspace struct {
	record   *store.Workspace
	projects map[string]*project
}

type project struct {
	record       *store.Project
	environments map[string]*store.Environment
}

// Deps are the services a Tree works with.
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

// Load reads the whole tree, and goes on with the deletion of a workspace that a crash has
// interrupted.
func Load(ctx context.Context, d Deps) (*Tree, error) {
	t := &Tree{
		store: d.Store, settings: d.Settings, keys: d.Keys, contents: d.Contents, now: d.Now, undone: d.Undone,
		workspaces: make(map[string]*workspace), doubts: make(map[string]*doubt),
		ids: known{make(map[store.ID]string), make(map[store.ID]bool), make(map[store.ID]bool)},
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
	slices.Sort(t.damaged)
	d.Undone.Own(t, store.KindWorkspace, store.KindProject, store.KindEnvironment)
	return t, t.matchKeys(ctx)
}

// matchKeys holds the workspaces' records against their key entries. A record without one is the
// rest of a deletion where a mark says so, and then it is removed before its name can be used
// again. Without the mark the key entry is missing: the workspace stays.
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
	if skip, err := t.unreadable(workspacePlace(name), record == nil, err); skip {
		return err
	}
	ws := &workspace{record: record, projects: make(map[string]*project)}
	t.mu.Lock()
	t.workspaces[name] = ws
	t.ids.workspaces[record.ID] = name
	t.mu.Unlock()
	t.keys.SetLocked(record.ID, record.Locked)
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
	if skip, err := t.unreadable(projectPlace(ws, name), record == nil, err); skip {
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
		if skip, err := t.unreadable(environmentPlace(p, e), env == nil, err); skip {
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

// unreadable notes a record that is damaged and has it skipped; any other error is passed on.
func (t *Tree) unreadable(place string, missing bool, err error) (skip bool, _ error) {
	if errors.Is(err, store.ErrDamaged) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.damaged = append(t.damaged, place)
		return true, nil
	}
	return err != nil || missing, err
}

func workspacePlace(w string) string                { return "ws/" + w }
func projectPlace(ws *workspace, p string) string   { return "proj/" + string(ws.record.ID) + "/" + p }
func environmentPlace(pr *project, e string) string { return "env/" + string(pr.record.ID) + "/" + e }

// lost answers an error where something has a record that could not be read. It must not be made anew: that would take the place
// of the record, and have what the record led to swept at the next start.
func (t *Tree) lost(place string) error {
	if _, found := slices.BinarySearch(t.damaged, place); !found {
		return nil
	}
	return fault.Damaged("the record %s is damaged or holds another's id, and what it led to is out of reach; restore it from a snapshot of Vault's storage", place)
}

// Place is where an environment stands and what holds there.
type Place struct {
	Workspace, Project, Environment string
	WorkspaceID, EnvironmentID      store.ID
	Locked                          bool
	Base                            string         // project/environment; empty for none
	Settings                        store.Settings // effective
}

// Path returns the names of the environment.
func (p Place) Path() Path { return Path{p.Workspace, p.Project, p.Environment} }

// Find answers the place of an environment. What is missing on the way is an error of status 400 that tells how to make it.
func (t *Tree) Find(call caller.Request, path Path) (Place, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	ws, pr, err := t.project(call, path)
	if err != nil {
		return Place{}, err
	}
	if err := t.open(path); err != nil {
		return Place{}, err
	}
	env := pr.environments[path.Environment]
	if env == nil {
		if err := t.lost(environmentPlace(pr, path.Environment)); err != nil {
			return Place{}, err
		}
		return Place{}, fault.New(fault.NotFound, "environment %q of %s does not exist; create it with: vault write -force %senvironments/%s", path.Environment, path.Parent(), call.Mount, path)
	}
	return Place{
		Workspace: path.Workspace, Project: path.Project, Environment: path.Environment,
		WorkspaceID: ws.record.ID, EnvironmentID: env.ID,
		Locked: env.Locked, Base: env.Base, Settings: t.settings.Effective(ws.record.Settings),
	}, nil
}

// workspace finds a parent. The caller holds mu, here and in project.
func (t *Tree) workspace(call caller.Request, w string) (*workspace, error) {
	if err := t.open(Path{Workspace: w}); err != nil {
		return nil, err
	}
	ws := t.workspaces[w]
	if ws == nil {
		if err := t.lost(workspacePlace(w)); err != nil {
			return nil, err
		}
		return nil, fault.New(fault.NotFound, "workspace %q does not exist; create it with: vault write -force %sworkspaces/%s", w, call.Mount, w)
	}
	if ws.record.Locked {
		return nil, errLocked(call, w)
	}
	return ws, nil
}

func errLocked(call caller.Request, w string) error {
	return fault.New(fault.Locked, "workspace %q is locked; unlock it first with: vault write -force %sworkspaces/%s/unlock", w, call.Mount, w)
}

func (t *Tree) project(call caller.Request, path Path) (*workspace, *project, error) {
	ws, err := t.workspace(call, path.Workspace)
	if err != nil {
		return nil, nil, err
	}
	path.Environment = ""
	if err := t.open(path); err != nil {
		return nil, nil, err
	}
	pr := ws.projects[path.Project]
	if pr == nil {
		if err := t.lost(projectPlace(ws, path.Project)); err != nil {
			return nil, nil, err
		}
		return nil, nil, fault.New(fault.NotFound, "project %q of %s does not exist; create it with: vault write -force %sprojects/%s", path.Project, path.Workspace, call.Mount, path)
	}
	return ws, pr, nil
}

// Exists reports whether a workspace, project or environment exists; empty names are not looked at.
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
