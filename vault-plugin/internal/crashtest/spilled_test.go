package crashtest

import (
	"fmt"
	"testing"
)

// TestSpilledValueOfInterruptedWriteIsRemoved covers an interrupted write that has spilled versions
// to ver/ that the head still holds, including the newest. An operation that removes such a version
// must also remove its entry, because nothing leads to the entry afterwards.
func TestSpilledValueOfInterruptedWriteIsRemoved(t *testing.T) {
	const a = "acme/api/dev/A"
	for name, end := range map[string]request{
		"destroyed": {Op: write, Path: "destroy/" + a, Data: data{"versions": "4,5"}},
		"purged":    {Op: destroy, Path: "metadata/" + a},
		"dropped":   {Op: write, Path: "secrets/" + a, Data: data{"value": "6"}}, // drops version 3
	} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after a restart %t", name, restarted), func(t *testing.T) {
				m := world(t)
				environments, _ := keysOf(t, m.Storage)
				spilledKey := func(n int) string { return fmt.Sprintf("ver/%s/A/%d", environments["acme/api/dev"], n) }
				spillNewest(m)
				for _, n := range []int{4, 5} {
					if m.Storage.Raw(spilledKey(n)) == nil {
						t.Fatalf("the write has not spilled version %d, so the test would prove nothing", n)
					}
				}
				if restarted {
					m = m.Restart()
				}
				if _, err := m.Do(end); err != nil {
					t.Fatal(err)
				}
				m.Settle()
				if name == "dropped" { // each write drops one of the versions 4 and 5
					m.Write("secrets/"+a, data{"value": "7"})
					m.Write("secrets/"+a, data{"value": "8"})
					m.Settle()
				}
				for _, n := range []int{4, 5} {
					if m.Storage.Raw(spilledKey(n)) != nil {
						t.Errorf("%s is left", spilledKey(n))
					}
				}
			})
		}
	}
}

// TestRevertWithoutKeysFails covers a defect. If the keys of the workspace could not be read, a
// revert that deletes a secret wrote to a nil plan, and the process crashed.
func TestRevertWithoutKeysFails(t *testing.T) {
	m := world(t)
	changed(m)
	m = m.Restart()
	_, ids := keysOf(t, m.Storage)
	keys := ids["acme"]
	entry := m.Storage.Raw(keys)
	m.Storage.SetRaw(keys, nil)
	if got := m.Refuse(write, "revert/acme/api/dev", data{"change": "the change"}); got.Status != 500 && got.Status != 400 {
		t.Errorf("revert without keys returned %v", got)
	}
	m.Storage.SetRaw(keys, entry)
	m.Write("revert/acme/api/dev", data{"change": "the change"})
	if got := m.Read("load/acme/api/dev"); got["A"] != "changed" || got["AFTER"] != nil {
		t.Errorf("after the keys were restored and the revert repeated, load returned %v", got)
	}
}

// TestNextReadRemovesDestroyedValues covers a defect. A destroy was stored and acknowledged, but
// storage failed when the values were to be removed. The process kept the head in memory and did
// not try again. The values stayed until a write or a restart.
func TestNextReadRemovesDestroyedValues(t *testing.T) {
	m := world(t)
	m.Read("secrets/acme/api/dev/B")
	m.Storage.FailFrom(2, false) // only the head is stored
	m.Write("destroy/acme/api/dev/B", data{"versions": "2,3"})
	m.Settle()
	m.Storage.Reset()
	for range 2 { // storage fails again during the first attempts
		m.Storage.Hook(func(op, _ string) {
			if op == "delete" {
				m.Storage.FailFrom(1, false)
			}
		})
		m.Read("load/acme/api/dev")
		m.Settle()
		m.Storage.Hook(nil)
		m.Storage.Reset()
	}
	m.Read("secrets/acme/api/dev/B")
	m.Settle()
	checkClean(t, m.Storage)
}
