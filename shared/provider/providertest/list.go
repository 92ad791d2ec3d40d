package providertest

import (
	"slices"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

var listChecks = []check{
	{"an empty place lists nothing", nil, listNothing},
	{"list returns the entries of others, sorted, and changes nothing", nil, listForeign},
	{"a missing place is not_found or invalid, with a hint", func(r *rig) string {
		if len(r.Elsewhere) == 0 {
			return "Party.Elsewhere is empty: every place exists"
		}
		return ""
	}, listElsewhere},
	{"Look returns entries as List does", looks, lookAtSome},
}

func listNothing(t testing.TB, r *rig) {
	entries, err := r.Provider.List(t.Context(), r.session, r.place)
	if err != nil || len(entries) != 0 {
		t.Errorf("List of an empty place returned %d entries and the error %v", len(entries), err)
	}
}

func listForeign(t testing.TB, r *rig) {
	const many = 30
	names := r.names(t, min(many, maxEntries(r)))
	for i := len(names) - 1; i >= 0; i-- {
		r.Plant(names[i], "value of "+names[i])
	}
	entries, err := r.Provider.List(t.Context(), r.session, r.place)
	if err != nil {
		t.Fatal(err)
	}
	var listed, planted []string
	for _, e := range entries {
		listed = append(listed, e.Name)
	}
	for name := range r.Truth() {
		planted = append(planted, name)
	}
	slices.Sort(planted)
	if !slices.Equal(listed, planted) || len(listed) != len(names) {
		t.Errorf("List returned %q, want %q", listed, planted)
	}
	if r.front == nil {
		return
	}
	if _, writes := r.front.counted(); writes != 0 {
		t.Errorf("List sent %d writing requests", writes)
	}
}

func lookAtSome(t testing.TB, r *rig) {
	names := r.names(t, 5)
	r.Plant(names[0], "foreign")
	r.Plant(names[1], "foreign too")
	r.done(t, provider.Change{Name: names[2], Value: []byte("ours")})
	listed := make(map[string]provider.Entry)
	entries, err := r.Provider.List(t.Context(), r.session, r.place)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		listed[e.Name] = e
	}
	seen, err := r.look(t, r.session, names[4], names[2], names[3], names[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 {
		t.Errorf("Look returned %d entries, want the two of four that exist", len(seen))
	}
	for _, e := range seen {
		if e != listed[e.Name] || e.Name != r.stored(names[0]) && e.Name != r.stored(names[2]) {
			t.Errorf("Look returned %+v, List %+v", e, listed[e.Name])
		}
	}
	if seen, err := r.look(t, r.session); err != nil || len(seen) != 0 {
		t.Errorf("Look without names returned %d entries and the error %v", len(seen), err)
	}
}

// look calls Look of a provider whose destination declares Looks.
func (r *rig) look(t testing.TB, s *provider.Session, names ...string) ([]provider.Entry, error) {
	t.Helper()
	looker, ok := r.Provider.(provider.Looker)
	if !ok {
		t.Fatal("Destination.Looks is true, but the provider does not implement Looker")
	}
	return looker.Look(t.Context(), s, r.place, names)
}

func maxEntries(r *rig) int {
	if r.destination.Limits.MaxEntries == 0 {
		return 1 << 20
	}
	return r.destination.Limits.MaxEntries
}

func listElsewhere(t testing.TB, r *rig) {
	for _, settings := range r.Elsewhere {
		missing := r.newPlace(t, settings)
		_, err := r.Provider.List(t.Context(), r.session, missing)
		classIn(t, "List", err, outbound.NotFound, outbound.Invalid)
		hinted(t, "List", err)
		results := r.applyAs(t.Context(), t, r.session, missing, provider.Change{Name: r.names(t, 1)[0], Value: []byte("one")})
		classIn(t, "Apply", results[0].Err, outbound.NotFound, outbound.Invalid)
		hinted(t, "Apply", results[0].Err)
		if results[0].Outcome != provider.Skipped && results[0].Outcome != provider.Failed {
			t.Errorf("a change at a missing place has the outcome %s", results[0].Outcome)
		}
	}
}
