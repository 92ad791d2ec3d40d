package crashtest

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// copied is the record of a project or an environment that is copied in storage: the paths of both
// requests, and their keys. TestDeletingAMisplacedSyncKeepsTheOthersLedger and its neighbour do the
// same with syncs and integrations, whose sealed parts show which record is genuine.
type copied struct {
	kind, path, key      string
	copyPath, copyKey    string
	deletion             data
	beneath              []string // reads that need the record
	unaffected, affected string   // load of an environment that must, or must not, work
}

func copies(t *testing.T, s *enginetest.Storage) []copied {
	t.Helper()
	found := idsOf(t, s)
	records, err := store.New(s.Clone())
	if err != nil {
		t.Fatal(err)
	}
	web, err := records.Project(t.Context(), found.acme, "web")
	if err != nil {
		t.Fatal(err)
	}
	acme, api := string(found.acme), string(found.api)
	_, keys := keysOf(t, s)
	other := strings.TrimPrefix(keys["other"], "keys/")
	load := []string{"load/acme/api/dev"}
	return []copied{
		{"project, beside", "projects/acme/api", "proj/" + acme + "/api", "projects/acme/copy", "proj/" + acme + "/copy", data{"confirm": "copy"}, load, "acme/web/dev", "acme/api/prod"},
		{"project, in another workspace", "projects/acme/api", "proj/" + acme + "/api", "projects/other/copy", "proj/" + other + "/copy", data{"confirm": "copy"}, load, "other/api/dev", "acme/api/dev"},
		{"environment, beside", "environments/acme/api/dev", "env/" + api + "/dev", "environments/acme/api/copy", "env/" + api + "/copy", data{"confirm": "copy"}, load, "acme/api/prod", "acme/api/dev"},
		{"environment, in another project", "environments/acme/api/dev", "env/" + api + "/dev", "environments/acme/web/copy", "env/" + string(web.ID) + "/copy", data{"confirm": "copy"}, load, "acme/web/dev", "acme/api/dev"},
	}
}

// TestDeletedCopyTakesNothingWithIt copies the record of an object in storage. A delete of the copy
// must not remove what is stored beneath the id, because it belongs to the object that was copied.
// Neither record is used until the copy is removed. Then everything is as before.
func TestDeletedCopyTakesNothingWithIt(t *testing.T) {
	m := world(t)
	synced(m)
	m.Settle()
	clean, clock := m.Storage.Clone(), m.Clock
	end(m)
	m = start(t, clean.Clone(), clock)
	m.Settle()
	right := observe(t, m)
	end(m)
	for _, c := range copies(t, clean) {
		t.Run(c.kind, func(t *testing.T) {
			s := clean.Clone()
			if s.Raw(c.key) == nil || s.Raw(c.copyKey) != nil {
				t.Fatalf("%s does not exist or %s exists, so the test would prove nothing", c.key, c.copyKey)
			}
			s.SetRaw(c.copyKey, s.Raw(c.key))
			m := start(t, s, clock)
			c.refused(t, m)
			tick(t, m)
			m.Settle()
			left := m.Storage.Clone()
			end(m)
			for _, key := range clean.Diff(left) {
				if key != c.copyKey && !strings.HasPrefix(key, "syncstate/") { // a start visits the syncs
					t.Errorf("the requests changed %s", key)
				}
			}
			left.SetRaw(c.copyKey, nil)
			m = start(t, left, clock)
			m.Settle()
			if got := observe(t, m); !maps.Equal(got, right) {
				t.Errorf("after the copy was removed:\n%s", differences(got, right))
			}
			end(m)
		})
	}
}

// refused checks that both records are refused, and that a refusal says what to do.
func (c copied) refused(t *testing.T, m *mount) {
	t.Helper()
	requests := []request{
		{Op: read, Path: c.path}, {Op: write, Path: c.path, Data: data{"description": "new"}}, {Op: destroy, Path: c.path, Data: c.deletion},
		{Op: read, Path: c.copyPath}, {Op: write, Path: c.copyPath, Data: data{"description": "new"}}, {Op: destroy, Path: c.copyPath, Data: c.deletion},
	}
	for _, path := range c.beneath {
		requests = append(requests, request{Op: read, Path: path})
	}
	for i, req := range requests {
		got := m.Refuse(req.Op, req.Path, req.Data)
		key := c.key
		if i >= 3 && i < 6 {
			key = c.copyKey
		}
		if got.Status != 500 || !strings.Contains(got.Text, key) || !strings.Contains(got.Text, "remove it if it was copied") {
			t.Errorf("%s %s is refused with %v", req.Op, req.Path, got)
		}
	}
	if got := m.Read("load/" + c.unaffected)["ONCE"]; got != "once" {
		t.Errorf("in %s, which is not affected, ONCE is %v", c.unaffected, got)
	}
	_ = m.Refuse(read, "load/"+c.affected, nil)
	health := fmt.Sprint(m.Read("info")["health"])
	if !strings.Contains(health, c.key) || !strings.Contains(health, c.copyKey) {
		t.Errorf("health does not name both records: %s", health)
	}
}
