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

// TestMovedRedoLogImportsNothing moves or copies the redo log that a crash has left to another
// environment. The log must not be applied there: its values are sealed for other names, so it
// would replace values that open by values that do not. The environment is closed until the log is
// moved back. Then the import is complete where it belongs, and nothing has changed elsewhere.
func TestMovedRedoLogImportsNothing(t *testing.T) {
	m := world(t)
	m.Storage.FailFrom(2, false) // only the commit is stored
	m.Write("import/acme/api/dev", data{"secrets": data{"A": "imported", "NEW": "new"}})
	m.Settle()
	clean, clock := m.Storage.Clone(), m.Clock
	end(m)
	environments, _ := keysOf(t, clean)
	from := "log/" + string(environments["acme/api/dev"]) + "/"
	for _, to := range places[1:] {
		for _, copied := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, copied %t", to, copied), func(t *testing.T) {
				target := "log/" + string(environments[to]) + "/"
				s := clean.Clone()
				move(t, s, from, target)
				if copied {
					for _, key := range clean.Keys() {
						if strings.HasPrefix(key, from) {
							s.SetRaw(key, clean.Raw(key))
						}
					}
				}
				m := start(t, s, clock)
				m.Settle()
				checkMovedLog(t, m, to, copied)
				left := m.Storage.Clone()
				end(m)
				for _, key := range clean.Diff(left) {
					if strings.Contains(key, string(environments[to])) && !strings.HasPrefix(key, target) {
						t.Errorf("the moved log has changed %s", key)
					}
				}
				back := from
				if copied {
					back = "" // the import is applied already
				}
				move(t, left, target, back)
				m = start(t, left, clock)
				m.Settle()
				want := map[string]string{"acme/api/dev A": "imported", "acme/api/dev NEW": "new", to + " A": text(to, "A", 4), to + " NEW": ""}
				for name, value := range want {
					place, name, _ := strings.Cut(name, " ")
					if got, _ := m.Read("load/" + place)[name].(string); got != value {
						t.Errorf("after the log was moved back, %s of %s is %q, want %q", name, place, got, value)
					}
				}
				checkClean(t, m.Storage)
				end(m)
			})
		}
	}
}

// move moves the entries under one prefix to another one. With an empty target, it removes them.
func move(t *testing.T, s *enginetest.Storage, from, to string) {
	t.Helper()
	moved := 0
	for _, key := range s.Keys() {
		rest, isUnder := strings.CutPrefix(key, from)
		if !isUnder {
			continue
		}
		entry := s.Raw(key)
		s.SetRaw(key, nil)
		if to != "" {
			s.SetRaw(to+rest, entry)
		}
		moved++
	}
	if moved == 0 {
		t.Fatalf("storage has nothing under %s, so the test would prove nothing", from)
	}
}

// checkMovedLog checks a mount with a redo log that was moved to an environment.
func checkMovedLog(t *testing.T, m *mount, to string, copied bool) {
	t.Helper()
	for _, req := range []request{
		{Op: read, Path: "secrets/" + to + "/A"}, {Op: read, Path: "secrets/" + to + "/NEW"}, {Op: read, Path: "load/" + to},
		{Op: write, Path: "secrets/" + to + "/A", Data: data{"value": "new"}}, {Op: write, Path: "import/" + to, Data: data{"secrets": data{"A": "new"}}},
	} {
		got := m.Refuse(req.Op, req.Path, req.Data)
		if got.Status != 500 || got.Word() != "unavailable" || !strings.Contains(got.Text, "log/") || !strings.Contains(got.Text, "was moved here") {
			t.Errorf("%s %s is refused with %v", req.Op, req.Path, got)
		}
	}
	want := text("acme/api/dev", "A", 4)
	if copied {
		want = "imported"
	}
	if value, _ := newest("acme/api/dev", "A").ask(t, m); value != want {
		t.Errorf("in the environment that the log was moved from, A is %q, want %q", value, want)
	}
}
