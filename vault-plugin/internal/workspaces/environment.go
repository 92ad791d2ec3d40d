package workspaces

import (
	"context"
	"maps"
	"slices"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Environment is an environment as the API returns it.
type Environment struct {
	Name string
	store.Environment
	Secrets int
}

// Environment returns one environment.
func (t *Tree) Environment(call caller.Request, path Path) (Environment, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, pr, err := t.project(call, path)
	if err != nil {
		return Environment{}, err
	}
	env := pr.environments[path.Environment]
	if env == nil {
		if err := t.checkDamaged(environmentKey(pr, path.Environment)); err != nil {
			return Environment{}, err
		}
		return Environment{}, fault.Missing("environment %q of %s does not exist", path.Environment, path.Parent())
	}
	return t.describeEnvironment(path.Environment, env), nil
}

func (t *Tree) describeEnvironment(name string, env *store.Environment) Environment {
	return Environment{Name: name, Environment: *env, Secrets: t.contents.Count(env.ID)}
}

// ProjectEnvironments lists a project's environments, sorted by name.
func (t *Tree) ProjectEnvironments(call caller.Request, path Path) ([]Environment, error) {
	t.mu.RLock()
	_, pr, err := t.project(call, path)
	var records map[string]*store.Environment
	if err == nil {
		records = maps.Clone(pr.environments)
	}
	t.mu.RUnlock() // before each environment is looked at
	var all []Environment
	for _, name := range slices.Sorted(maps.Keys(records)) {
		all = append(all, t.describeEnvironment(name, records[name]))
	}
	return all, err
}

// PutEnvironment creates or changes an environment. If the change locks the environment, no earlier
// write is still running when PutEnvironment returns.
func (t *Tree) PutEnvironment(ctx context.Context, call caller.Request, path Path, change func(*store.Environment)) (Environment, error) {
	w, name := path.Workspace, path.Environment
	unlock, err := t.change(ctx, w)
	if err != nil {
		return Environment{}, err
	}
	defer unlock()
	t.mu.RLock()
	ws, pr, err := t.project(call, path)
	var env *store.Environment
	var siblings int
	if err == nil {
		env, siblings = pr.environments[name], ws.environmentCount()
	}
	t.mu.RUnlock()
	if err != nil {
		return Environment{}, err
	}
	record := store.Environment{ID: store.NewID(), Stamp: t.newStamp(call)}
	if env != nil {
		if replays(call, env.Stamp) {
			return t.Environment(call, path)
		}
		if call.Creates {
			return Environment{}, caller.Exists("environment " + path.String())
		}
		record = *env
		record.Stamp = t.updatedStamp(call, record.Stamp)
	} else if err := t.checkDamaged(environmentKey(pr, name)); err != nil {
		return Environment{}, err
	} else if limit := t.settings.Config().MaxEnvironments; siblings >= limit {
		return Environment{}, fault.New(fault.Limit, "workspace %s has %d environments, the most that max_environments in %sconfig allows; delete one or raise max_environments", w, siblings, call.Mount)
	}
	change(&record)
	if err := CheckDescription(record.Description); err != nil {
		return Environment{}, err
	}
	if err := checkPatterns(record.SharedWith); err != nil {
		return Environment{}, err
	}
	if err := t.checkBase(call, path, env, &record); err != nil {
		return Environment{}, err
	}
	if env != nil && record.Locked != env.Locked {
		_, thaw := t.contents.Freeze(env.ID)
		defer thaw(false)
	}
	take := func(record *store.Environment) {
		t.mu.Lock()
		pr.environments[name] = record
		t.ids.environments[record.ID] = true
		t.mu.Unlock()
		t.notify(ws.record.ID)
	}
	err = commit(ctx, t, write[store.Environment]{
		workspace: w, creates: env == nil, id: record.ID,
		mark: store.Undone{Kind: store.KindEnvironment, Parent: pr.record.ID, Name: name},
		put:  func(ctx context.Context) error { return t.store.PutEnvironment(ctx, pr.record.ID, name, &record) },
		get: func(ctx context.Context) (*store.Environment, error) {
			return t.store.Environment(ctx, pr.record.ID, name)
		},
		take: take,
	}, &record)
	if err != nil {
		return Environment{}, err
	}
	return t.Environment(call, path)
}

// DeleteEnvironment removes an environment with its secrets. If there are any secrets, confirm must
// be the environment's name. A locked environment cannot be deleted, nor a production environment
// that does not allow deletion.
func (t *Tree) DeleteEnvironment(ctx context.Context, call caller.Request, path Path, confirm string) (Receipt, error) {
	w, p, name := path.Workspace, path.Project, path.Environment
	unlock, err := t.change(ctx, w)
	if err != nil {
		return Receipt{}, err
	}
	defer unlock()
	env, err := t.Environment(call, path)
	if err != nil {
		return Receipt{}, err
	}
	if err := mayDelete(call, path, &env.Environment); err != nil {
		return Receipt{}, err
	}
	if err := t.refuseDependents(ctx, w, "environment "+path.String(), map[string]bool{p + "/" + name: true}); err != nil {
		return Receipt{}, err
	}
	secrets, thaw := t.contents.Freeze(env.ID)
	if secrets > 0 && confirm != name {
		thaw(false)
		return Receipt{}, fault.New(fault.Conflict, "environment %s holds %d secrets; to delete them all, repeat its name: confirm=%s", path, secrets, name)
	}
	t.mu.RLock()
	pr := t.workspaces[w].projects[p]
	t.mu.RUnlock()
	err = t.remove(ctx, deletion{
		id: env.ID, mark: store.Undone{Kind: store.KindEnvironment, Parent: pr.record.ID, Name: name},
		workspace: w, project: p, environment: name, environments: []store.ID{env.ID},
		erase: func(ctx context.Context) error { return t.store.DeleteEnvironment(ctx, pr.record.ID, name) },
		stored: func(ctx context.Context) (bool, error) {
			record, err := t.store.Environment(ctx, pr.record.ID, name)
			return record != nil, err
		},
		forget: func() {
			delete(pr.environments, name)
			delete(t.ids.environments, env.ID)
		},
	}, thaw)
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{Counts: Counts{Secrets: secrets}}, nil
}

func mayDelete(call caller.Request, path Path, env *store.Environment) error {
	if env.Locked {
		return fault.New(fault.Locked, "environment %s is locked, so it cannot be deleted; whoever may change environments/%s can unlock it with locked=false", path, path)
	}
	if env.Production && !env.DeletionAllowed {
		return fault.New(fault.Conflict, "environment %s is a production environment; allow its deletion first with: vault write %senvironments/%s deletion_allowed=true", path, call.Mount, path)
	}
	return nil
}
