package crashtest

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// tick is the call that Vault's active node makes every minute.
func tick(t *testing.T, m *mount) {
	t.Helper()
	if err := m.Backend.PeriodicFunc(t.Context(), &logical.Request{Operation: logical.RollbackOperation, Storage: m.Storage}); err != nil {
		t.Fatal(err)
	}
}

// TestAnOutageWithoutARestart has storage go down at any call of an operation and come back, while the process goes on. What it
// reads then is what another process would read, before or after the operation, and what it takes from there on is not lost.
func TestAnOutageWithoutARestart(t *testing.T) {
	for _, o := range operations() {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			out := o.outcomes(t)
			step := every(1 + out.calls/15)
			for n := 1; n <= out.calls; n += step {
				for _, stored := range []bool{false, true} {
					t.Run(fmt.Sprintf("call %d, stored %v", n, stored), func(t *testing.T) { o.outage(t, out, n, stored) })
				}
			}
			t.Logf("%d storage calls, every %d of them with two outages", out.calls, step)
		})
	}
}

func (o operation) outage(t *testing.T, out outcomes, n int, stored bool) {
	t.Helper()
	m := open(t, out.storage, out.clock)
	m.Settle()
	loads(m)
	shuffle(m)
	m.Storage.FailFrom(n, stored)
	err := o.run(m)
	m.Settle()
	loads(m)
	m.Storage.Reset()

	tick(t, m)
	m.Settle()
	loads(m) // looks for secrets whose first write had an unknown outcome, and for destroyed values that are left
	m.Settle()
	got := observe(t, m)
	other := start(t, m.Storage.Clone(), out.clock)
	cold := observe(t, other)
	end(other)
	if o.heals {
		checkClean(t, m.Storage)
	}
	if !maps.Equal(got, cold) {
		t.Errorf("memory and storage differ:\n%s", differences(got, cold))
	}
	if !maps.Equal(cold, out.after) && (err == nil || !maps.Equal(cold, out.before)) {
		t.Errorf("neither before nor after; acknowledged: %v\n%s", err == nil, differences(cold, out.after))
	}
	if taken := writes(m); !maps.Equal(taken, writesRead(start(t, m.Storage.Clone(), out.clock), taken)) {
		t.Errorf("writes that were acknowledged after the outage are lost: %v", taken)
	}
	err = o.run(m)
	var refused *enginetest.Refused
	if err != nil && (!o.once || !errors.As(err, &refused) || refused.Status != 404) {
		t.Errorf("it cannot be repeated: %v", err)
	}
	m.Settle()
	m = m.Restart()
	m.Settle()
	checkClean(t, m.Storage)
	end(m)
}

// writes writes one secret into each environment, and answers the places that took it.
func writes(m *mount) view {
	taken := make(view)
	for _, place := range places {
		if _, err := m.Do(request{Op: write, Path: "secrets/" + place + "/LATER", Data: data{"value": "later"}, ID: "later"}); err == nil {
			taken[place] = "later"
		}
	}
	return taken
}

func writesRead(m *mount, taken view) view {
	found := make(view)
	for place := range taken {
		answer, err := m.Do(request{Op: read, Path: "secrets/" + place + "/LATER"})
		if err == nil {
			found[place], _ = answer["value"].(string)
		}
	}
	end(m)
	return found
}
