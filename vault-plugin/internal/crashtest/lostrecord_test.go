package crashtest

import (
	"strings"
	"testing"
)

// TestLostWorkspaceRecordKeepsKeys covers a defect. The record of a workspace was missing, for
// example after part of a snapshot was restored, or it led to another id. The start took the key
// entry for the rest of an interrupted creation and shredded it. Everything in the workspace was
// lost permanently and swept. A creation stores no projects under its id before it is complete. So
// if there are projects, nothing may be destroyed.
func TestLostWorkspaceRecordKeepsKeys(t *testing.T) {
	for name, record := range map[string]func(m *mount) []byte{
		"missing":                       func(*mount) []byte { return nil },
		"copied from another workspace": func(m *mount) []byte { return m.Storage.Raw("ws/other") },
	} {
		t.Run(name, func(t *testing.T) {
			m := world(t)
			whole := m.Storage.Raw("ws/acme")
			m.Storage.SetRaw("ws/acme", record(m))
			m = m.Restart()
			m.Settle()
			if healthy := m.Read("info")["healthy"]; healthy != false {
				t.Errorf("info has healthy=%v", healthy)
			}
			m.Read("load/other/api/dev")
			got := m.Refuse(read, "load/acme/api/dev", nil)
			if copied := name == "copied from another workspace"; copied && (got.Status != 500 || !strings.Contains(got.Error(), "ws/acme")) {
				t.Errorf("with the copied record, load returned %v", got)
			}
			m.Storage.SetRaw("ws/acme", whole)
			m = m.Restart()
			if got := m.Read("load/acme/api/dev")["A"]; got != "A of acme/api/dev, version 4" {
				t.Errorf("after the record was restored, secret A is %v", got)
			}
			if healthy := m.Read("info")["healthy"]; healthy != true {
				t.Errorf("after the record was restored, info has healthy=%v", healthy)
			}
		})
	}
}
