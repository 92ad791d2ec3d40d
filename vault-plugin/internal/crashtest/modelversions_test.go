package crashtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// This file models versions, metadata, locks and old keys.

// existing returns a secret to change. If the change is not allowed, it returns the expected error.
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

// changeVersions applies change to versions of a secret. Numbers of versions that are not kept are
// ignored.
func (m *model) changeVersions(w, p, e, name string, versions []int, change func(*modelVersion)) want {
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

// orNothing returns the expected result of a delete that failed. To delete what does not exist
// succeeds, with an empty response.
func orNothing(why want) want {
	if why.status == 404 {
		return want{}
	}
	return why
}

func (m *model) delete(w, p, e, name, request string) want {
	_, s, why := m.existing(w, p, e, name)
	if s == nil {
		return orNothing(why)
	}
	m.deleted(s.newest(), request)
	return want{data: data{"version": s.newest().Number}}
}

func (m *model) rollback(w, p, e, name string, version, cas int, request string) want {
	env, s, why := m.existing(w, p, e, name)
	if s == nil {
		return why
	}
	if why, refused := m.casRefused(w, s, cas); refused {
		return why
	}
	at := slices.IndexFunc(s.Versions, func(v modelVersion) bool { return v.Number == version && v.live(m.Now) })
	if at < 0 {
		return refuse(400)
	}
	next := s.Versions[at]
	next.Request, next.Comment = request, ""
	if status := m.unresolvable(w, p, e, name, next); status != 0 {
		return refuse(status)
	}
	return want{data: data{"version": m.add(w, env, name, next).Number}}
}

// modelPatch is the input of a patch. Nil keeps the value of the newest version.
type modelPatch struct {
	value      *string
	references *bool
	cas        int
	request    string
}

func (m *model) patch(w, p, e, name string, in modelPatch) want {
	env, s, why := m.existing(w, p, e, name)
	if s == nil {
		return why
	}
	if why, refused := m.casRefused(w, s, in.cas); refused {
		return why
	}
	next := *s.newest()
	if !next.live(m.Now) {
		return refuse(404)
	}
	if in.value != nil {
		next.Value, next.Base64 = *in.value, false
	}
	if in.references != nil {
		next.References = *in.references
	}
	next.Request, next.Comment = in.request, "patched"
	if status := m.unresolvable(w, p, e, name, next); status != 0 {
		return refuse(status)
	}
	return want{data: data{"version": m.add(w, env, name, next).Number}}
}

// describe changes the settings of a secret.
func (m *model) describe(w, p, e, name string, settings modelSecret) want {
	_, s, why := m.existing(w, p, e, name)
	if s == nil {
		return why
	}
	next := *s
	next.MaxVersions, next.DeleteAfter, next.CASRequired = settings.MaxVersions, settings.DeleteAfter, settings.CASRequired
	if keep := m.keep(w, &next); keep < m.keep(w, s) {
		beyond := s.Versions[:max(0, len(s.Versions)-keep)]
		if slices.ContainsFunc(beyond, func(v modelVersion) bool { return !v.Destroyed }) {
			return refuse(409)
		}
	}
	*s = next
	return want{data: data{"max_versions": s.MaxVersions, "delete_version_after": s.DeleteAfter, "cas_required": s.CASRequired, "version": s.newest().Number, "oldest_version": s.Versions[0].Number}}
}

// purge removes a secret with all its versions. A later secret of the same name continues the
// version numbers.
func (m *model) purge(w, p, e, name string) want {
	env, s, why := m.existing(w, p, e, name)
	if s == nil {
		return orNothing(why)
	}
	tomb := modelTomb{Last: s.newest().Number, Removed: m.Now}
	if s.Versions[0].Number == s.First {
		tomb.Born = s.Versions[0].Created
	}
	if earlier, ok := env.Tombs[name]; ok {
		tomb.Born = min(tomb.Born, earlier.Born)
	}
	env.Tombs[name] = tomb
	delete(env.Secrets, name)
	return want{data: data{"name": name, "version": tomb.Last}}
}

// deleted marks a version as deleted by a request.
func (m *model) deleted(v *modelVersion, request string) {
	if v.live(m.Now) {
		v.Deleted, v.DeletedBy = m.Now, request
	}
}

// undelete restores versions. All of them must be kept and not destroyed.
func (m *model) undelete(w, p, e, name string, versions []int) want {
	_, s, why := m.existing(w, p, e, name)
	if s == nil {
		return why
	}
	for _, n := range versions {
		if !slices.ContainsFunc(s.Versions, func(v modelVersion) bool { return v.Number == n && !v.Destroyed }) {
			return refuse(400)
		}
	}
	return m.changeVersions(w, p, e, name, versions, func(v *modelVersion) {
		if !v.live(m.Now) {
			v.Deleted, v.DeletedBy = 0, ""
		}
	})
}

// versionStep returns a random request on versions or metadata of a secret.
func (s *steps) versionStep(id, w, p, e, name string) step {
	place := "/" + w + "/" + p + "/" + e + "/" + name
	var versions []int
	var numbers []string
	for range 1 + s.IntN(3) {
		versions = append(versions, s.version())
		numbers = append(numbers, strconv.Itoa(versions[len(versions)-1]))
	}
	body := data{"versions": strings.Join(numbers, ",")}
	marked := func(op request, change func(*model, *modelVersion)) step {
		op.Path, op.Data = op.Path+place, body
		return step{request: op, apply: func(m *model) want {
			return m.changeVersions(w, p, e, name, versions, func(v *modelVersion) { change(m, v) })
		}}
	}
	switch s.IntN(8) {
	case 0:
		deletion := marked(request{Op: destroy, Path: "secrets"}, func(m *model, v *modelVersion) { m.deleted(v, id) })
		marks := deletion.apply
		deletion.apply = func(m *model) want { return orNothing(marks(m)) }
		return deletion
	case 1, 2:
		return step{request: request{Op: write, Path: "undelete" + place, Data: body}, apply: func(m *model) want { return m.undelete(w, p, e, name, versions) }}
	case 3:
		return marked(request{Op: write, Path: "destroy"}, func(_ *model, v *modelVersion) { v.Destroyed = true })
	case 4:
		cas, body := s.cas(data{"version": versions[0]})
		return step{request: request{Op: write, Path: "rollback" + place, Data: body}, apply: func(m *model) want { return m.rollback(w, p, e, name, versions[0], cas, id) }}
	case 5:
		return s.patchStep(id, w, p, e, name)
	case 6:
		settings := modelSecret{MaxVersions: s.IntN(5), DeleteAfter: s.after(), CASRequired: s.IntN(12) == 0}
		if s.IntN(8) == 0 {
			settings.DeleteAfter = -1
		}
		body := data{"max_versions": settings.MaxVersions, "delete_version_after": settings.DeleteAfter, "cas_required": settings.CASRequired}
		return step{request: request{Op: write, Path: "metadata" + place, Data: body}, apply: func(m *model) want { return m.describe(w, p, e, name, settings) }}
	default:
		return step{request: request{Op: destroy, Path: "metadata" + place}, apply: func(m *model) want { return m.purge(w, p, e, name) }}
	}
}

// after returns a random delete_version_after, mostly 0.
func (s *steps) after() int {
	if s.IntN(5) > 0 {
		return 0
	}
	return 1 + s.IntN(4000)
}

// cas adds a random cas to a body and returns it. If it adds none, the result is below 0.
func (s *steps) cas(body data) (int, data) {
	if s.IntN(3) > 0 {
		return -1, body
	}
	n := s.newest
	if s.IntN(4) == 0 {
		n = s.IntN(5)
	}
	body["cas"] = n
	return n, body
}

func (s *steps) patchStep(id, w, p, e, name string) step {
	in := modelPatch{request: id}
	cas, body := s.cas(data{"comment": "patched"})
	in.cas = cas
	if s.IntN(2) == 0 {
		value := s.one("patched", "", "${A} patched", "${B}")
		in.value, body["value"] = &value, value
	}
	if s.IntN(3) == 0 {
		references := s.IntN(2) == 0
		in.references, body["references"] = &references, references
	}
	return step{request: request{Op: patch, Path: "secrets/" + w + "/" + p + "/" + e + "/" + name, Data: body}, apply: func(m *model) want { return m.patch(w, p, e, name, in) }}
}

func (s *steps) lockStep(w string, locked bool) step {
	verb := map[bool]string{true: "lock", false: "unlock"}[locked]
	return step{request: request{Op: write, Path: "workspaces/" + w + "/" + verb}, apply: func(m *model) want { return m.lock(w, locked) }, always: true}
}

// retireStep raises the minimum key version or trims keys, after a rewrap has left nothing under
// old versions.
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

// rewrap waits until the rewrap of a workspace is done. If an outage interrupted it, rewrap starts
// it again.
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
	r.t.Errorf("the rewrap of %s does not end: %s", w, fmt.Sprint(r.mount.Read("keys/"+w)))
}
