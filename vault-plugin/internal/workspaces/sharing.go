package workspaces

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/globs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/recordset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// MaxBases is the largest number of environments in a chain of inheritance.
const MaxBases = 10

// mayUse reports whether the owner of the target lets another environment of the same workspace
// reference or inherit it. The engine cannot query a caller's rights on another path, so the owner
// of the target decides. What an owner has not shared is shared with no other environment.
func mayUse(target, from *store.Environment, fromProject, fromName string) bool {
	if target.ID == from.ID {
		return true
	}
	return globs.Compile(target.SharedWith).Match(fromProject + "/" + fromName)
}

// Shares returns an environment of the same workspace that from refers to, if its owner shares it.
// The errors for a missing and for an unshared environment differ: within a workspace, the names of
// environments are not secret.
func (t *Tree) Shares(call caller.Request, from Place, other Path) (Place, error) {
	target, err := t.Find(call, other)
	if err != nil {
		return Place{}, err
	}
	t.mu.RLock()
	source, wanted := t.record(from), t.record(target)
	t.mu.RUnlock() // before the patterns of the tenant are matched
	if source == nil || wanted == nil {
		return Place{}, fault.New(fault.NotFound, "environment %s no longer exists", from.Path())
	}
	if !mayUse(wanted, source, from.Project, from.Environment) {
		return Place{}, fault.New(fault.Denied, "environment %s is not shared with %s/%s; its owner can share it with: vault write %senvironments/%s shared_with=%s/%s",
			target.Path(), from.Project, from.Environment, call.Mount, target.Path(), from.Project, from.Environment)
	}
	return target, nil
}

// record returns the record of the environment at p, or nil if the environment was deleted or
// replaced. The caller holds mu.
func (t *Tree) record(p Place) *store.Environment {
	ws := t.workspaces[p.Workspace]
	if ws == nil || ws.projects[p.Project] == nil {
		return nil
	}
	env := ws.projects[p.Project].environments[p.Environment]
	if env == nil || env.ID != p.EnvironmentID {
		return nil
	}
	return env
}

// checkBase rejects a base that does not exist, is not shared or closes a cycle. An unchanged base
// is accepted even if its owner no longer shares it. That stops deliveries, but the environment's
// other fields can still be changed. The caller holds the workspace's change lock.
func (t *Tree) checkBase(call caller.Request, path Path, before, record *store.Environment) error {
	if before != nil && before.Base == record.Base {
		return nil
	}
	at, from, fromProject, fromName := record.Base, record, path.Project, path.Environment
	for range MaxBases {
		if at == "" {
			return nil
		}
		project, environment, _ := strings.Cut(at, "/")
		if project == path.Project && environment == path.Environment {
			return fault.New(fault.Invalid, "base: %s inherits from this environment; inheritance must not form a cycle", record.Base)
		}
		next := t.environment(call, Path{path.Workspace, project, environment})
		if next == nil {
			return fault.New(fault.Invalid, "base: environment %s does not exist in workspace %s", at, path.Workspace)
		}
		if !mayUse(next, from, fromProject, fromName) {
			return fault.New(fault.Denied, "base: environment %s is not shared with %s/%s; its owner can share it with: vault write %senvironments/%s/%s shared_with=%s/%s",
				at, fromProject, fromName, call.Mount, path.Workspace, at, fromProject, fromName)
		}
		at, from, fromProject, fromName = next.Base, next, project, environment
	}
	return fault.New(fault.Limit, "base: inheritance goes at most %d environments deep", MaxBases)
}

// environment returns the record of an environment, or nil if there is none.
func (t *Tree) environment(call caller.Request, path Path) *store.Environment {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, pr, err := t.project(call, path)
	if err != nil {
		return nil
	}
	return pr.environments[path.Environment]
}

// checkPatterns rejects a shared_with with too many patterns or with a malformed pattern.
func checkPatterns(patterns []string) error {
	if err := globs.Check("shared_with", "api/staging or web/*", patterns); err != nil {
		return err
	}
	for _, glob := range patterns {
		if strings.Count(glob, "/") != 1 {
			return fault.New(fault.Invalid, "shared_with: each pattern must have the form project/environment, such as api/staging or web/*")
		}
	}
	return nil
}

// BasePath returns a base in the form project/environment. A base without a project names an
// environment of the given project.
func BasePath(project, base string) (string, error) {
	if base == "" {
		return "", nil
	}
	names := strings.Split(base, "/")
	if len(names) == 1 {
		names = []string{project, base}
	}
	if len(names) != 2 || naming.Check("base", names[0]) != nil || naming.Check("base", names[1]) != nil {
		return "", fault.New(fault.Invalid, "base: must be an environment of the same project, or project/environment")
	}
	return names[0] + "/" + names[1], nil
}

// dependentsOf names what would break if environments of a workspace were deleted: environments
// that inherit from them, secrets elsewhere that refer to their secrets, and whatever the functions
// of AddDependents list.
func (t *Tree) dependentsOf(ctx context.Context, w string, deleted map[string]bool) ([]string, error) {
	t.mu.RLock()
	var found []string
	ws := t.workspaces[w]
	id := ws.record.ID
	for p, pr := range ws.projects {
		for _, e := range slices.Sorted(maps.Keys(pr.environments)) {
			if base := pr.environments[e].Base; deleted[base] && !deleted[p+"/"+e] {
				found = append(found, "environment "+p+"/"+e+" (base)")
			}
		}
	}
	t.mu.RUnlock()
	referring, err := t.contents.Referring(ctx, id, deleted)
	for _, secret := range referring {
		found = append(found, "secret "+secret)
	}
	for _, list := range t.dependents {
		found = append(found, list(id, deleted)...)
	}
	slices.Sort(found)
	return found, err
}

// AddDependents registers f, which lists what depends on the given environments of a workspace; nil
// means all environments. They cannot be deleted while anything does. A caller that makes something
// depend on an environment holds Change meanwhile. AddDependents must be called before the tree is
// shared.
func (t *Tree) AddDependents(f func(ws store.ID, environments map[string]bool) []string) {
	t.dependents = append(t.dependents, f)
}

// Watch registers f to be called after a change of a workspace, or of an environment's base,
// sharing or lock. Locks are held during the call, so f must only record the change. Watch must be
// called before the tree is shared.
func (t *Tree) Watch(f func(ws store.ID)) { t.watchers = append(t.watchers, f) }

func (t *Tree) notify(ws store.ID) {
	for _, f := range t.watchers {
		f(ws)
	}
}

// refuseDependents returns an error that names the dependents of the environments to delete, if
// there are any.
func (t *Tree) refuseDependents(ctx context.Context, w, what string, deleted map[string]bool) error {
	found, err := t.dependentsOf(ctx, w, deleted)
	if err != nil {
		return err
	}
	return dependentsError(what, found)
}

func dependentsError(what string, found []string) error {
	if len(found) == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "%s cannot be deleted because other things depend on it: %s; change or delete them first", what, recordset.Some(found))
}
