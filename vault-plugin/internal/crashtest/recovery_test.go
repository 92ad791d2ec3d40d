package crashtest

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// TestCrashDuringRecovery interrupts each operation that leaves work to do. It then interrupts the
// start that does this work at any of its storage calls, and checks a second start.
func TestCrashDuringRecovery(t *testing.T) {
	points := map[string]int{ // the distance between two tested calls of the operation
		"import into several chunks": 5, "import over secrets of several chunks": 9, "create a workspace": 1, "shred a workspace": 9,
		"delete a project": 13, "delete an environment": 7, "rotate a workspace's key": 23, "rotate the master key": 3,
		"destroy spilled and inline versions": 1, "purge a secret": 2, "purge a secret with values that an interrupted write spilled": 2,
		"repeat an interrupted update": 1, "import over secrets that spill": 5, "revert to a change": 5,
		"unlock a workspace with an unfinished rewrap": 31,
	}
	for _, o := range operations() {
		step := points[o.name]
		if step == 0 {
			continue
		}
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			out := o.outcomes(t)
			crashes := 0
			for n := 1; n <= out.calls; n += step {
				left, _ := o.crash(t, out, n, true)
				m := start(t, left.Clone(), out.clock)
				calls := m.Storage.Calls()
				end(m)
				for at := n%12 + 1; at <= calls; at += every(12) {
					for _, stored := range []bool{false, true} {
						crashes++
						t.Run(fmt.Sprintf("call %d, call %d of the start, stored %v", n, at, stored), func(t *testing.T) {
							o.recover(t, out, left, at, stored)
						})
					}
				}
			}
			t.Logf("%d crashes during a start", crashes)
		})
	}
}

// start opens a mount and waits for its background work.
func start(t *testing.T, s *enginetest.Storage, clock *enginetest.Clock) *mount {
	t.Helper()
	m := enginetest.Setup{Storage: s, Clock: clock, Providers: toys.registry}.Open(t)
	m.Settle()
	return m
}

// recover starts on the storage that a crash has left, and makes storage fail at one call of this
// start. The process continues for a while without storage. After storage has recovered, recover
// checks the same process, and then another.
func (o operation) recover(t *testing.T, out outcomes, left *enginetest.Storage, at int, stored bool) {
	t.Helper()
	s := left.Clone()
	s.FailFrom(at, stored)
	m := start(t, s, out.clock)
	_, _ = m.Do(request{Op: read, Path: "load/acme/api/dev"})
	second := s.Clone()
	s.Reset()
	loads(m)
	tick(t, m)
	m.Settle()
	same := observe(t, m)
	checkClean(t, s)
	end(m)
	o.check(t, out, second, false)
	if !maps.Equal(same, out.before) && !maps.Equal(same, out.after) {
		t.Errorf("after the outage, the process reads part of the operation. Differences from after:\n%s", differences(same, out.after))
	}
}

func TestFirstStartCreatesOneMasterKey(t *testing.T) {
	clock := enginetest.NewClock()
	m := start(t, enginetest.NewStorage(), clock)
	calls := m.Storage.Calls()
	end(m)
	for n := 1; n <= calls; n++ {
		for _, stored := range []bool{false, true} {
			for _, restart := range []bool{false, true} {
				t.Run(fmt.Sprintf("call %d, stored %v, restart %v", n, stored, restart), func(t *testing.T) {
					s := enginetest.NewStorage()
					s.FailFrom(n, stored)
					m := start(t, s, clock)
					minted := s.Raw("core/master")
					if _, err := m.Do(request{Op: write, Path: "workspaces/acme"}); err == nil {
						t.Error("a mount without a master key created a workspace")
					}
					s.Reset()
					if restart {
						m = m.Restart()
					}
					m.Populate("acme", "api", "dev")
					m.Write("secrets/acme/api/dev/A", data{"value": "a"})
					if now := m.Storage.Raw("core/master"); len(minted) > 0 && string(now) != string(minted) {
						t.Error("a second master key replaced the first")
					}
					m = m.Restart()
					if got := m.Read("load/acme/api/dev")["A"]; got != "a" {
						t.Errorf("secret A is %v", got)
					}
					checkClean(t, m.Storage)
				})
			}
		}
	}
}

// TestMissingMasterKeyIsNotReplaced checks that a start does not create a new master key over
// existing workspaces. A new key would open none of them, and would hide that the old key is
// missing.
func TestMissingMasterKeyIsNotReplaced(t *testing.T) {
	m := world(t)
	master := m.Storage.Raw("core/master")
	m.Storage.SetRaw("core/master", nil)
	m = m.Restart()
	if refused := m.Refuse(read, "load/acme/api/dev", nil); refused.Status != 500 || refused.Word() != "unavailable" {
		t.Errorf("load returned %v, want 500 unavailable", refused)
	}
	if m.Storage.Raw("core/master") != nil {
		t.Error("a new master key was stored over the workspaces of the old one")
	}
	m.Storage.SetRaw("core/master", master)
	m.Read("load/acme/api/dev")
}
