package crashtest

import (
	"strings"
	"testing"
)

// TestALostWorkspaceRecordTakesNoKeysWithIt: a workspace's record was missing, as after restoring a part of a snapshot, or led to
// another id. The start took its key entry for the rest of an interrupted creation and shredded it: everything in the workspace was
// lost for ever, and swept. No creation comes so far that projects stand under its id, so where they do, nothing may be destroyed.
func TestALostWorkspaceRecordTakesNoKeysWithIt(t *testing.T) {
	for name, record := range map[string]func(m *mount) []byte{
		"missing":            func(*mount) []byte { return nil },
		"leading to another": func(m *mount) []byte { return m.Storage.Raw("ws/other") },
	} {
		t.Run(name, func(t *testing.T) {
			m := world(t)
			whole := m.Storage.Raw("ws/acme")
			m.Storage.SetRaw("ws/acme", record(m))
			m = m.Restart()
			m.Settle()
			if healthy := m.Read("info")["healthy"]; healthy != false {
				t.Errorf("info says healthy: %v", healthy)
			}
			m.Read("load/other/api/dev")
			got := m.Refuse(read, "load/acme/api/dev", nil)
			if copied := name == "leading to another"; copied && (got.Status != 500 || !strings.Contains(got.Error(), "ws/acme")) {
				t.Errorf("under the name that the record was copied to: %v", got)
			}
			m.Storage.SetRaw("ws/acme", whole)
			m = m.Restart()
			if got := m.Read("load/acme/api/dev")["A"]; got != "A of acme/api/dev, version 4" {
				t.Errorf("with its record back, the workspace reads %v", got)
			}
			if healthy := m.Read("info")["healthy"]; healthy != true {
				t.Errorf("with the record back, info says healthy: %v", healthy)
			}
		})
	}
}
