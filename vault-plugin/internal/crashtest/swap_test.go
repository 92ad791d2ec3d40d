package crashtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// keysOf returns the ids of the environments of the world by path, and the key entries of its
// workspaces by name.
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

// question is a read and its value without a swap. The value is empty if the secret does not exist.
type question struct{ path, version, value string }

// ask returns the value. It reports an error other than 500 unavailable.
func (q question) ask(t *testing.T, m *mount) (value string, refused bool) {
	t.Helper()
	var body data
	if q.version != "" {
		body = data{"version": q.version}
	}
	response, err := m.Do(request{Op: read, Path: q.path, Data: body})
	if err == nil {
		value, _ = response["value"].(string)
		return value, false
	}
	var r *enginetest.Refused
	if !errors.As(err, &r) || r.Status != 500 || r.Word() != "unavailable" {
		t.Errorf("%s %s returned %v, want 500 unavailable", q.path, q.version, err)
	}
	return "", true
}

func newest(place, name string) question {
	return question{"secrets/" + place + "/" + name, "", text(place, name, 4)}
}

func version(place, name string, n int) question {
	return question{"secrets/" + place + "/" + name, fmt.Sprint(n), text(place, name, n)}
}

// TestMovedRedoLogImportsNothing moves the redo log that a crash has left to another environment.
func TestMovedRedoLogImportsNothing(t *testing.T) {
	m := world(t)
	m.Storage.FailFrom(2, false) // only the commit is stored
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
					t.Errorf("%s is %q, want an error", q.path, value)
				}
			}
			if value, _ := newest("acme/api/dev", "A").ask(t, m); value != "A of acme/api/dev, version 4" {
				t.Errorf("in the environment that the log was moved from, A is %q", value)
			}
			end(m)
		})
	}
}
