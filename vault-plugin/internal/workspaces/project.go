package workspaces

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Project is a project as the API returns it.
type Project struct {
	Name string
	store.Project
	Counts Counts
}

// Project returns one project.
func (t *Tree) Project(call caller.Request, path Path) (Project, error) {
	t.mu.RLock()
	ws, err := t.workspace(call, path.Workspace)
	var found surveyed
	if err == nil {
		if p := ws.projects[path.Project]; p != nil {
			found = survey(path.Project, p)
		} else {
			err = t.noProject(ws, path)
		}
	}
	t.mu.RUnlock()
	if err != nil {
		return Project{}, err
	}
	return t.describeProject(found), nil
}

// noProject returns the error for a project that is missing or whose record is damaged.
func (t *Tree) noProject(ws *workspace, path Path) error {
	if err := t.checkDamaged(projectKey(ws, path.Project)); err != nil {
		return err
	}
	return fault.Missing("project %q of %s does not exist", path.Project, path.Workspace)
}

// surveyed is a project without the numbers of its secrets.
type surveyed struct {
	name   string
	record *store.Project
	census census
}

// survey returns a project. The caller holds mu.
func survey(name string, p *project) surveyed {
	s := surveyed{name: name, record: p.record}
	s.census.addProject(p)
	return s
}

func (t *Tree) describeProject(s surveyed) Project {
	return Project{Name: s.name, Project: *s.record, Counts: t.count(s.census)}
}

// Projects lists a workspace's projects, sorted by name.
func (t *Tree) Projects(call caller.Request, w string) ([]Project, error) {
	t.mu.RLock()
	ws, err := t.workspace(call, w)
	var found []surveyed
	if err == nil {
		for name, p := range ws.projects {
			found = append(found, survey(name, p))
		}
	}
	t.mu.RUnlock()
	slices.SortFunc(found, func(a, b surveyed) int { return strings.Compare(a.name, b.name) })
	var all []Project
	for _, s := range found {
		all = append(all, t.describeProject(s))
	}
	return all, err
}

// PutProject creates or changes a project.
func (t *Tree) PutProject(ctx context.Context, call caller.Request, path Path, change func(*store.Project)) (Project, error) {
	w, name := path.Workspace, path.Project
	unlock, err := t.change(ctx, w)
	if err != nil {
		return Project{}, err
	}
	defer unlock()
	t.mu.RLock()
	ws, err := t.workspace(call, w)
	var p *project
	var siblings int
	if err == nil {
		p, siblings = ws.projects[name], len(ws.projects)
	}
	t.mu.RUnlock()
	if err != nil {
		return Project{}, err
	}
	record := store.Project{ID: store.NewID(), Stamp: t.newStamp(call)}
	if p != nil {
		if replays(call, p.record.Stamp) {
			return t.Project(call, path)
		}
		if call.Creates {
			return Project{}, caller.Exists("project " + path.String())
		}
		record = *p.record
		record.Stamp = t.updatedStamp(call, record.Stamp)
	} else if err := t.checkDamaged(projectKey(ws, name)); err != nil {
		return Project{}, err
	} else if limit := t.settings.Config().MaxProjects; siblings >= limit {
		return Project{}, fault.New(fault.Limit, "workspace %s has %d projects, the most that max_projects in %sconfig allows; delete one or raise max_projects", w, siblings, call.Mount)
	}
	change(&record)
	if err := CheckDescription(record.Description); err != nil {
		return Project{}, err
	}
	take := func(record *store.Project) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if p == nil {
			ws.projects[name] = &project{record: record, environments: make(map[string]*store.Environment)}
			t.ids.projects[record.ID] = true
		} else {
			p.record = record
		}
	}
	err = commit(ctx, t, write[store.Project]{
		workspace: w, creates: p == nil, id: record.ID,
		mark: store.Undone{Kind: store.KindProject, Parent: ws.record.ID, Name: name},
		put:  func(ctx context.Context) error { return t.store.PutProject(ctx, ws.record.ID, name, &record) },
		get:  func(ctx context.Context) (*store.Project, error) { return t.store.Project(ctx, ws.record.ID, name) },
		take: take,
	}, &record)
	if err != nil {
		return Project{}, err
	}
	return t.Project(call, path)
}

// DeleteProject removes a project and all its environments. If there are any environments, confirm
// must be the project's name. A project cannot be deleted while one of its environments is locked,
// or is a production environment that does not allow deletion.
func (t *Tree) DeleteProject(ctx context.Context, call caller.Request, path Path, confirm string) (Receipt, error) {
	w, name := path.Workspace, path.Project
	unlock, err := t.change(ctx, w)
	if err != nil {
		return Receipt{}, err
	}
	defer unlock()
	t.mu.RLock()
	ws, err := t.workspace(call, w)
	var p *project
	var environments map[string]*store.Environment
	if err == nil {
		p = ws.projects[name]
	}
	if p != nil {
		environments = maps.Clone(p.environments)
	}
	t.mu.RUnlock()
	if err != nil {
		return Receipt{}, err
	}
	if p == nil {
		return Receipt{}, t.noProject(ws, path)
	}
	for _, e := range slices.Sorted(maps.Keys(environments)) {
		if err := mayDelete(call, Path{w, name, e}, environments[e]); err != nil {
			return Receipt{}, err
		}
	}
	deleted := make(map[string]bool)
	for e := range environments {
		deleted[name+"/"+e] = true
	}
	if err := t.refuseDependents(ctx, w, "project "+w+"/"+name, deleted); err != nil {
		return Receipt{}, err
	}
	ids := t.environmentIDs(ws, name)
	thaw := t.freeze(ids)
	receipt := Receipt{Counts: t.countsOf(ws, name)}
	if receipt.Environments > 0 && confirm != name {
		thaw(false)
		return Receipt{}, fault.New(fault.Conflict, "project %s/%s holds %d environments with %d secrets; to delete them all, repeat its name: confirm=%s",
			w, name, receipt.Environments, receipt.Secrets, name)
	}
	err = t.remove(ctx, deletion{
		id: p.record.ID, mark: store.Undone{Kind: store.KindProject, Parent: ws.record.ID, Name: name},
		workspace: w, project: name, environments: ids,
		erase: func(ctx context.Context) error { return t.store.DeleteProject(ctx, ws.record.ID, name) },
		stored: func(ctx context.Context) (bool, error) {
			record, err := t.store.Project(ctx, ws.record.ID, name)
			return record != nil, err
		},
		forget: func() {
			t.forgetProject(p)
			delete(ws.projects, name)
		},
	}, thaw)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, nil
}

// environmentIDs lists the environments of a project, or of all projects if the name is empty. The
// order is fixed: whoever freezes several environments does so in this order, which excludes
// deadlocks.
func (t *Tree) environmentIDs(ws *workspace, project string) []store.ID {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var ids []store.ID
	for name, p := range ws.projects {
		if project != "" && name != project {
			continue
		}
		for _, e := range p.environments {
			ids = append(ids, e.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func (t *Tree) countsOf(ws *workspace, project string) Counts {
	var c census
	t.mu.RLock()
	if project == "" {
		c.addWorkspace(ws)
	} else {
		c.addProject(ws.projects[project])
	}
	t.mu.RUnlock()
	return t.count(c)
}

// freeze blocks writes to several environments until thaw is called.
func (t *Tree) freeze(envs []store.ID) (thaw func(gone bool)) {
	thaws := make([]func(bool), len(envs))
	for i, env := range envs {
		_, thaws[i] = t.contents.Freeze(env)
	}
	return func(gone bool) {
		for _, thaw := range thaws {
			thaw(gone)
		}
	}
}
