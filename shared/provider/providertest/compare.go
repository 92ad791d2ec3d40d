package providertest

import (
	"errors"
	"slices"
	"strings"
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

var objectChecks = []check{
	{"an entry is written to the declared object", nil, objectsAsDeclared},
	{"names of entries that are objects have no slash", nil, namesAreOneSegment},
	{"a change that would lose content of others is a conflict", func(r *rig) string {
		if r.Extend == nil {
			return "Party.Extend is nil: an object holds nothing besides its entries"
		}
		return ""
	}, contentOfOthers},
}

func (r *rig) object() provider.ServiceObject {
	return r.destination.Object(r.destination.Target(r.session.Settings, r.place.Settings), r.place.Granularity)
}

func objectsAsDeclared(t testing.TB, r *rig) {
	names := r.names(t, 2)
	r.done(t, provider.Change{Name: names[0], Value: []byte("one")}, provider.Change{Name: names[1], Value: []byte("two")})
	written, declared := r.Objects(), []string{r.object().Of(r.stored(names[0])), r.object().Of(r.stored(names[1]))}
	slices.Sort(written)
	slices.Sort(declared)
	if declared = slices.Compact(declared); !slices.Equal(written, declared) {
		t.Errorf("the entries are in the objects %q, and Destination.Object declares %q", written, declared)
	}
}

// namesAreOneSegment checks what the comparison of two syncs relies on: the object of an entry is
// one segment below the folder.
func namesAreOneSegment(t testing.TB, r *rig) {
	if !r.object().PerEntry {
		return
	}
	name := r.names(t, 1)[0]
	r.done(t, provider.Change{Name: name, Value: []byte("one")})
	if limits := r.destination.Limits; strings.Contains(r.stored(name), "/") || limits.Name != nil && limits.Name.MatchString(r.stored("A/B")) {
		t.Error("an entry is an object of its own, and its name may contain a slash")
	}
}

func contentOfOthers(t testing.TB, r *rig) {
	name := r.names(t, 1)[0]
	r.done(t, provider.Change{Name: name, Value: []byte("one")})
	kept := r.Extend(name)
	for what, c := range map[string]provider.Change{
		"a write":    {Name: name, Value: []byte("two"), Expect: r.expect(t, name)},
		"a deletion": {Name: name, Delete: true, Expect: r.expect(t, name)},
	} {
		result := r.apply(t.Context(), t, c)[0]
		if result.Outcome != provider.Failed || outbound.ClassOf(result.Err) != outbound.Conflict || !errors.Is(result.Err, provider.ErrForeign) {
			t.Errorf("%s has the outcome %s and the error %v, want a conflict with ErrForeign", what, result.Outcome, result.Err)
		}
		hinted(t, what, result.Err)
		if !kept() {
			t.Fatalf("%s has lost the content of others", what)
		}
	}
	r.done(t, provider.Change{Name: name, Value: []byte("two"), Expect: r.expect(t, name), Replace: true})
	if kept() {
		t.Error("a write that replaces the object has kept the content of others")
	}
	again := r.Extend(name)
	r.done(t, provider.Change{Name: name, Delete: true, Expect: r.expect(t, name), Replace: true})
	if again() {
		t.Error("a deletion that replaces the object has kept it")
	}
}
