package crashtest

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// step is one request and its effect on the model.
type step struct {
	request request
	apply   func(m *model) want
	all     bool // the response has no fields but the expected ones

	always    bool            // it is allowed in a locked workspace
	rewrapped string          // the workspace whose rewrap must be done before
	onSuccess func(data data) // receives the data of a successful response
}

// replayed reports whether the request of the step may be sent again. After a deletion, the object
// is gone. A revert may have dropped the version that it needs.
func (s step) replayed() bool {
	return (s.request.Op == write || s.request.Op == patch) && !strings.HasPrefix(s.request.Path, "revert/")
}

// steps generates random requests. It uses few names, so that requests affect each other.
type steps struct {
	*rand.Rand
	made   int
	newest int         // newest version of the secret of the step, or 0
	texts  []modelText // what the engine encrypted or digested for callers
}

func (s *steps) one(of ...string) string { return of[s.IntN(len(of))] }

func (s *steps) workspace() string   { return s.one("acme", "acme", "other") }
func (s *steps) project() string     { return s.one("api", "api", "web") }
func (s *steps) environment() string { return s.one("dev", "dev", "prod", "qa") }
func (s *steps) name() string        { return s.one("A", "B", "C", "D", "E", "F") }

// value returns a random value. Most are short or empty. A few are so long that one or two of them
// fill the room for older values in a head. A few others make an import take several chunks.
func (s *steps) value() string {
	text := strconv.Itoa(s.IntN(5))
	if s.IntN(8) == 0 {
		return strings.Repeat(text, (3+s.IntN(7))<<10)
	}
	if s.IntN(40) == 0 {
		return strings.Repeat(text, 60<<10)
	}
	if s.IntN(12) == 0 {
		return ""
	}
	return text + s.one("", "", " and more", " \"quoted\" \u00e4\u20ac", "\nline $HOME #'\\")
}

// reference returns a random value with references, some of them invalid.
func (s *steps) reference() string {
	var all strings.Builder
	for range 1 + s.IntN(2) {
		name := s.name()
		all.WriteString(s.one("", "x", `\${A}`, "$", "\\"))
		all.WriteString(s.one("${"+name+"}", "${"+name+"}", "${"+s.environment()+"/"+name+"}", "${"+s.project()+"/"+s.environment()+"/"+name+"}"))
	}
	return all.String() + s.one("", "", "", "", "", "${", "${no name}", "${MISSING}")
}

// place returns a random secret for a step. Mostly, the secret exists and its environment is
// writable.
func (s *steps) place(m *model) (w, p, e, name string) {
	w, p, e, name = s.workspace(), s.project(), s.environment(), s.name()
	for range 6 {
		if env := m.environment(w, p, e); env != nil && !env.Locked && !m.Workspaces[w].Locked {
			break
		}
		w, p, e = s.workspace(), s.project(), s.environment()
	}
	for range 3 {
		if env := m.environment(w, p, e); env == nil || env.Secrets[name] != nil {
			break
		}
		name = s.name()
	}
	s.newest = 0
	if env := m.environment(w, p, e); env != nil && env.Secrets[name] != nil {
		s.newest = env.Secrets[name].newest().Number
	}
	return w, p, e, name
}

// version returns a random version number, mostly of a version that may exist.
func (s *steps) version() int { return max(1, s.newest+1-s.IntN(6)) }

// next returns a random step. From the model, it uses only what limits the number of some requests,
// and the changes to revert to.
func (s *steps) next(m *model) step {
	s.made++
	id := fmt.Sprintf("step-%d", s.made)
	w, p, e, name := s.place(m)
	var made step
	switch n := s.IntN(107); {
	case m.Workspaces[w] != nil && m.Workspaces[w].Locked && n%4 == 0:
		made = s.lockStep(w, false)
	case n < 28:
		made = s.secretStep(id, w, p, e, name)
	case n < 44:
		made = s.versionStep(id, w, p, e, name)
	case n < 55:
		made = s.importStep(id, w, p, e)
	case n < 62:
		made = s.revertStep(m, id, w, p, e)
	case n < 76:
		made = s.readStep(m, w, p, e)
	case n < 95:
		made = s.treeStep(id, w, p, e)
	case n < 102:
		made = s.applicationStep(w)
	default:
		made = s.keyStep(m, w)
	}
	made.request.ID = id
	if unlocked := made.apply; !made.always {
		made.apply = func(m *model) want {
			if ws := m.Workspaces[w]; ws != nil && ws.Locked {
				return refuse(409)
			}
			return unlocked(m)
		}
	}
	return made
}

func (s *steps) secretStep(id, w, p, e, name string) step {
	path := "secrets/" + w + "/" + p + "/" + e + "/" + name
	switch n := s.IntN(10); {
	case n < 5:
		return s.writeStep(id, w, p, e, name)
	case n < 7:
		return step{request: request{Op: destroy, Path: path}, apply: func(m *model) want { return m.delete(w, p, e, name, id) }}
	case n < 8:
		return step{request: request{Op: read, Path: path}, apply: func(m *model) want { return m.read(w, p, e, name, 0) }}
	default:
		version := s.version()
		return step{request: request{Op: read, Path: path, Data: data{"version": strconv.Itoa(version)}}, apply: func(m *model) want { return m.read(w, p, e, name, version) }}
	}
}

func (s *steps) writeStep(id, w, p, e, name string) step {
	v := modelVersion{Value: s.value(), Request: id}
	cas, body := s.cas(data{})
	switch s.IntN(6) {
	case 0, 1:
		v.Value, v.References = s.reference(), true
		body["references"] = true
	case 2:
		v.Value, v.Base64 = base64.StdEncoding.EncodeToString([]byte(v.Value+"\x00\xff")), true
		body["encoding"] = "base64"
	case 3:
		v.Comment = "why"
		body["comment"] = v.Comment
	}
	body["value"] = v.Value
	return step{request: request{Op: write, Path: "secrets/" + w + "/" + p + "/" + e + "/" + name, Data: body}, apply: func(m *model) want { return m.write(w, p, e, name, v, cas) }}
}

func (s *steps) revertStep(m *model, id, w, p, e string) step {
	change, dry := "none", s.IntN(5) == 0
	if env := m.environment(w, p, e); env != nil {
		if all := env.changes(); len(all) > 0 {
			change = all[s.IntN(len(all))].id
		}
	}
	return step{
		request: request{Op: write, Path: "revert/" + w + "/" + p + "/" + e, Data: data{"change": change, "dry_run": dry, "comment": "reverted"}},
		apply:   func(m *model) want { return m.revert(w, p, e, change, dry, id) },
	}
}

func (s *steps) readStep(m *model, w, p, e string) step {
	place := w + "/" + p + "/" + e
	switch s.IntN(6) {
	case 0:
		from, to := s.environment(), s.environment()
		return step{
			request: request{Op: read, Path: "compare/" + w + "/" + p, Data: data{"from": from, "to": to}}, all: true,
			apply: func(m *model) want { return m.compare(w, p, from, to) },
		}
	case 1:
		return step{request: request{Op: read, Path: "changes/" + place}, apply: func(m *model) want { return m.describeChanges(w, p, e) }, all: true}
	default:
		body, at := data{}, 0
		var include []string
		if s.IntN(2) == 0 {
			at = max(1, m.Now+5-s.IntN(60)*(1+s.IntN(40)))
			body["version_at"] = moment(at)
		}
		if s.IntN(3) == 0 {
			include = []string{s.name(), s.name()}
			body["include"] = strings.Join(include, ",")
		}
		return step{request: request{Op: read, Path: "load/" + place, Data: body}, apply: func(m *model) want { return m.load(w, p, e, at, include) }, all: true}
	}
}

func (s *steps) treeStep(id, w, p, e string) step {
	confirm := s.one("yes", "yes", "no") == "yes"
	repeated := func(name string) (string, data) {
		if !confirm {
			return "", nil
		}
		return name, data{"confirm": name}
	}
	switch n := s.IntN(40); {
	case n < 5:
		settings := modelWorkspace{MaxVersions: s.IntN(5), DeleteAfter: s.after(), CASRequired: s.IntN(20) == 0, DeletionAllowed: s.IntN(3) == 0}
		body := data{"max_versions": settings.MaxVersions, "delete_version_after": settings.DeleteAfter, "cas_required": settings.CASRequired, "deletion_allowed": settings.DeletionAllowed}
		return step{request: request{Op: write, Path: "workspaces/" + w, Data: body}, apply: func(m *model) want { return m.putWorkspace(w, id, settings) }}
	case n < 12:
		return step{request: request{Op: write, Path: "projects/" + w + "/" + p}, apply: func(m *model) want { return m.putProject(w, p) }}
	case n < 34:
		return s.environmentStep(w, p, e)
	case n < 35:
		c, body := repeated(w)
		return step{request: request{Op: destroy, Path: "workspaces/" + w, Data: body}, apply: func(m *model) want { return m.deleteWorkspace(w, c) }}
	case n < 36:
		c, body := repeated(p)
		return step{request: request{Op: destroy, Path: "projects/" + w + "/" + p, Data: body}, apply: func(m *model) want { return m.deleteProject(w, p, c) }}
	case n < 39:
		c, body := repeated(e)
		return step{
			request: request{Op: destroy, Path: "environments/" + w + "/" + p + "/" + e, Data: body},
			apply:   func(m *model) want { return m.deleteEnvironment(w, p, e, c) },
		}
	default:
		keep := 1 + s.IntN(6)
		return step{request: request{Op: write, Path: "config", Data: data{"max_versions": keep, "secret_cache_bytes": s.IntN(3) * 2000}}, always: true, apply: func(m *model) want {
			m.MaxVersions = keep
			return want{data: data{"max_versions": keep}}
		}}
	}
}

// environmentStep returns a write of random settings of an environment. Settings that are not given
// stay unchanged.
func (s *steps) environmentStep(w, p, e string) step {
	body := data{}
	var changes []func(*modelEnvironment)
	set := func(chance int, field string, value any, change func(*modelEnvironment)) {
		if s.IntN(chance) == 0 {
			body[field] = value
			changes = append(changes, change)
		}
	}
	locked, production, allowed := s.IntN(6) == 0, e == "prod" && s.IntN(2) == 0, s.IntN(2) == 0
	set(2, "locked", locked, func(env *modelEnvironment) { env.Locked = locked })
	set(3, "production", production, func(env *modelEnvironment) { env.Production = production })
	set(3, "deletion_allowed", allowed, func(env *modelEnvironment) { env.DeletionAllowed = allowed })
	base := s.one("", p+"/"+s.environment(), s.project()+"/"+s.environment())
	set(4, "base", base, func(env *modelEnvironment) { env.Base = base })
	shared := []string{s.one("api/*", "web/*", "api/dev"), s.one("web/dev", "api/qa")}
	set(2, "shared_with", strings.Join(shared, ","), func(env *modelEnvironment) { env.SharedWith = shared })
	return step{
		request: request{Op: write, Path: "environments/" + w + "/" + p + "/" + e, Data: body},
		apply: func(m *model) want {
			return m.putEnvironment(w, p, e, func(env *modelEnvironment) {
				for _, change := range changes {
					change(env)
				}
			})
		},
	}
}
