package crashtest

import "testing"

// TestWhatAnInterruptedWriteHasPutAsideGoesWithItsVersion: a write whose second call failed had put the newest value aside, under
// the number it has. Destroying that version, or removing the secret, looked for old values below the newest only: the value stayed
// in storage, and after a removal nothing led to it any more.
func TestWhatAnInterruptedWriteHasPutAsideGoesWithItsVersion(t *testing.T) {
	for name, end := range map[string]request{
		"destroyed": {Op: write, Path: "destroy/acme/api/dev/A", Data: data{"versions": "4"}},
		"removed":   {Op: destroy, Path: "metadata/acme/api/dev/A"},
	} {
		t.Run(name, func(t *testing.T) {
			m := world(t)
			environments, _ := keysOf(t, m.Storage)
			aside := "ver/" + string(environments["acme/api/dev"]) + "/A/4"
			putAside(m)
			if m.Storage.Raw(aside) == nil {
				t.Fatal("the write has put nothing aside: the test would show nothing")
			}
			if _, err := m.Do(end); err != nil {
				t.Fatal(err)
			}
			if m.Storage.Raw(aside) != nil {
				t.Errorf("%s is left", aside)
			}
		})
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
	m.Read("secrets/acme/api/dev/A")
	m.Storage.FailFrom(2, false) // the head is stored, and nothing after it
	m.Write("destroy/acme/api/dev/A", data{"versions": "2,3"})
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
	m.Read("secrets/acme/api/dev/A")
	m.Settle()
	checkClean(t, m.Storage)
}
