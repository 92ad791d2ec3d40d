package crashtest

import (
	"maps"
	"slices"
	"strings"
)

// This file models workspaces, projects, environments and keys.

func (m *model) putWorkspace(w, request string, settings modelWorkspace) want {
	ws := m.Workspaces[w]
	if ws == nil {
		ws = &modelWorkspace{Born: request, Key: 1, Minimum: 1, Oldest: 1, Rotated: m.Now, Projects: make(map[string]map[string]*modelEnvironment)}
		m.Workspaces[w] = ws
	}
	ws.MaxVersions, ws.DeleteAfter, ws.CASRequired, ws.DeletionAllowed = settings.MaxVersions, settings.DeleteAfter, settings.CASRequired, settings.DeletionAllowed
	return want{data: data{"name": w, "max_versions": ws.MaxVersions, "delete_version_after": ws.DeleteAfter, "cas_required": ws.CASRequired}}
}

func (m *model) deleteWorkspace(w, confirm string) want {
	ws := m.Workspaces[w]
	switch {
	case ws == nil:
		return want{}
	case !ws.DeletionAllowed:
		return refuse(409)
	case confirm != w:
		return refuse(400)
	}
	delete(m.Workspaces, w)
	return want{data: data{"name": w, "projects": len(ws.Projects), "key_versions": ws.Key - ws.Oldest + 1}}
}

func (m *model) putProject(w, p string) want {
	ws := m.Workspaces[w]
	if ws == nil {
		return refuse(400)
	}
	if ws.Projects[p] == nil {
		ws.Projects[p] = make(map[string]*modelEnvironment)
	}
	return want{data: data{"name": p}}
}

func (m *model) deleteProject(w, p, confirm string) want {
	ws := m.Workspaces[w]
	if ws == nil {
		return refuse(400)
	}
	environments, ok := ws.Projects[p]
	if !ok {
		return want{}
	}
	going := make(map[string]bool)
	for e, env := range environments {
		if !env.deletable() {
			return refuse(409)
		}
		going[p+"/"+e] = true
	}
	if m.depends(w, going) || len(environments) > 0 && confirm != p {
		return refuse(409)
	}
	delete(ws.Projects, p)
	return want{data: data{"name": p, "environments": len(environments)}}
}

func (e *modelEnvironment) deletable() bool {
	return !e.Locked && (!e.Production || e.DeletionAllowed)
}

// putEnvironment creates or changes an environment.
func (m *model) putEnvironment(w, p, e string, change func(*modelEnvironment)) want {
	if m.Workspaces[w] == nil || m.Workspaces[w].Projects[p] == nil {
		return refuse(400)
	}
	environments := m.Workspaces[w].Projects[p]
	next := modelEnvironment{Secrets: make(map[string]*modelSecret), Tombs: make(map[string]modelTomb)}
	if environments[e] != nil {
		next = *environments[e]
	}
	before := next
	change(&next)
	if next.Base != before.Base {
		if status := m.baseRefused(w, p, e, &next); status != 0 {
			return refuse(status)
		}
	}
	environments[e] = &next
	return want{data: next.describe(e)}
}

func (e *modelEnvironment) describe(name string) data {
	return data{
		"name": name, "locked": e.Locked, "production": e.Production, "deletion_allowed": e.DeletionAllowed, "base": e.Base,
		"secrets": len(e.Secrets), "shared_with": append([]string{}, e.SharedWith...),
	}
}

// baseRefused returns the status of the error if an environment must not inherit from its base,
// else 0.
func (m *model) baseRefused(w, p, e string, env *modelEnvironment) int {
	at, fromPath := env.Base, p+"/"+e
	for range 10 {
		if at == "" {
			return 0
		}
		next := m.at(w, at)
		switch {
		case at == p+"/"+e, next == nil:
			return 400
		case !mayUse(next, at, fromPath):
			return 403
		}
		at, fromPath = next.Base, at
	}
	return 400
}

func (m *model) at(w, path string) *modelEnvironment {
	p, e, _ := strings.Cut(path, "/")
	return m.environment(w, p, e)
}

// mayUse reports whether the environment at path allows another environment to refer to it or
// inherit from it.
func mayUse(target *modelEnvironment, path, fromPath string) bool {
	return path == fromPath || slices.Contains(target.SharedWith, fromPath) ||
		slices.Contains(target.SharedWith, fromPath[:strings.Index(fromPath, "/")]+"/*")
}

func (m *model) deleteEnvironment(w, p, e, confirm string) want {
	if m.Workspaces[w] == nil || m.Workspaces[w].Projects[p] == nil {
		return refuse(400)
	}
	env := m.environment(w, p, e)
	switch {
	case env == nil:
		return want{}
	case !env.deletable(), m.depends(w, map[string]bool{p + "/" + e: true}), len(env.Secrets) > 0 && confirm != e:
		return refuse(409)
	}
	delete(m.Workspaces[w].Projects[p], e)
	return want{data: data{"name": e, "secrets": len(env.Secrets)}}
}

// depends reports whether another environment inherits from one of the given environments, or a
// live value refers to one.
func (m *model) depends(w string, going map[string]bool) bool {
	for p, environments := range m.Workspaces[w].Projects {
		for e, env := range environments {
			if going[p+"/"+e] {
				continue
			}
			if going[env.Base] {
				return true
			}
			for _, s := range env.Secrets {
				if v := s.newest(); v.live(m.Now) && v.References && refersTo(v.Value, p, going) {
					return true
				}
			}
		}
	}
	return false
}

func refersTo(value, project string, going map[string]bool) bool {
	pieces, _ := parseReferences(value)
	return slices.ContainsFunc(pieces, func(piece referencePiece) bool {
		return piece.environment != "" && going[piece.path(project)]
	})
}

func (m *model) rotate(w string) want {
	ws := m.Workspaces[w]
	if ws == nil {
		return refuse(400)
	}
	ws.Key++
	ws.Rotated = m.Now
	return want{data: data{"latest_version": ws.Key}}
}

func (m *model) rewrap(w string) want {
	if m.Workspaces[w] == nil {
		return refuse(400)
	}
	return want{data: data{"latest_version": m.Workspaces[w].Key}}
}

func (m *model) autoRotate(w string, period int) want {
	ws := m.Workspaces[w]
	if ws == nil {
		return refuse(400)
	}
	ws.Period = period
	return want{data: data{"auto_rotate_period": period}}
}

// tick rotates the keys that have reached their maximum age.
func (m *model) tick() {
	for _, w := range slices.Sorted(maps.Keys(m.Workspaces)) {
		if ws := m.Workspaces[w]; ws.Period > 0 && !ws.Locked && m.Now >= ws.Rotated+ws.Period {
			m.rotate(w)
		}
	}
}

func (m *model) lock(w string, locked bool) want {
	ws := m.Workspaces[w]
	if ws == nil {
		return refuse(400)
	}
	ws.Locked = locked
	return want{data: data{"locked": locked}}
}

func (m *model) setMinimum(w string, lowest int) want {
	ws := m.Workspaces[w]
	if ws == nil || lowest < ws.Oldest || lowest > ws.Key {
		return refuse(400)
	}
	ws.Minimum = lowest
	return want{data: data{"min_decryption_version": lowest}}
}

func (m *model) trim(w string) want {
	ws := m.Workspaces[w]
	if ws == nil {
		return refuse(400)
	}
	ws.Oldest = ws.Minimum
	return want{data: data{"latest_version": ws.Key, "min_decryption_version": ws.Minimum}}
}
