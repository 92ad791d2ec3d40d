package crashtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// tick makes the periodic call that Vault's active node makes every minute.
func tick(t *testing.T, m *mount) {
	t.Helper()
	if err := m.Backend.PeriodicFunc(t.Context(), &logical.Request{Operation: logical.RollbackOperation, Storage: m.Storage}); err != nil {
		t.Fatal(err)
	}
}

// TestOutageWithoutRestart makes storage fail from any call of an operation on and recover, while
// the process continues. Then the process must read what another process would read, before or
// after the operation. Writes after the outage must not be lost.
func TestOutageWithoutRestart(t *testing.T) {
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
			t.Logf("%d storage calls; two outages at every %d-th", out.calls, step)
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
	// This finds secrets whose first write had an unknown outcome, and leftover destroyed values.
	loads(m)
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
		t.Errorf("the state is neither before nor after; acknowledged: %v\n%s", err == nil, differences(cold, out.after))
	}
	taken := writes(m)
	if want := writable(m); !slices.Equal(slices.Sorted(maps.Keys(taken)), want) {
		t.Errorf("after the outage, writes are acknowledged in %v, want %v", slices.Sorted(maps.Keys(taken)), want)
	}
	if !maps.Equal(taken, writesRead(start(t, m.Storage.Clone(), out.clock), taken)) {
		t.Errorf("writes acknowledged after the outage were lost: %v", taken)
	}
	if err := o.run(m); err != nil {
		t.Errorf("repeating the operation: %v", err)
	}
	m.Settle()
	m = m.Restart()
	m.Settle()
	checkClean(t, m.Storage)
	end(m)
}

// writable lists the environments that must accept writes: those that exist and are not locked.
func writable(m *mount) (all []string) {
	for _, place := range places {
		ws, _ := m.Do(request{Op: read, Path: "workspaces/" + place[:strings.Index(place, "/")]})
		env, err := m.Do(request{Op: read, Path: "environments/" + place})
		if err == nil && ws["locked"] == false && env["locked"] == false {
			all = append(all, place)
		}
	}
	slices.Sort(all)
	return all
}

// writes writes one secret into each environment, and returns the values by environment.
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
		response, err := m.Do(request{Op: read, Path: "secrets/" + place + "/LATER"})
		if err == nil {
			found[place], _ = response["value"].(string)
		}
	}
	end(m)
	return found
}
