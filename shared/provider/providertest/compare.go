package providertest

import (
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

var compareChecks = []check{
	{"creating an entry that others created is a conflict", compares, createOverForeign},
	{"writing and deleting an entry that others changed is a conflict", compares, writeOverChanged},
	{"writing an entry that others deleted is a conflict", compares, writeOverRemoved},
	{"a conflict does not affect the other changes", compares, conflictAmongOthers},
}

func conflicts(t testing.TB, what string, result provider.Result) {
	t.Helper()
	if result.Outcome != provider.Failed {
		t.Errorf("%s: %s, want %s", what, result.Outcome, provider.Failed)
	}
	classIn(t, what, result.Err, outbound.Conflict)
}

func createOverForeign(t testing.TB, r *rig) {
	name := r.names(t, 1)[0]
	r.Plant(name, "foreign")
	conflicts(t, "create", r.apply(t.Context(), t, provider.Change{Name: name, Value: []byte("ours")})[0])
	conflicts(t, "delete", r.apply(t.Context(), t, provider.Change{Name: name, Delete: true})[0])
}

func writeOverChanged(t testing.TB, r *rig) {
	name := r.names(t, 1)[0]
	old := r.done(t, provider.Change{Name: name, Value: []byte("ours")})[0].Entry
	if old.Version == "" {
		t.Skip("Entry.Version is empty at this place")
	}
	r.Plant(name, "changed by others")
	conflicts(t, "write", r.apply(t.Context(), t, provider.Change{Name: name, Value: []byte("ours again"), Expect: &old})[0])
	conflicts(t, "delete", r.apply(t.Context(), t, provider.Change{Name: name, Delete: true, Expect: &old})[0])
}

func writeOverRemoved(t testing.TB, r *rig) {
	name := r.names(t, 1)[0]
	old := r.done(t, provider.Change{Name: name, Value: []byte("ours")})[0].Entry
	r.Remove(name)
	conflicts(t, "write", r.apply(t.Context(), t, provider.Change{Name: name, Value: []byte("ours again"), Expect: &old})[0])
}

func conflictAmongOthers(t testing.TB, r *rig) {
	if r.destination.Batch < 3 {
		t.Skip("Destination.Batch is below 3")
	}
	names := r.names(t, 3)
	r.Plant(names[1], "foreign")
	results := r.apply(t.Context(), t,
		provider.Change{Name: names[0], Value: []byte("one")},
		provider.Change{Name: names[1], Value: []byte("two")},
		provider.Change{Name: names[2], Value: []byte("three")},
	)
	conflicts(t, "create", results[1])
	for _, i := range []int{0, 2} {
		if results[i].Outcome != provider.Done {
			t.Errorf("%s: %s: %v", names[i], results[i].Outcome, results[i].Err)
		}
	}
}
