package workspaces

import (
	"context"
	"maps"
	globs "path"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/recordset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

const (
	// MaxBases bounds how many environments deep inheritance goes.
	MaxBases = 10
	// MaxSharedWith bounds the patterns of shared_with.
	MaxSharedWith = 64
	maxPattern    = 130 // bytes: two names and a slash
)

// mayUse reports whether the owner of an environment lets another of the same workspace reference or inherit it. The engine
// cannot ask Vault for a caller's rights on another path, so it is the owner of the target who says.
func mayUse(target *store.Environment, targetProject string, from *store.Environment, fromProject, fromName string) bool {
	if target.ID == from.ID {
		return true
	}
	if !target.Shares {
		return !target.Production && !from.Production && targetProject == fromProject
	}
	return slices.ContainsFunc(target.SharedWith, func(glob string) bool {
		ok, _ := globs.Match(glob, fromProject+"/"+fromName)
		return ok
	})
}

// Shares finds an environment of the same workspace that another refers to, unless its owner does not share it. One that does not
// exist and one that is not shared are told apart: the names of a workspace's environments are no secret within it.
func (t *Tree) Shares(call caller.Request, from Place, other Path) (Place, error) {
	target, err := t.Find(call, other)
	if err != nil {
		return Place{}, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	source, wanted := t.record(from), t.record(target)
	if source == nil || wanted == nil {
		return Place{}, fault.New(fault.NotFound, "environment %s does not exist any more", from.Path())
	}
	if !mayUse(wanted, other.Project, source, from.Project, from.Environment) {
		return Place{}, fault.New(fault.Denied, "environment %s is not shared with %s/%s; its owner can share it with: vault write %senvironments/%s shared_with=%s/%s",
			target.Path(), from.Project, from.Environment, call.Mount, target.Path(), from.Project, from.Environment)
	}
	return target, nil
}

// record answers the record at a place, if it is still the one. The caller holds mu.
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

// checkSharing refuses a base that does not exist, is not shared or closes a circle, and patterns that cannot be read. A base that
// stays, its owner may have ceased to share: that stops the deliveries, and nobody from changing the rest. The caller holds mu.
func (t *Tree) checkSharing(call caller.Request, path Path, before, record *store.Environment) error {
	if err := checkPatterns(record.SharedWith); err != nil {
		return err
	}
	if before != nil && before.Base == record.Base && before.Production == record.Production {
		return nil
	}
	at, from, fromProject, fromName := record.Base, record, path.Project, path.Environment
	for range MaxBases {
		if at == "" {
			return nil
		}
		project, environment, _ := strings.Cut(at, "/")
		if project == path.Project && environment == path.Environment {
			return fault.New(fault.Invalid, "base: %s inherits from this environment, which would close a circle", record.Base)
		}
		_, pr, err := t.project(call, Path{Workspace: path.Workspace, Project: project})
		if err != nil || pr.environments[environment] == nil {
			return fault.New(fault.Invalid, "base: environment %s does not exist in workspace %s", at, path.Workspace)
		}
		next := pr.environments[environment]
		if !mayUse(next, project, from, fromProject, fromName) {
			return fault.New(fault.Denied, "base: environment %s is not shared with %s/%s; its owner can share it with: vault write %senvironments/%s/%s shared_with=%s/%s",
				at, fromProject, fromName, call.Mount, path.Workspace, at, fromProject, fromName)
		}
		at, from, fromProject, fromName = next.Base, next, project, environment
	}
	return fault.New(fault.Limit, "base: inheritance goes at most %d environments deep", MaxBases)
}

// checkPatterns refuses a shared_with that has too many patterns, or one that cannot be read.
func checkPatterns(patterns []string) error {
	if len(patterns) > MaxSharedWith {
		return fault.New(fault.Limit, "shared_with: has %d patterns; at most %d are kept", len(patterns), MaxSharedWith)
	}
	for _, glob := range patterns {
		_, err := globs.Match(glob, "")
		if err != nil || len(glob) > maxPattern || strings.Count(glob, "/") != 1 {
			return fault.New(fault.Invalid, "shared_with: must be patterns project/environment, such as api/staging or web/*")
		}
	}
	return nil
}

// BasePath brings the name of a base to the form project/environment: one of the same project may be named alone.
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

// dependentsOf names what would break if environments of a workspace went: other environments that inherit from them, and secrets
// elsewhere that refer to theirs.
func (t *Tree) dependentsOf(ctx context.Context, w string, going map[string]bool) ([]string, error) {
	t.mu.RLock()
	var found []string
	ws := t.workspaces[w]
	id := ws.record.ID
	for p, pr := range ws.projects {
		for _, e := range slices.Sorted(maps.Keys(pr.environments)) {
			if base := pr.environments[e].Base; going[base] && !going[p+"/"+e] {
				found = append(found, "environment "+p+"/"+e+" (base)")
			}
		}
	}
	t.mu.RUnlock()
	referring, err := t.contents.Referring(ctx, id, going)
	for _, secret := range referring {
		found = append(found, "secret "+secret)
	}
	for _, users := range t.dependents {
		found = append(found, users(id, going)...)
	}
	slices.Sort(found)
	return found, err
}

// AddDependents has f asked what else of a workspace uses one of the environments named, which stay as long as anything does; nil stands for
// all of them. Whoever begins to use one does so while Change holds back other changes. It must be called before the tree is shared.
func (t *Tree) AddDependents(f func(ws store.ID, environments map[string]bool) []string) {
	t.dependents = append(t.dependents, f)
}

// Watch has f called after a workspace, or an environment's base, sharing or lock, was changed. It is called while locks are held, so f
// only notes it. It must be called before the tree is shared.
func (t *Tree) Watch(f func(ws store.ID)) { t.watchers = append(t.watchers, f) }

func (t *Tree) changed(ws store.ID) {
	for _, f := range t.watchers {
		f(ws)
	}
}

// refuseDependents refuses a deletion that something depends on, and names it.
func (t *Tree) refuseDependents(ctx context.Context, w, what string, going map[string]bool) error {
	found, err := t.dependentsOf(ctx, w, going)
	if err != nil {
		return err
	}
	return refuseUsed(what, found)
}

func refuseUsed(what string, found []string) error {
	if len(found) == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "%s cannot be deleted, for this depends on it: %s", what, recordset.Some(found))
}
