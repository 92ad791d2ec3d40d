package crashtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// outcomes holds the two allowed results of an operation, and the number of storage calls that it
// takes with its background work.
type outcomes struct {
	storage       *enginetest.Storage // before the operation
	clock         *enginetest.Clock
	before, after view
	calls         int
}

func (o operation) outcomes(t *testing.T) outcomes {
	t.Helper()
	s, clock := o.prepared(t)
	m := open(t, s, clock)
	m.Settle()
	out := outcomes{storage: s, clock: clock, before: observe(t, m)}
	end(m)
	m = open(t, s, clock)
	m.Settle()
	m.Storage.Reset()
	if err := o.run(m); err != nil {
		t.Fatalf("without a crash: %v", err)
	}
	m.Settle()
	out.calls = m.Storage.Calls()
	m = m.Restart()
	m.Settle()
	out.after = observe(t, m)
	end(m)
	if maps.Equal(out.before, out.after) {
		t.Fatal("the operation changes nothing, so the test would prove nothing")
	}
	return out
}

// shuffle varies the order of the storage calls of parallel work.
func shuffle(m *mount) {
	m.Storage.Hook(func(string, string) {
		for range rand.IntN(4) {
			runtime.Gosched()
		}
	})
}

// crash runs the operation in a process that dies at the n-th storage call, and returns the storage
// after it.
func (o operation) crash(t *testing.T, out outcomes, n int, stored bool) (left *enginetest.Storage, acknowledged bool) {
	t.Helper()
	m := open(t, out.storage, out.clock)
	m.Settle()
	shuffle(m)
	m.Storage.FailFrom(n, stored)
	err := o.run(m)
	m.Settle()
	left = m.Storage.Clone()
	end(m)
	return left, err == nil
}

// check restarts on the storage that a crash has left, and checks what must be true after it.
func (o operation) check(t *testing.T, out outcomes, left *enginetest.Storage, acknowledged bool) {
	t.Helper()
	m := open(t, left, out.clock)
	first := loads(m)
	m.Settle()
	got := observe(t, m)
	checkClean(t, m.Storage)
	switch {
	case maps.Equal(got, out.after):
	case acknowledged:
		t.Errorf("the operation was acknowledged but did not happen:\n%s", differences(got, out.after))
	case !maps.Equal(got, out.before):
		t.Errorf("the operation happened in part. Differences from before:\n%s\nDifferences from after:\n%s", differences(got, out.before), differences(got, out.after))
	}
	if then := loads(m); !maps.Equal(first, then) {
		t.Errorf("the background work of the start changed the secrets:\n%s", differences(first, then))
	}
	if err := o.run(m); err != nil {
		t.Errorf("repeating the operation: %v", err)
	}
	m.Settle()
	if again := observe(t, m); !maps.Equal(again, out.after) {
		t.Errorf("after repeating the operation:\n%s", differences(again, out.after))
	}
	checkClean(t, m.Storage)
	end(m)
}

// loads reads the secrets of all environments of the world.
func loads(m *mount) view {
	v := make(view)
	for _, place := range places {
		v.ask(m, request{Op: read, Path: "load/" + place})
	}
	return v
}

// rounds returns how many times each crash point of an operation is tried. The order of the storage
// calls of parallel work differs each time, so CRASH_ROUNDS=n multiplies the tries by n. Any n also
// makes the other tests of this package try every point.
func rounds(o operation) int {
	n, err := strconv.Atoi(os.Getenv("CRASH_ROUNDS"))
	if err != nil || !o.parallel {
		return 1
	}
	return n
}

// every returns n, or 1 if CRASH_ROUNDS is set, so that every point is tried.
func every(n int) int {
	if os.Getenv("CRASH_ROUNDS") != "" {
		return 1
	}
	return n
}

func TestCrashAtAnyStorageCall(t *testing.T) {
	for _, o := range operations() {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			out := o.outcomes(t)
			for round := range rounds(o) {
				for n := 1; n <= out.calls; n++ {
					for _, stored := range []bool{false, true} {
						t.Run(fmt.Sprintf("round %d, call %d, stored %v", round, n, stored), func(t *testing.T) {
							left, acknowledged := o.crash(t, out, n, stored)
							o.check(t, out, left, acknowledged)
						})
					}
				}
			}
			t.Logf("%d storage calls, %d crashes", out.calls, 2*out.calls*rounds(o))
		})
	}
}
