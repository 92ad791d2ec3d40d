package workspaces

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Counts holds the numbers of objects in the tree, or in a part of it.
type Counts struct{ Workspaces, Projects, Environments, Secrets int }

// Counts returns the numbers from memory.
func (t *Tree) Counts() Counts {
	var all census
	t.mu.RLock()
	for _, ws := range t.workspaces {
		all.addWorkspace(ws)
	}
	all.Workspaces = len(t.workspaces)
	t.mu.RUnlock()
	return t.count(all)
}

// census is a survey of the tree without the secrets. It is taken while mu is held. Their numbers
// are added without mu, which the requests of all tenants need.
type census struct {
	Counts
	environments []store.ID
}

func (c *census) addWorkspace(ws *workspace) {
	c.Projects += len(ws.projects)
	for _, p := range ws.projects {
		c.addProject(p)
	}
}

func (c *census) addProject(p *project) {
	c.Environments += len(p.environments)
	for _, e := range p.environments {
		c.environments = append(c.environments, e.ID)
	}
}

// count adds the secrets of a census.
func (t *Tree) count(c census) Counts {
	for _, id := range c.environments {
		c.Secrets += t.contents.Count(id)
	}
	return c.Counts
}

// Places lists the environments of the workspace with an id, sorted by the environments' ids.
func (t *Tree) Places(ws store.ID) []Place {
	places := t.places(ws)
	slices.SortFunc(places, func(a, b Place) int {
		if a.EnvironmentID < b.EnvironmentID {
			return -1
		}
		return 1
	})
	return places
}

func (t *Tree) places(ws store.ID) (places []Place) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	w, exists := t.ids.workspaces[ws]
	if !exists {
		return nil
	}
	node := t.workspaces[w]
	effective := t.settings.Effective(node.record.Settings)
	for p, pr := range node.projects {
		for e, env := range pr.environments {
			places = append(places, Place{
				Workspace: w, Project: p, Environment: e, WorkspaceID: ws, EnvironmentID: env.ID,
				Production: env.Production, Locked: env.Locked, Base: env.Base, Settings: effective,
			})
		}
	}
	return places
}

// Hidden returns the number of a workspace's projects and environments whose records are damaged.
// What is stored beneath them cannot be found, so the keys that it needs are unknown.
func (t *Tree) Hidden(ws store.ID) (hidden int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	node := t.workspaces[t.ids.workspaces[ws]]
	if node == nil {
		return 0
	}
	folders := map[string]bool{projectKey(node, ""): true}
	for _, p := range node.projects {
		folders[environmentKey(p, "")] = true
	}
	for _, key := range t.damaged {
		if folders[key[:strings.LastIndexByte(key, '/')+1]] {
			hidden++
		}
	}
	return hidden
}

// Environments lists the ids of all environments, in no particular order.
func (t *Tree) Environments() []store.ID {
	t.mu.RLock()
	defer t.mu.RUnlock()
	ids := make([]store.ID, 0, len(t.ids.environments))
	for id := range t.ids.environments {
		ids = append(ids, id)
	}
	return ids
}

// WorkspaceID returns the id of a workspace. The error for a missing workspace contains the command
// that creates it.
func (t *Tree) WorkspaceID(call caller.Request, w string) (store.ID, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	ws, err := t.workspace(call, w)
	if err != nil {
		return "", err
	}
	return ws.record.ID, nil
}

// Condition is the part of a workspace's state that decides whether anything may be done on its
// behalf.
type Condition struct {
	Name       string
	Locked     bool
	LockReason string
	Paused     bool
}

// Refusal returns the text of the refusal that a locked workspace returns.
func (c Condition) Refusal() string { return lockedText(c.Name, c.LockReason) }

// Condition returns the condition of the workspace with an id. It returns false if there is no such
// workspace.
func (t *Tree) Condition(id store.ID) (Condition, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	name, exists := t.ids.workspaces[id]
	if !exists {
		return Condition{}, false
	}
	record := t.workspaces[name].record
	return Condition{name, record.Locked, record.LockReason, record.Paused}, true
}

// HasRecord reports whether the workspace, project or environment with an id has a record.
func (t *Tree) HasRecord(kind store.Kind, id store.ID) (has bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	switch kind {
	case store.KindWorkspace:
		_, has = t.ids.workspaces[id]
	case store.KindProject:
		has = t.ids.projects[id]
	case store.KindEnvironment:
		has = t.ids.environments[id]
	}
	return has
}

// HidesRecord reports whether a record of a kind is damaged.
func (t *Tree) HidesRecord(kind store.Kind) bool {
	return slices.ContainsFunc(t.damaged, func(key string) bool { return strings.HasPrefix(key, kind.RecordPrefix()) })
}

// Health describes the records that could not be read when the mount was loaded.
func (t *Tree) Health() []string {
	problems := make([]string, len(t.damaged))
	for i, key := range t.damaged {
		problems[i] = fmt.Sprintf(damagedRecord, key)
	}
	return problems
}
