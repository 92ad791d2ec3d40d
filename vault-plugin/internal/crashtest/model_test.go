package crashtest

import (
	"encoding/json"
	"fmt"
	"slices"
)

// model describes in plain Go how the engine must look to its callers: without keys, cache or log.
// Times are in seconds since the start of the model.
type model struct {
	Now         int
	MaxVersions int // from config
	Master      int
	Workspaces  map[string]*modelWorkspace
}

type modelWorkspace struct {
	Born            string // request id; ciphertexts of earlier workspaces do not open
	MaxVersions     int    // 0: the value of config
	DeleteAfter     int    // seconds of delete_version_after; 0: never
	CASRequired     bool
	DeletionAllowed bool
	Locked          bool
	Key             int // the latest version
	Minimum         int // versions below it open nothing
	Oldest          int // versions below it were removed
	Rotated, Period int // time and maximum age of the latest version; 0: no maximum
	Projects        map[string]map[string]*modelEnvironment
}

type modelEnvironment struct {
	Locked, Production, DeletionAllowed bool

	Base       string // project/environment
	SharedWith []string
	Secrets    map[string]*modelSecret
	Tombs      map[string]modelTomb // of purged secrets
}

type modelTomb struct {
	Last          int // the last version number
	Born, Removed int // versions may have existed between these times
}

type modelSecret struct {
	First       int // the number of its first version
	MaxVersions int // 0: the value of the workspace
	DeleteAfter int // 0: the value of the workspace; below 0: never
	CASRequired bool
	Versions    []modelVersion
}

type modelVersion struct {
	Number         int
	Value, Request string // Value is as in a response
	Comment        string
	Base64         bool
	References     bool
	Created        int
	Deleted        int    // time of the deletion, possibly in the future; 0: none
	DeletedBy      string // request id of the deletion
	Destroyed      bool
	Gone           bool // only in a choice: the version of the moment cannot be delivered anymore
}

func (s *modelSecret) newest() *modelVersion { return &s.Versions[len(s.Versions)-1] }

func newModel() *model {
	return &model{MaxVersions: 10, Master: 1, Workspaces: make(map[string]*modelWorkspace)}
}

// clone copies the model through JSON, which is slow but correct for every field.
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

// want is the expected response: the status of the error, or 0 for success, and fields of the data.
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

// add adds a version to a secret.
func (m *model) add(w string, env *modelEnvironment, name string, v modelVersion) modelVersion {
	s := env.Secrets[name]
	v.Number = env.Tombs[name].Last + 1
	if s == nil {
		s = &modelSecret{First: v.Number}
		env.Secrets[name] = s
	} else {
		v.Number = s.newest().Number + 1
	}
	v.Created, v.Deleted, v.DeletedBy, v.Destroyed = m.Now, 0, "", false
	after := s.DeleteAfter
	if after == 0 {
		after = m.Workspaces[w].DeleteAfter
	}
	if after > 0 {
		v.Deleted = m.Now + after
	}
	s.Versions = append(s.Versions, v)
	s.prune(m.keep(w, s))
	return v
}

// prune drops the oldest versions beyond keep, but only one that is not destroyed.
func (s *modelSecret) prune(keep int) {
	for pushedOut := false; len(s.Versions) > keep; s.Versions = s.Versions[1:] {
		if s.Versions[0].Destroyed {
			continue
		}
		if pushedOut {
			return
		}
		pushedOut = true
	}
}

// casRefused reports whether a write with the given cas fails, and returns the failure. A cas below
// 0 means that none is given.
func (m *model) casRefused(w string, s *modelSecret, cas int) (want, bool) {
	newest, required := 0, m.Workspaces[w].CASRequired
	if s != nil {
		newest, required = s.newest().Number, required || s.CASRequired
	}
	switch {
	case cas < 0:
		return refuse(400), required
	default:
		return refuse(409), cas != newest
	}
}

func (m *model) write(w, p, e, name string, v modelVersion, cas int) want {
	env := m.environment(w, p, e)
	if env == nil {
		return refuse(400)
	}
	if env.Locked {
		return refuse(409)
	}
	if why, refused := m.casRefused(w, env.Secrets[name], cas); refused {
		return why
	}
	if s := env.Secrets[name]; s != nil && !v.Base64 {
		v.References = v.References || s.newest().References // no step writes references=false
	}
	if status := m.unresolvable(w, p, e, name, v); status != 0 {
		return refuse(status)
	}
	return want{data: data{"version": m.add(w, env, name, v).Number, "name": name}}
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
	if !v.live(m.Now) {
		return want{status: 404, data: data{"version": v.Number, "destroyed": v.Destroyed}}
	}
	encoding := map[bool]string{true: "base64", false: "text"}[v.Base64]
	return want{data: data{"version": v.Number, "value": v.Value, "references": v.References, "encoding": encoding, "comment": v.Comment}}
}

// differs describes how a response differs from the expected one. If all is set, the data must have
// no other fields.
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
