package crashtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What the model knows of versions, metadata, locks and old keys.

func (v modelVersion) live() bool { return !v.Deleted && !v.Destroyed }

// existing finds a secret that is to be changed, or says why not.
func (m *model) existing(w, p, e, name string) (*modelEnvironment, *modelSecret, want) {
	env := m.environment(w, p, e)
	switch {
	case env == nil:
		return nil, nil, refuse(400)
	case env.Locked:
		return nil, nil, refuse(409)
	case env.Secrets[name] == nil:
		return nil, nil, refuse(404)
	}
	return env, env.Secrets[name], want{}
}

// mark does something to versions of a secret; those that are not kept are passed over.
func (m *model) mark(w, p, e, name string, versions []int, change func(*modelVersion)) want {
	_, s, why := m.existing(w, p, e, name)
	if s == nil {
		return why
	}
	for i := range s.Versions {
		if slices.Contains(versions, s.Versions[i].Number) {
			change(&s.Versions[i])
		}
	}
	return want{data: data{"version": s.newest().Number, "oldest_version": s.Versions[0].Number}}
}

func (m *model) rollback(w, p, e, name string, version int, request string) want {
	env, s, why := m.existing(w, p, e, name)
	if s == nil {
		return why
	}
	at := slices.IndexFunc(s.Versions, func(v modelVersion) bool { return v.Number == version && v.live() })
	if at < 0 {
		return refuse(400)
	}
	return want{data: data{"version": m.add(w, env, name, s.Versions[at].Value, request).Number}}
}

// patch writes a new version; without a value, with the newest one's.
func (m *model) patch(w, p, e, name, value, request string) want {
	env, s, why := m.existing(w, p, e, name)
	if s == nil {
		return why
	}
	if !s.newest().live() {
		return refuse(404)
	}
	if value == "" {
		value = s.newest().Value
	}
	return want{data: data{"version": m.add(w, env, name, value, request).Number}}
}

func (m *model) describe(w, p, e, name string, maxVersions int) want {
	_, s, why := m.existing(w, p, e, name)
	if s == nil {
		return why
	}
	s.MaxVersions = maxVersions
	s.prune(m.keep(w, s))
	return want{data: data{"max_versions": maxVersions, "version": s.newest().Number, "oldest_version": s.Versions[0].Number}}
}

// purge removes a secret with all its versions; should it come back, its numbers go on.
func (m *model) purge(w, p, e, name string) want {
	env, s, why := m.existing(w, p, e, name)
	if s == nil {
		return why
	}
	env.Tombs[name] = s.newest().Number
	delete(env.Secrets, name)
	return want{data: data{"name": name, "version": env.Tombs[name]}}
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

// versionStep makes up a request about versions or metadata of a secret.
func (s *steps) versionStep(id, w, p, e, name string) step {
	place := "/" + w + "/" + p + "/" + e + "/" + name
	var versions []int
	var numbers []string
	for range 1 + s.IntN(3) {
		versions = append(versions, 1+s.IntN(12))
		numbers = append(numbers, strconv.Itoa(versions[len(versions)-1]))
	}
	body := data{"versions": strings.Join(numbers, ",")}
	marked := func(op request, change func(*modelVersion)) step {
		op.Path, op.Data = op.Path+place, body
		return step{request: op, apply: func(m *model) want { return m.mark(w, p, e, name, versions, change) }}
	}
	switch s.IntN(8) {
	case 0:
		return marked(request{Op: destroy, Path: "secrets"}, func(v *modelVersion) { v.Deleted = v.Deleted || !v.Destroyed })
	case 1, 2:
		return marked(request{Op: write, Path: "undelete"}, func(v *modelVersion) { v.Deleted = v.Deleted && v.Destroyed })
	case 3:
		return marked(request{Op: write, Path: "destroy"}, func(v *modelVersion) { v.Destroyed = true })
	case 4:
		return step{request: request{Op: write, Path: "rollback" + place, Data: data{"version": versions[0]}}, apply: func(m *model) want { return m.rollback(w, p, e, name, versions[0], id) }}
	case 5:
		value, body := s.one("", "patched"), data{"comment": "patched"}
		if value != "" {
			body["value"] = value
		}
		return step{request: request{Op: patch, Path: "secrets" + place, Data: body}, apply: func(m *model) want { return m.patch(w, p, e, name, value, id) }}
	case 6:
		keep := s.IntN(5)
		return step{request: request{Op: write, Path: "metadata" + place, Data: data{"max_versions": keep}}, apply: func(m *model) want { return m.describe(w, p, e, name, keep) }}
	default:
		return step{request: request{Op: destroy, Path: "metadata" + place}, apply: func(m *model) want { return m.purge(w, p, e, name) }}
	}
}

func (s *steps) lockStep(w string, locked bool) step {
	verb := map[bool]string{true: "lock", false: "unlock"}[locked]
	return step{request: request{Op: write, Path: "workspaces/" + w + "/" + verb}, apply: func(m *model) want { return m.lock(w, locked) }, always: true}
}

// retireStep rules out old key versions or destroys them, after a rewrap has left nothing under them.
func (s *steps) retireStep(m *model, w string) step {
	made := step{request: request{Op: write, Path: "keys/" + w + "/trim"}, apply: func(m *model) want { return m.trim(w) }, rewrapped: w}
	if s.IntN(2) == 0 {
		lowest := 1
		if ws := m.Workspaces[w]; ws != nil {
			lowest = max(1, ws.Oldest-1) + s.IntN(3+ws.Key-ws.Oldest)
		}
		made.request.Path, made.request.Data = "keys/"+w, data{"min_decryption_version": lowest}
		made.apply = func(m *model) want { return m.setMinimum(w, lowest) }
	}
	return made
}

// rewrap has a workspace's rewrap come to its end. One that an outage has interrupted may have to be begun again.
func (r *run) rewrap(w string) {
	if ws := r.model.Workspaces[w]; ws == nil || ws.Locked {
		return
	}
	for range 3 {
		r.mount.Settle()
		if state, _ := r.mount.Read("keys/" + w)["rewrap"].(data); state["state"] == "done" {
			return
		}
		r.mount.Write("keys/"+w+"/rewrap", nil)
	}
	r.t.Errorf("the rewrap of %s does not come to its end: %s", w, fmt.Sprint(r.mount.Read("keys/"+w)))
}
