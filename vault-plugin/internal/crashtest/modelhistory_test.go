package crashtest

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// This file models moments, changes and writes of many secrets.

// live reports whether a version is delivered at a moment.
func (v modelVersion) live(now int) bool {
	return !v.Destroyed && (v.Deleted == 0 || v.Deleted > now)
}

// moment returns a time of the model as a time of the clock of the mount.
func moment(seconds int) string {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(seconds) * time.Second).Format(time.RFC3339)
}

// versionAt returns the version that a secret had at a moment, and whether it was delivered. gone
// means that the version is no longer known.
func (s *modelSecret) versionAt(at int) (v modelVersion, live, gone bool) {
	i := len(s.Versions) - 1
	for i >= 0 && s.Versions[i].Created > at {
		i--
	}
	if i < 0 {
		return modelVersion{}, false, s.Versions[0].Number > s.First
	}
	v = s.Versions[i]
	if v.Deleted != 0 && v.Deleted <= at {
		return v, false, false
	}
	return v, !v.Destroyed, v.Destroyed
}

// choose returns the versions of an environment that are delivered as of a moment; 0 means now. A
// version of that moment that cannot be delivered anymore is marked as gone.
func (m *model) choose(env *modelEnvironment, at int, include []string) map[string]modelVersion {
	all := make(map[string]modelVersion)
	for name, s := range env.Secrets {
		if !included(name, include) {
			continue
		}
		v, live, gone := *s.newest(), s.newest().live(m.Now), false
		if at != 0 {
			v, live, gone = s.versionAt(at)
			gone = gone || live && !v.live(m.Now)
		}
		if v.Gone = gone; live || gone {
			all[name] = v
		}
	}
	for _, name := range env.removedSince(at) {
		if included(name, include) {
			all[name] = modelVersion{Gone: true}
		}
	}
	return all
}

// removedSince returns the secrets that may have existed at a moment and were purged since.
func (e *modelEnvironment) removedSince(at int) (names []string) {
	for name, tomb := range e.Tombs {
		if at != 0 && at >= tomb.Born && at < tomb.Removed {
			names = append(names, name)
		}
	}
	return names
}

type modelChange struct {
	id, comment string
	time        int
	secrets     []data
}

// changes derives the changelog of an environment, newest change first.
func (e *modelEnvironment) changes() []modelChange {
	byID := make(map[string]*modelChange)
	note := func(id, comment string, at int, name string, version int, action string) {
		c := byID[id]
		if c == nil {
			c = &modelChange{id: id}
			byID[id] = c
		}
		c.time, c.comment = max(c.time, at), cmp.Or(c.comment, comment)
		c.secrets = append(c.secrets, data{"name": name, "version": version, "action": action})
	}
	for _, name := range slices.Sorted(maps.Keys(e.Secrets)) {
		s := e.Secrets[name]
		for _, v := range s.Versions {
			note(v.Request, v.Comment, v.Created, name, v.Number, map[bool]string{true: "created", false: "updated"}[v.Number == s.First])
			if v.DeletedBy != "" {
				note(v.DeletedBy, "", v.Deleted, name, v.Number, "deleted")
			}
		}
	}
	all := make([]modelChange, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		all = append(all, *byID[id])
	}
	slices.SortStableFunc(all, func(a, b modelChange) int { return cmp.Compare(b.time, a.time) })
	return all
}

func (m *model) describeChanges(w, p, e string) want {
	env := m.environment(w, p, e)
	if env == nil {
		return refuse(400)
	}
	all := []data{}
	for _, c := range env.changes() {
		all = append(all, data{"change": c.id, "comment": c.comment, "time": moment(c.time), "secrets": c.secrets, "omitted": 0, "created_by": "tester"})
	}
	return want{data: data{"changes": all}}
}

// revert returns an environment to its state right after a change.
func (m *model) revert(w, p, e, change string, dry bool, request string) want {
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
	all := env.changes()
	i := slices.IndexFunc(all, func(c modelChange) bool { return c.id == change })
	if i < 0 || len(env.removedSince(all[i].time)) > 0 {
		return refuse(400)
	}
	then := make(map[string]modelVersion)
	for name, s := range env.Secrets {
		v, live, gone := s.versionAt(all[i].time)
		if gone {
			return refuse(400)
		}
		if live {
			then[name] = v
		}
	}
	done := newDone()
	for _, name := range slices.Sorted(maps.Keys(then)) {
		v, now := then[name], *env.Secrets[name].newest()
		if now.live(m.Now) && now.Value == v.Value && now.Base64 == v.Base64 && now.References == v.References {
			done["unchanged"] = append(done["unchanged"], name)
			continue
		}
		v.Request, v.Comment = request, "reverted"
		target.add(w, env, name, v)
		done["updated"] = append(done["updated"], name)
	}
	target.deleteOthers(env, func(name string) bool { _, wanted := then[name]; return wanted }, request, done)
	return done.response(dry)
}

// done maps the result of a write of many secrets, such as "created", to the names of the secrets.
type done map[string][]string

func newDone() done { return done{"created": {}, "updated": {}, "unchanged": {}, "deleted": {}} }

func (d done) response(dry bool) want {
	response := data{"dry_run": dry}
	for kind, names := range d {
		response[kind] = names
	}
	return want{data: response}
}

// deleteOthers soft-deletes the live secrets that are not wanted.
func (m *model) deleteOthers(env *modelEnvironment, wanted func(name string) bool, request string, to done) {
	for _, name := range slices.Sorted(maps.Keys(env.Secrets)) {
		if wanted(name) || !env.Secrets[name].newest().live(m.Now) {
			continue
		}
		newest := env.Secrets[name].newest()
		newest.Deleted, newest.DeletedBy = m.Now, request
		to["deleted"] = append(to["deleted"], name)
	}
}

// modelImport is a write of many secrets.
type modelImport struct {
	values       map[string]string
	cas          map[string]int
	replace, dry bool
	document     bool // the values come as a document
	confirmed    bool
	references   *bool
	comment      string
	request      string
}

// refers reports whether the version that an import adds to a secret has references.
func (in modelImport) refers(s *modelSecret) bool {
	if in.references != nil {
		return *in.references
	}
	return s != nil && s.newest().References
}

// imports models an import. A dry run changes only a copy.
func (m *model) imports(w, p, e string, in modelImport) want {
	if len(in.values) == 0 && (in.document || !in.replace) {
		return refuse(400)
	}
	target := m
	if in.dry {
		target = m.clone()
	}
	env := target.environment(w, p, e)
	if env == nil {
		return refuse(400)
	}
	if env.Locked {
		return refuse(409)
	}
	done := newDone()
	for _, name := range slices.Sorted(maps.Keys(in.values)) {
		s, kind := env.Secrets[name], "updated"
		cas, given := in.cas[name]
		if !given {
			cas = -1
		}
		why, refused := m.casRefused(w, s, cas)
		switch {
		case given && refused:
			return why
		case s == nil:
			kind = "created"
		case s.newest().live(m.Now) && s.newest().Value == in.values[name] && !s.newest().Base64 && s.newest().References == in.refers(s):
			done["unchanged"] = append(done["unchanged"], name)
			continue
		}
		if refused {
			return why
		}
		done[kind] = append(done[kind], name)
	}
	r := m.resolving(w, 0)
	r.proposed, r.at = make(map[string]modelVersion), p+"/"+e
	for _, name := range slices.Concat(done["created"], done["updated"]) {
		r.proposed[name] = modelVersion{Value: in.values[name], Comment: in.comment, Request: in.request, References: in.refers(env.Secrets[name])}
	}
	if in.replace {
		live := 0
		for name, s := range env.Secrets {
			if _, named := in.values[name]; s.newest().live(m.Now) {
				live++
				if !named {
					r.gone = append(r.gone, name)
				}
			}
		}
		much := env.Production || len(r.gone) == live || live > 10 && 2*len(r.gone) > live
		if len(r.gone) > 0 && much && !in.confirmed && !in.dry {
			return refuse(409)
		}
	}
	if status := r.unresolvable(); status != 0 {
		return refuse(status)
	}
	for _, name := range slices.Sorted(maps.Keys(r.proposed)) {
		target.add(w, env, name, r.proposed[name])
	}
	if in.replace {
		target.deleteOthers(env, func(name string) bool { _, named := in.values[name]; return named }, in.request, done)
	}
	return done.response(in.dry)
}
