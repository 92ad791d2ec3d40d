package crashtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// model is what the engine should be to its callers, in plain Go: no keys, no cache, no log.
type model struct {
	MaxVersions int // of config
	Master      int
	Workspaces  map[string]*modelWorkspace
}

type modelWorkspace struct {
	MaxVersions     int // 0: config's
	DeletionAllowed bool
	Locked          bool
	Key             int // the latest version, of which none below Minimum opens anything, and none below Oldest is left
	Minimum, Oldest int
	Projects        map[string]map[string]*modelEnvironment
}

type modelEnvironment struct {
	Locked  bool
	Secrets map[string]*modelSecret
	Tombs   map[string]int // of removed secrets: the number their versions had reached
}

type modelSecret struct {
	MaxVersions int // 0: the workspace's
	Versions    []modelVersion
}

type modelVersion struct {
	Number         int
	Value, Request string
	Deleted        bool
	Destroyed      bool
}

func (s *modelSecret) newest() *modelVersion { return &s.Versions[len(s.Versions)-1] }

func newModel() *model {
	return &model{MaxVersions: 10, Master: 1, Workspaces: make(map[string]*modelWorkspace)}
}

// clone goes through JSON: slow, and right for whatever the model has.
func (m *model) clone() *model {
	text, err := json.Marshal(m)
	next := new(model)
	if err == nil {
		err = json.Unmarshal(text, next)
	}
	if err != nil {
		panic(err)
	}
	return next
}

// want is the answer that is expected: 0 for success, else the status of the refusal, and fields of the data.
type want struct {
	status int
	data   data
}

func refuse(status int) want { return want{status: status} }

func (m *model) environment(w, p, e string) *modelEnvironment {
	if ws := m.Workspaces[w]; ws != nil {
		return ws.Projects[p][e]
	}
	return nil
}

func (m *model) keep(w string, s *modelSecret) int {
	if s.MaxVersions != 0 {
		return s.MaxVersions
	}
	if own := m.Workspaces[w].MaxVersions; own != 0 {
		return own
	}
	return m.MaxVersions
}

// add gives a secret a new version.
func (m *model) add(w string, env *modelEnvironment, name, value, request string) modelVersion {
	s := env.Secrets[name]
	if s == nil {
		s = &modelSecret{}
		env.Secrets[name] = s
	}
	v := modelVersion{Number: env.Tombs[name] + 1, Value: value, Request: request}
	if len(s.Versions) > 0 {
		v.Number = s.newest().Number + 1
	}
	s.Versions = append(s.Versions, v)
	s.prune(m.keep(w, s))
	return v
}

func (s *modelSecret) prune(keep int) {
	if extra := len(s.Versions) - keep; extra > 0 {
		s.Versions = s.Versions[extra:]
	}
}

func (m *model) write(w, p, e, name, value, request string, cas int) want {
	env := m.environment(w, p, e)
	if env == nil {
		return refuse(400)
	}
	if env.Locked {
		return refuse(409)
	}
	newest := 0
	if s := env.Secrets[name]; s != nil {
		if newest = s.newest().Number; s.newest().Request == request {
			return want{data: data{"version": newest}}
		}
	}
	if cas >= 0 && cas != newest {
		return refuse(409)
	}
	return want{data: data{"version": m.add(w, env, name, value, request).Number, "name": name}}
}

func (m *model) delete(w, p, e, name string) want {
	env := m.environment(w, p, e)
	switch {
	case env == nil:
		return refuse(400)
	case env.Locked:
		return refuse(409)
	case env.Secrets[name] == nil:
		return refuse(404)
	}
	newest := env.Secrets[name].newest()
	newest.Deleted = newest.Deleted || !newest.Destroyed
	return want{data: data{"version": newest.Number}}
}

func (m *model) read(w, p, e, name string, version int) want {
	env := m.environment(w, p, e)
	if env == nil {
		return refuse(400)
	}
	s := env.Secrets[name]
	if s == nil {
		return refuse(404)
	}
	v := *s.newest()
	if version != 0 {
		at := slices.IndexFunc(s.Versions, func(v modelVersion) bool { return v.Number == version })
		if at < 0 {
			return refuse(404)
		}
		v = s.Versions[at]
	}
	if !v.live() {
		return want{status: 404, data: data{"version": v.Number, "destroyed": v.Destroyed}}
	}
	return want{data: data{"version": v.Number, "value": v.Value}}
}

// imports does what an import does, to a copy where it is a dry run.
func (m *model) imports(w, p, e string, values map[string]string, replace, dry bool, request string) want {
	target := m
	if dry {
		target = m.clone()
	}
	env := target.environment(w, p, e)
	if env == nil {
		return refuse(400)
	}
	if env.Locked {
		return refuse(409)
	}
	done := map[string][]string{"created": {}, "updated": {}, "unchanged": {}, "deleted": {}}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		s, kind := env.Secrets[name], "updated"
		switch {
		case s == nil:
			kind = "created"
		case s.newest().live() && s.newest().Value == values[name]:
			done["unchanged"] = append(done["unchanged"], name)
			continue
		}
		done[kind] = append(done[kind], name)
		target.add(w, env, name, values[name], request)
	}
	for _, name := range slices.Sorted(maps.Keys(env.Secrets)) {
		if _, named := values[name]; !replace || named || !env.Secrets[name].newest().live() {
			continue
		}
		env.Secrets[name].newest().Deleted = true
		done["deleted"] = append(done["deleted"], name)
	}
	answer := data{"dry_run": dry}
	for kind, names := range done {
		answer[kind] = names
	}
	return want{data: answer}
}

func (m *model) load(w, p, e string) want {
	env := m.environment(w, p, e)
	if env == nil {
		return refuse(400)
	}
	all := make(data)
	for name, s := range env.Secrets {
		if v := s.newest(); v.live() {
			all[name] = v.Value
		}
	}
	return want{data: all}
}

func (m *model) putWorkspace(w string, maxVersions int, deletionAllowed bool) want {
	ws := m.Workspaces[w]
	if ws == nil {
		ws = &modelWorkspace{Key: 1, Minimum: 1, Oldest: 1, Projects: make(map[string]map[string]*modelEnvironment)}
		m.Workspaces[w] = ws
	}
	ws.MaxVersions, ws.DeletionAllowed = maxVersions, deletionAllowed
	return want{data: data{"name": w, "max_versions": maxVersions}}
}

func (m *model) deleteWorkspace(w, confirm string) want {
	ws := m.Workspaces[w]
	switch {
	case ws == nil:
		return refuse(404)
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
		return refuse(404)
	}
	for _, env := range environments {
		if env.Locked {
			return refuse(409)
		}
	}
	if len(environments) > 0 && confirm != p {
		return refuse(409)
	}
	delete(ws.Projects, p)
	return want{data: data{"name": p, "environments": len(environments)}}
}

func (m *model) putEnvironment(w, p, e string, locked bool) want {
	if m.Workspaces[w] == nil || m.Workspaces[w].Projects[p] == nil {
		return refuse(400)
	}
	environments := m.Workspaces[w].Projects[p]
	if environments[e] == nil {
		environments[e] = &modelEnvironment{Secrets: make(map[string]*modelSecret), Tombs: make(map[string]int)}
	}
	environments[e].Locked = locked
	return want{data: data{"name": e, "locked": locked, "secrets": len(environments[e].Secrets)}}
}

func (m *model) deleteEnvironment(w, p, e, confirm string) want {
	if m.Workspaces[w] == nil || m.Workspaces[w].Projects[p] == nil {
		return refuse(400)
	}
	env := m.environment(w, p, e)
	switch {
	case env == nil:
		return refuse(404)
	case env.Locked, len(env.Secrets) > 0 && confirm != e:
		return refuse(409)
	}
	delete(m.Workspaces[w].Projects[p], e)
	return want{data: data{"name": e, "secrets": len(env.Secrets)}}
}

func (m *model) rotate(w string) want {
	ws := m.Workspaces[w]
	if ws == nil {
		return refuse(400)
	}
	ws.Key++
	return want{data: data{"latest_version": ws.Key}}
}

func (m *model) rewrap(w string) want {
	if m.Workspaces[w] == nil {
		return refuse(400)
	}
	return want{data: data{"latest_version": m.Workspaces[w].Key}}
}

// differs tells how an answer differs from what is expected of it; all has the data hold nothing else.
func (w want) differs(got data, status int, all bool) string {
	if status != w.status {
		return fmt.Sprintf("status %d, want %d", status, w.status)
	}
	text, _ := json.Marshal(w.data)
	var fields data
	_ = json.Unmarshal(text, &fields)
	for name, value := range fields {
		if fmt.Sprint(got[name]) != fmt.Sprint(value) {
			return fmt.Sprintf("%s is %v, want %v", name, got[name], value)
		}
	}
	if all && len(got) != len(fields) {
		return fmt.Sprintf("%d fields, want %d", len(got), len(fields))
	}
	return ""
}
