package crashtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// ids holds the incarnation ids of objects of the world.
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

// mark stores a mark, as a process that died leaves it.
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

// TestMarkRemovesNothingThatExists stores the mark of a creation or deletion of each kind of object
// while its record exists. The mark must be removed, and nothing else. The mark of a creation must
// also remove nothing if the record is lost but more is stored than an unfinished creation stores.
// Then the creation had completed.
func TestMarkRemovesNothingThatExists(t *testing.T) {
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
					continue // then the object of the mark does not exist
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
							t.Errorf("%s was changed", key)
						}
					}
					if healthy := m.Read("info")["healthy"]; healthy == lost {
						t.Errorf("info has healthy=%v", healthy)
					}
					end(m)
				})
			}
		}
	}
}

// TestDeletionWithDamagedRecordIsSweptInPart interrupts a deletion before its sweep and damages a
// record below it. The objects that the record leads to cannot be found. So the mark stays, info
// names the record, and the rest is swept after the record is restored. A damaged mark removes
// nothing, and info names it.
func TestDeletionWithDamagedRecordIsSweptInPart(t *testing.T) {
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
			if len(health) != 1 || !strings.Contains(fmt.Sprint(health[0]), damaged) || !strings.Contains(fmt.Sprint(health[0]), "from a snapshot of Vault's storage") {
				t.Errorf("info has health=%v", health)
			}
			if s.Raw("undone/"+string(project.ID)) == nil || s.Raw(key) == nil {
				t.Error("the mark or the record was removed")
			}
			m.Read("load/acme/web/dev")
			end(m)
			s.SetRaw(damaged, whole)
			m = start(t, s, clock)
			if healthy := m.Read("info")["healthy"]; healthy != true {
				t.Errorf("after the restore, info has healthy=%v", healthy)
			}
			checkClean(t, s)
			end(m)
		})
	}
	if len(record) == 0 {
		t.Fatal("there is no record to damage, so the test would prove nothing")
	}
}

// TestLeftoverMarkIsRemovedWithinAMinute checks a creation that was acknowledged although its mark
// could not be removed. The mark must be removed after the outage.
func TestLeftoverMarkIsRemovedWithinAMinute(t *testing.T) {
	m := world(t)
	m.Storage.FailFrom(3, false) // storage fails after the mark and the record
	m.Write("projects/acme/new", nil)
	m.Settle()
	m.Storage.Reset()
	tick(t, m)
	m.Settle()
	checkClean(t, m.Storage)
	m.Read("projects/acme/new")
}
