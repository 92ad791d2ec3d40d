package acceptance_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestARecreatedNameIsEmpty(t *testing.T) {
	for _, tc := range []struct {
		name   string
		remove func(c caller, w string)
	}{
		{"workspace", func(c caller, w string) {
			c.write("workspaces/"+w, data{"deletion_allowed": true})
			expect(c.t, "receipt", c.must("DELETE", "workspaces/"+w+"?confirm="+w, nil), data{"key_versions": 2, "projects": 1, "environments": 1, "secrets": 2})
		}},
		{"project", func(c caller, w string) { c.must("DELETE", "projects/"+w+"/api?confirm=api", nil) }},
		{"environment", func(c caller, w string) {
			c.must("DELETE", "environments/"+w+"/api/development?confirm=development", nil)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := vault.Server(t)
			b := newStorageTest(t, s)
			env := environment(t, b.caller)
			w, _, _ := strings.Cut(env, "/")
			one, two := b.put(env, "ONE"), b.put(env, "TWO")
			b.write("keys/"+w+"/rotate", nil)
			rewrapped(t, s, b.caller, w, 2)
			old := b.environmentID(env)

			tc.remove(b.caller, w)
			b.refused("GET", "secrets/"+one, nil, http.StatusBadRequest, "not_found")
			b.refused("GET", "load/"+env, nil, http.StatusNotFound, "not_found")
			b.write("workspaces/"+w, nil)
			b.environment(w, "api", "development")
			isEmpty := func(when string) {
				t.Helper()
				if got := b.read("load/" + env); len(got) != 0 {
					t.Errorf("%s: load delivers %d secrets of the predecessor", when, len(got))
				}
				for _, path := range []string{one, two} {
					for _, version := range []string{"", "?version=1", "?version=3"} {
						a := b.refused("GET", "secrets/"+path+version, nil, http.StatusNotFound, "not_found")
						b.values.absent(t, path, a.body)
					}
					b.refused("GET", "metadata/"+path, nil, http.StatusNotFound, "not_found")
				}
				expect(t, when, b.read("environments/"+env), data{"secrets": 0})
			}
			isEmpty("at once")
			s.ReloadPlugin(t)
			isEmpty("after a reload")
			b.swept(old)
			if b.environmentID(env) == old {
				t.Error("it has the id of its predecessor")
			}
			b.put(env, "ONE")
			b.opens("after new writes", one)
		})
	}
}

// swept waits until no entry exists under the id of a deleted environment.
func (b *storageTest) swept(env string) {
	b.t.Helper()
	eventually(b.t, b.server, "the sweep", func() error {
		for _, prefix := range []string{"sec/", "ver/", "log/"} {
			if left := b.server.RawList(b.t, prefix+env+"/"); len(left) > 0 {
				return &notYet{left}
			}
		}
		return nil
	})
}

func TestAShreddedWorkspaceIsSweptAndItsEntriesDoNotOpen(t *testing.T) {
	s := vault.Server(t)
	b := newStorageTest(t, s)
	env := environment(t, b.caller)
	w, _, _ := strings.Cut(env, "/")
	one := b.put(env, "ONE")
	ws, environmentID := b.id("ws/"+w), b.environmentID(env)
	project := b.id("proj/" + ws + "/api")
	keys, head, version := b.entry(b.keys(w)), b.entry(b.head(one)), b.entry(b.version(one, "1"))
	if !b.shred(w) {
		t.Fatal("the workspace was not shredded")
	}
	if left := s.RawRead(t, "keys/"+ws); left != nil {
		t.Error("the keys still exist after the response")
	}
	b.swept(environmentID)
	eventually(t, s, "the sweep of the tree", func() error {
		if left := slices.Concat(s.RawList(t, "proj/"+ws+"/"), s.RawList(t, "env/"+project+"/"), s.RawList(t, "ws/"+w)); len(left) > 0 {
			return &notYet{left}
		}
		return nil
	})

	b.write("workspaces/"+w, nil)
	b.environment(w, "api", "development")
	s.RawWrite(t, b.head(one), head)
	s.RawWrite(t, b.version(one, "1"), version)
	s.RawWrite(t, "keys/"+ws, keys)
	s.RawWrite(t, "sec/"+environmentID+"/ONE", head)
	s.ReloadPlugin(t)
	b.closed("GET", "secrets/"+one, nil)
	b.closed("GET", "secrets/"+one+"?version=1", nil)
	b.closed("GET", "load/"+env, nil)
	// A start does not destroy entries whose record is missing. The operator removes them.
	eventually(t, s, "the report of what is kept", func() error {
		health := texts(b.read("info")["health"])
		for _, key := range []string{"keys/" + ws, "sec/" + environmentID} {
			if !slices.ContainsFunc(health, func(s string) bool { return strings.Contains(s, key) }) {
				return &notYet{health}
			}
		}
		return nil
	})
	if s.RawRead(t, "keys/"+ws) == nil {
		t.Error("the keys are not kept")
	}
	s.RawDelete(t, "keys/"+ws)
	s.RawDelete(t, "sec/"+environmentID+"/ONE")

	s.RawDelete(t, b.head(one))
	s.RawDelete(t, b.version(one, "1"))
	s.ReloadPlugin(t)
	b.put(env, "ONE")
	b.opens("after new writes", one)
}

func TestADeletionMustBeConfirmedByName(t *testing.T) {
	c := root(t, vault.Server(t))
	env := environment(t, c)
	w, _, _ := strings.Cut(env, "/")
	c.write("secrets/"+env+"/ONE", data{"value": "x"})
	c.refused("DELETE", "environments/"+env, nil, http.StatusConflict, "conflict")
	c.refused("DELETE", "environments/"+env+"?confirm=production", nil, http.StatusConflict, "conflict")
	c.refused("DELETE", "projects/"+w+"/api", nil, http.StatusConflict, "conflict")
	// deletion_allowed is not set yet.
	c.refused("DELETE", "workspaces/"+w+"?confirm="+w, nil, http.StatusConflict, "conflict")
	c.write("workspaces/"+w, data{"deletion_allowed": true})
	c.refused("DELETE", "workspaces/"+w, nil, http.StatusBadRequest, "invalid")
	c.write("environments/"+env, data{"production": true})
	c.refused("DELETE", "environments/"+env+"?confirm=development", nil, http.StatusConflict, "conflict")
	c.refused("DELETE", "projects/"+w+"/api?confirm=api", nil, http.StatusConflict, "conflict")
	expect(t, "load", c.read("load/"+env), data{"ONE": "x"})
}
