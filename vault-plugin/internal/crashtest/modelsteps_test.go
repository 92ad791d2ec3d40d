package crashtest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// step is one request, and what it does to the model.
type step struct {
	request request
	apply   func(m *model) want
	all     bool // the answer holds what is expected and nothing else

	always    bool   // it is not refused in a locked workspace
	rewrapped string // the workspace whose rewrap has to be done before
}

// steps makes up requests. Names are few, so that requests meet.
type steps struct {
	*rand.Rand
	made int
}

func (s *steps) one(of ...string) string { return of[s.IntN(len(of))] }

func (s *steps) workspace() string   { return s.one("acme", "other") }
func (s *steps) project() string     { return s.one("api", "api", "web") }
func (s *steps) environment() string { return s.one("dev", "dev", "prod") }
func (s *steps) name() string        { return s.one("A", "B", "C", "D", "E", "F") }

// value is short, or now and then so long that an import takes several chunks.
func (s *steps) value() string {
	text := strconv.Itoa(s.IntN(5))
	if s.IntN(40) == 0 {
		return strings.Repeat(text, 60<<10)
	}
	return text + s.one("", "", " and more", " \"quoted\" \u00e4\u20ac")
}

// next makes up a step. The model tells only what must not be asked too often.
func (s *steps) next(m *model) step {
	s.made++
	id := fmt.Sprintf("step-%d", s.made)
	w, p, e, name := s.workspace(), s.project(), s.environment(), s.name()
	var made step
	switch n := s.IntN(100); {
	case m.Workspaces[w] != nil && m.Workspaces[w].Locked && n%4 == 0:
		made = s.lockStep(w, false)
	case n < 30:
		made = s.secretStep(id, w, p, e, name)
	case n < 45:
		made = s.versionStep(id, w, p, e, name)
	case n < 58:
		made = s.importStep(id, w, p, e)
	case n < 72:
		made = s.readStep(w, p, e)
	case n < 94:
		made = s.treeStep(w, p, e)
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
	case n < 4:
		value, cas := s.value(), -1
		body := data{"value": value}
		if s.IntN(3) == 0 {
			cas = s.IntN(5)
			body["cas"] = cas
		}
		return step{request: request{Op: write, Path: path, Data: body}, apply: func(m *model) want { return m.write(w, p, e, name, value, id, cas) }}
	case n < 6:
		return step{request: request{Op: destroy, Path: path}, apply: func(m *model) want { return m.delete(w, p, e, name) }}
	case n < 8:
		return step{request: request{Op: read, Path: path}, apply: func(m *model) want { return m.read(w, p, e, name, 0) }}
	default:
		version := 1 + s.IntN(12)
		return step{request: request{Op: read, Path: path, Data: data{"version": strconv.Itoa(version)}}, apply: func(m *model) want { return m.read(w, p, e, name, version) }}
	}
}

func (s *steps) importStep(id, w, p, e string) step {
	values, sent := make(map[string]string), make(data)
	for range s.IntN(6) {
		name := s.one("A", "B", "C", "D", "E", "F", "G", "H")
		values[name] = s.value()
		sent[name] = values[name]
	}
	if s.IntN(12) == 0 {
		for i := range 8 {
			name, value := fmt.Sprintf("BIG_%d", i), strings.Repeat(strconv.Itoa(s.IntN(10)), 60<<10)
			values[name], sent[name] = value, value
		}
	}
	replace, dry := s.IntN(3) == 0, s.IntN(6) == 0
	body := data{"secrets": sent, "dry_run": dry, "mode": "merge"}
	if replace {
		body["mode"] = "replace"
	}
	return step{
		request: request{Op: write, Path: "import/" + w + "/" + p + "/" + e, Data: body},
		apply:   func(m *model) want { return m.imports(w, p, e, values, replace, dry, id) },
	}
}

func (s *steps) readStep(w, p, e string) step {
	return step{request: request{Op: read, Path: "load/" + w + "/" + p + "/" + e}, apply: func(m *model) want { return m.load(w, p, e) }, all: true}
}

func (s *steps) treeStep(w, p, e string) step {
	confirm := s.one("yes", "yes", "no") == "yes"
	repeated := func(name string) (string, data) {
		if !confirm {
			return "", nil
		}
		return name, data{"confirm": name}
	}
	switch n := s.IntN(40); {
	case n < 8:
		maxVersions, allowed := s.IntN(5), s.IntN(3) == 0
		return step{
			request: request{Op: write, Path: "workspaces/" + w, Data: data{"max_versions": maxVersions, "deletion_allowed": allowed}},
			apply:   func(m *model) want { return m.putWorkspace(w, maxVersions, allowed) },
		}
	case n < 16:
		return step{request: request{Op: write, Path: "projects/" + w + "/" + p}, apply: func(m *model) want { return m.putProject(w, p) }}
	case n < 32:
		locked := s.IntN(5) == 0
		return step{
			request: request{Op: write, Path: "environments/" + w + "/" + p + "/" + e, Data: data{"locked": locked}},
			apply:   func(m *model) want { return m.putEnvironment(w, p, e, locked) },
		}
	case n < 34:
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

func (s *steps) keyStep(m *model, w string) step {
	if ws := m.Workspaces[w]; ws != nil && ws.Key > 400 {
		return step{request: request{Op: write, Path: "keys/" + w + "/rewrap"}, apply: func(m *model) want { return m.rewrap(w) }}
	}
	switch s.IntN(7) {
	case 0, 1:
		return step{request: request{Op: write, Path: "keys/" + w + "/rotate"}, apply: func(m *model) want { return m.rotate(w) }}
	case 2, 3:
		return s.retireStep(m, w)
	case 4:
		return s.lockStep(w, true)
	case 5:
		return step{request: request{Op: write, Path: "keys/" + w + "/rewrap"}, apply: func(m *model) want { return m.rewrap(w) }}
	default:
		return step{request: request{Op: write, Path: "master-key/rotate"}, always: true, apply: func(m *model) want {
			m.Master++
			return want{data: data{"latest_version": m.Master}}
		}}
	}
}
