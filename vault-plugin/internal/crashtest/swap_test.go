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

func newest(place, name string) question {
	return question{"secrets/" + place + "/" + name, "", text(place, name, 4)}
}

func version(place, name string, n int) question {
	return question{"secrets/" + place + "/" + name, fmt.Sprint(n), text(place, name, n)}
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
