package crashtest

import (
	"fmt"
	"testing"
)

// TestWhatAnInterruptedWriteHasSpilledGoesWithItsVersion: a write that went no further has put
// versions under ver/ that the head still holds, the newest among them. Whatever takes such a
// version away must remove the entry too: after it nothing leads there.
func TestWhatAnInterruptedWriteHasSpilledGoesWithItsVersion(t *testing.T) {
	const a = "acme/api/dev/A"
	for name, end := range map[string]request{
		"destroyed":  {Op: write, Path: "destroy/" + a, Data: data{"versions": "4,5"}},
		"removed":    {Op: destroy, Path: "metadata/" + a},
		"pushed out": {Op: write, Path: "metadata/" + a, Data: data{"max_versions": 1}},
	} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after a restart %t", name, restarted), func(t *testing.T) {
				m := world(t)
				environments, _ := keysOf(t, m.Storage)
				aside := func(n int) string { return fmt.Sprintf("ver/%s/A/%d", environments["acme/api/dev"], n) }
				putAside(m)
				for _, n := range []int{4, 5} {
					if m.Storage.Raw(aside(n)) == nil {
						t.Fatalf("the write has not spilled version %d: the test would show nothing", n)
					}
				}
				if restarted {
					m = m.Restart()
				}
				if _, err := m.Do(end); err != nil {
					t.Fatal(err)
				}
				m.Settle()
				if name == "pushed out" { // version 5 is the newest still, and goes with the write after the next
					m.Write("secrets/"+a, data{"value": "6"})
					m.Settle()
				}
				for _, n := range []int{4, 5} {
					if m.Storage.Raw(aside(n)) != nil {
						t.Errorf("%s is left", aside(n))
					}
				}
			})
		}
	}
}

// TestARevertWithoutKeysIsRefused: where the workspace's keys could not be read, a revert that had a secret to delete wrote into
// the plan it did not have, and took the process down.
func TestARevertWithoutKeysIsRefused(t *testing.T) {
	m := world(t)
	changed(m)
	m = m.Restart()
	_, ids := keysOf(t, m.Storage)
	keys := ids["acme"]
	entry := m.Storage.Raw(keys)
	m.Storage.SetRaw(keys, nil)
	if got := m.Refuse(write, "revert/acme/api/dev", data{"change": "the change"}); got.Status != 500 && got.Status != 400 {
		t.Errorf("it is answered with %v", got)
	}
	m.Storage.SetRaw(keys, entry)
	m.Write("revert/acme/api/dev", data{"change": "the change"})
	if got := m.Read("load/acme/api/dev"); got["A"] != "changed" || got["AFTER"] != nil {
		t.Errorf("reverted afterwards, it reads %v", got)
	}
}

// TestADestroyedValueThatCouldNotBeRemovedGoesWithTheNextRead: a destruction was stored and answered, and storage failed when the
// values were to be removed. The process kept the head in memory and looked at them no more: they stayed until a write or a restart.
func TestADestroyedValueThatCouldNotBeRemovedGoesWithTheNextRead(t *testing.T) {
	m := world(t)
	m.Read("secrets/acme/api/dev/B")
	m.Storage.FailFrom(2, false) // the head is stored, and nothing after it
	m.Write("destroy/acme/api/dev/B", data{"versions": "2,3"})
	m.Settle()
	m.Storage.Reset()
	for range 2 { // the first may come while storage is still down
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
