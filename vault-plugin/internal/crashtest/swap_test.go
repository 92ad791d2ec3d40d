package crashtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// keysOf finds the places in storage of the world: by environment, and the workspaces' key entries.
func keysOf(t *testing.T, s *enginetest.Storage) (environments map[string]store.ID, keys map[string]string) {
	t.Helper()
	c := newInspection(t, s)
	environments, keys = make(map[string]store.ID), make(map[string]string)
	for _, place := range places {
		names := strings.Split(place, "/")
		ws, err := c.store.Workspace(t.Context(), names[0])
		if err != nil || ws == nil {
			t.Fatal(err)
		}
		project, err := c.store.Project(t.Context(), ws.ID, names[1])
		if err != nil || project == nil {
			t.Fatal(err)
		}
		env, err := c.store.Environment(t.Context(), project.ID, names[2])
		if err != nil || env == nil {
			t.Fatal(err)
		}
		environments[place], keys[names[0]] = env.ID, "keys/"+string(ws.ID)
	}
	return environments, keys
}

// question is a read, and what it answers while nothing is swapped; empty where there is no value to answer.
type question struct{ path, version, value string }

// ask answers the value, or fails the test if it is refused other than as damaged.
func (q question) ask(t *testing.T, m *mount) (value string, refused bool) {
	t.Helper()
	var body data
	if q.version != "" {
		body = data{"version": q.version}
	}
	answer, err := m.Do(request{Op: read, Path: q.path, Data: body})
	if err == nil {
		value, _ = answer["value"].(string)
		return value, false
	}
	var r *enginetest.Refused
	if !errors.As(err, &r) || r.Status != 500 || r.Word() != "unavailable" {
		t.Errorf("%s %s is answered with %v", q.path, q.version, err)
	}
	return "", true
}

// exchange is two entries whose contents change places, and the reads that must then fail.
type exchange struct {
	name, one, other string
	fail             []question
}

func exchanges(t *testing.T, s *enginetest.Storage) []exchange {
	t.Helper()
	environments, keys := keysOf(t, s)
	head := func(place, name string) string { return "sec/" + string(environments[place]) + "/" + name }
	old := func(place, name string, n int) string {
		return fmt.Sprintf("ver/%s/%s/%d", environments[place], name, n)
	}
	var all []exchange
	for i, place := range places {
		for _, other := range places[i:] {
			for _, name := range []string{"A", "B"} {
				if place == other && name == "A" {
					continue
				}
				all = append(all, exchange{place + "/A and " + other + "/" + name, head(place, "A"), head(other, name), []question{newest(place, "A"), newest(other, name)}})
			}
			for _, name := range []string{"B", "C"} {
				if place == other && name == "B" {
					continue
				}
				all = append(all, exchange{"version 2 of " + place + "/B and " + other + "/" + name, old(place, "B", 2), old(other, name, 2), []question{version(place, "B", 2), version(other, name, 2)}})
			}
		}
		all = append(all, exchange{"versions 2 and 3 of " + place + "/B", old(place, "B", 2), old(place, "B", 3), []question{version(place, "B", 2), version(place, "B", 3)}})
	}
	var everywhere []question
	for _, place := range places {
		everywhere = append(everywhere, newest(place, "A"), version(place, "A", 2))
	}
	return append(all, exchange{"the keys of two workspaces", keys["acme"], keys["other"], everywhere})
}

func newest(place, name string) question {
	return question{"secrets/" + place + "/" + name, "", text(place, name, 4)}
}

func version(place, name string, n int) question {
	return question{"secrets/" + place + "/" + name, fmt.Sprint(n), text(place, name, n)}
}

// TestWhatIsSwappedInStorageOpensNowhere swaps entries between names, numbers, environments, projects and workspaces. Both must be
// errors after a restart, a neighbour must open, and both must open again once they are back.
func TestWhatIsSwappedInStorageOpensNowhere(t *testing.T) {
	m := world(t)
	clean, clock := m.Storage.Clone(), m.Clock
	for _, x := range exchanges(t, clean) {
		t.Run(x.name, func(t *testing.T) {
			s := clean.Clone()
			one, other := s.Raw(x.one), s.Raw(x.other)
			if one == nil || other == nil {
				t.Fatalf("%s or %s does not exist", x.one, x.other)
			}
			s.SetRaw(x.one, other)
			s.SetRaw(x.other, one)
			m := start(t, s, clock)
			for _, q := range x.fail {
				if value, refused := q.ask(t, m); !refused {
					t.Errorf("%s %s reads %q", q.path, q.version, value)
				}
			}
			if !strings.HasPrefix(x.one, "keys/") {
				for _, place := range places {
					if q := newest(place, "C"); !strings.HasPrefix(x.one, "keys/") {
						if value, _ := q.ask(t, m); value != q.value {
							t.Errorf("the neighbour %s reads %q", q.path, value)
						}
					}
				}
			}
			end(m)
			s.SetRaw(x.one, one)
			s.SetRaw(x.other, other)
			m = start(t, s, clock)
			for _, q := range x.fail {
				if value, _ := q.ask(t, m); value != q.value {
					t.Errorf("moved back, %s %s reads %q", q.path, q.version, value)
				}
			}
			end(m)
		})
	}
}

// TestAMovedRedoLogImportsNothing moves the log of an import that a crash has left to another environment.
func TestAMovedRedoLogImportsNothing(t *testing.T) {
	m := world(t)
	m.Storage.FailFrom(2, false) // the commit is stored, and nothing after it
	m.Write("import/acme/api/dev", data{"secrets": data{"A": "imported", "NEW": "new"}})
	m.Settle()
	s := m.Storage.Clone()
	end(m)
	environments, _ := keysOf(t, s)
	for _, to := range places[1:] {
		t.Run(to, func(t *testing.T) {
			s := s.Clone()
			for _, key := range s.Keys() {
				if rest, isLog := strings.CutPrefix(key, "log/"+string(environments["acme/api/dev"])); isLog {
					s.SetRaw("log/"+string(environments[to])+rest, s.Raw(key))
					s.SetRaw(key, nil)
				}
			}
			m := start(t, s, m.Clock)
			for _, q := range []question{newest(to, "A"), {"secrets/" + to + "/NEW", "", ""}} {
				if value, refused := q.ask(t, m); !refused {
					t.Errorf("%s reads %q", q.path, value)
				}
			}
			if value, _ := newest("acme/api/dev", "A").ask(t, m); value != "A of acme/api/dev, version 4" {
				t.Errorf("where the log was, A reads %q", value)
			}
			end(m)
		})
	}
}
