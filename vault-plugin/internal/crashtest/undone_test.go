package crashtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// ids finds the incarnation ids of the world.
type ids struct{ acme, api, dev, main, sync store.ID }

func idsOf(t *testing.T, s *enginetest.Storage) (found ids) {
	t.Helper()
	records, err := store.New(s.Clone())
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	ws, err := records.Workspace(t.Context(), "acme")
	must(err)
	project, err := records.Project(t.Context(), ws.ID, "api")
	must(err)
	env, err := records.Environment(t.Context(), project.ID, "dev")
	must(err)
	integration, err := records.Integration(t.Context(), ws.ID, "toy", "main")
	must(err)
	sync, err := records.Sync(t.Context(), env.ID, "toy-shelf", "main")
	must(err)
	return ids{ws.ID, project.ID, env.ID, integration.ID, sync.ID}
}

// mark puts a mark into storage, as a process that died has left it.
func mark(t *testing.T, s *enginetest.Storage, id store.ID, m store.Undone) {
	t.Helper()
	records, err := store.New(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := records.PutUndone(t.Context(), id, &m); err != nil {
		t.Fatal(err)
	}
}

// TestAMarkTakesNothingFromWhatExists leaves the mark of a creation or deletion of each kind of
// thing, whose record is there: the mark goes, and nothing else. A mark of a creation takes nothing
// either once the record is lost and more is stored than a creation has stored before it: the
// creation did come through.
func TestAMarkTakesNothingFromWhatExists(t *testing.T) {
	m := world(t)
	synced(m)
	m.Settle()
	clean, clock := m.Storage.Clone(), m.Clock
	end(m)
	found := idsOf(t, clean)
	for _, c := range []struct {
		id     store.ID
		mark   store.Undone
		record string
	}{
		{found.acme, store.Undone{Kind: store.KindWorkspace, Name: "acme"}, "ws/acme"},
		{found.api, store.Undone{Kind: store.KindProject, Parent: found.acme, Name: "api"}, "proj/" + string(found.acme) + "/api"},
		{found.dev, store.Undone{Kind: store.KindEnvironment, Parent: found.api, Name: "dev"}, "env/" + string(found.api) + "/dev"},
		{found.main, store.Undone{Kind: store.KindIntegration, Parent: found.acme, Name: "toy/main"}, ""},
		{found.sync, store.Undone{Kind: store.KindSync, Parent: found.dev, Name: "toy-shelf/main"}, "sync/" + string(found.dev) + "/toy-shelf/main"},
	} {
		for _, deletion := range []bool{false, true} {
			for _, lost := range []bool{false, true} {
				if lost && (deletion || c.record == "") {
					continue // then the mark is about what does not exist
				}
				t.Run(fmt.Sprintf("%s, deletion %t, lost %t", c.mark.Kind, deletion, lost), func(t *testing.T) {
					s := clean.Clone()
					if lost {
						s.SetRaw(c.record, nil)
					}
					before := s.Clone()
					left := c.mark
					left.Deletion = deletion
					mark(t, s, c.id, left)
					m := start(t, s, clock)
					for _, key := range before.Diff(s) {
						if !strings.HasPrefix(key, "syncstate/") {
							t.Errorf("%s has changed", key)
						}
					}
					if healthy := m.Read("info")["healthy"]; healthy == lost {
						t.Errorf("info says healthy: %v", healthy)
					}
					end(m)
				})
			}
		}
	}
}

// TestADeletionIsSweptAsFarAsItIsKnown has a deletion that was cut off before its sweep, with a
// damaged record beneath it: what that leads to cannot be found, so the mark stays, info names the
// record, and the rest is swept once the record is mended. A damaged mark takes nothing, and is
// named.
func TestADeletionIsSweptAsFarAsItIsKnown(t *testing.T) {
	m := world(t)
	clean, clock := m.Storage.Clone(), m.Clock
	end(m)
	records, err := store.New(clean)
	if err != nil {
		t.Fatal(err)
	}
	ws, err := records.Workspace(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	project, err := records.Project(t.Context(), ws.ID, "api")
	if err != nil {
		t.Fatal(err)
	}
	key := "env/" + string(project.ID) + "/dev"
	record := clean.Raw(key)
	clean.SetRaw("proj/"+string(ws.ID)+"/api", nil) // the commit
	mark(t, clean, project.ID, store.Undone{Kind: store.KindProject, Parent: ws.ID, Name: "api", Deletion: true})

	for what, damaged := range map[string]string{"a record": key, "the mark": "undone/" + string(project.ID)} {
		t.Run(what, func(t *testing.T) {
			s := clean.Clone()
			whole := s.Raw(damaged)
			s.SetRaw(damaged, []byte{0xa0})
			m := start(t, s, clock)
			tick(t, m)
			m.Settle()
			health, _ := m.Read("info")["health"].([]any)
			if len(health) != 1 || !strings.Contains(fmt.Sprint(health[0]), damaged) || !strings.Contains(fmt.Sprint(health[0]), "restore it") {
				t.Errorf("info says %v", health)
			}
			if s.Raw("undone/"+string(project.ID)) == nil || s.Raw(key) == nil {
				t.Error("the mark or the record is gone")
			}
			m.Read("load/acme/web/dev")
			end(m)
			s.SetRaw(damaged, whole)
			m = start(t, s, clock)
			if healthy := m.Read("info")["healthy"]; healthy != true {
				t.Errorf("mended, info says healthy: %v", healthy)
			}
			checkClean(t, s)
			end(m)
		})
	}
	if len(record) == 0 {
		t.Fatal("there is no record to damage: the test would show nothing")
	}
}

// TestAMarkThatCouldNotBeRemovedGoesWithinAMinute: the creation is acknowledged, and its mark must
// not outlive the outage.
func TestAMarkThatCouldNotBeRemovedGoesWithinAMinute(t *testing.T) {
	m := world(t)
	m.Storage.FailFrom(3, false) // mark, record, and then storage fails
	m.Write("projects/acme/new", nil)
	m.Settle()
	m.Storage.Reset()
	tick(t, m)
	m.Settle()
	checkClean(t, m.Storage)
	m.Read("projects/acme/new")
}
