package crashtest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// outcomes are the two ways an operation may have gone, and how many storage calls it takes with its background work.
type outcomes struct {
	storage       *enginetest.Storage // before
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
		t.Fatalf("undisturbed: %v", err)
	}
	m.Settle()
	out.calls = m.Storage.Calls()
	m = m.Restart()
	m.Settle()
	out.after = observe(t, m)
	end(m)
	if maps.Equal(out.before, out.after) {
		t.Fatal("the operation changes nothing: the test would show nothing")
	}
	return out
}

// shuffle has the storage calls of parallel work come in another order each time.
func shuffle(m *mount) {
	m.Storage.Hook(func(string, string) {
		for range rand.IntN(4) {
			runtime.Gosched()
		}
	})
}

// crash runs the operation with a process that dies at the n-th storage call, and answers what is stored then.
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

// check holds what must hold after a restart on what a crash has left.
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
		t.Errorf("acknowledged, but it has not happened:\n%s", differences(got, out.after))
	case !maps.Equal(got, out.before):
		t.Errorf("half of it has happened. Against before:\n%s\nAgainst after:\n%s", differences(got, out.before), differences(got, out.after))
	}
	if then := loads(m); !maps.Equal(first, then) {
		t.Errorf("once the background work of a start is done, secrets read otherwise:\n%s", differences(first, then))
	}
	err := o.run(m)
	var refused *enginetest.Refused
	if maps.Equal(got, out.after) && o.once && errors.As(err, &refused) && refused.Status == 404 {
		err = nil
	}
	if err != nil {
		t.Errorf("it cannot be repeated: %v", err)
	}
	m.Settle()
	if again := observe(t, m); !maps.Equal(again, out.after) {
		t.Errorf("repeated:\n%s", differences(again, out.after))
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

// rounds tells how often each point of an operation is tried. The storage calls of parallel work come in another order each time,
// so CRASH_ROUNDS=n has n times as many tries; any n also has the tests beside this one leave out no point.
func rounds(o operation) int {
	n, err := strconv.Atoi(os.Getenv("CRASH_ROUNDS"))
	if err != nil || !o.parallel {
		return 1
	}
	return n
}

// every answers n, or 1 where CRASH_ROUNDS asks for every point.
func every(n int) int {
	if os.Getenv("CRASH_ROUNDS") != "" {
		return 1
	}
	return n
}

func TestACrashAtAnyStorageCallLeavesBeforeOrAfter(t *testing.T) {
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
