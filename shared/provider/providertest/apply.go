package providertest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

var applyChecks = []check{
	{"create, update and delete", nil, createUpdateDelete},
	{"Apply returns entries as List does", nil, entryAsListed},
	{"one call makes changes of every kind and returns results in their order", nil, mixedBatch},
	{"a full batch", nil, fullBatch},
	{"without changes no writing request is sent", nil, nothingToDo},
	{"deleting a deleted entry is done", nil, deleteGone},
	{"an entry that others deleted is created again", nil, createAgain},
	{"entries of others are kept", nil, foreignSurvive},
	{"two parallel calls do not affect each other", func(r *rig) string {
		if r.Racy != "" {
			return "Party.Racy: " + r.Racy
		}
		return ""
	}, twoAtOnce},
}

func createUpdateDelete(t testing.TB, r *rig) {
	name := r.names(t, 1)[0]
	r.done(t, provider.Change{Name: name, Value: []byte("one")})
	r.done(t, provider.Change{Name: name, Value: []byte("two"), Expect: r.expect(t, name)})
	r.done(t, provider.Change{Name: name, Delete: true, Expect: r.expect(t, name)})
	if e := r.expect(t, name); e != nil {
		t.Errorf("List returns a deleted entry: %+v", *e)
	}
}

func entryAsListed(t testing.TB, r *rig) {
	name := r.names(t, 1)[0]
	var before *provider.Entry
	for _, value := range []string{"one", "two", "three"} {
		returned := r.done(t, provider.Change{Name: name, Value: []byte(value), Expect: before})[0].Entry
		listed, ok := r.list(t)[r.stored(name)]
		if !ok || !same(listed, returned) {
			t.Fatalf("Apply returned %+v, List %+v", returned, listed)
		}
		if before != nil && before.Version != "" && before.Version == returned.Version {
			t.Errorf("two writes have the same version %q", returned.Version)
		}
		before = &returned
	}
}

func same(a, b provider.Entry) bool {
	return a.Name == b.Name && a.ID == b.ID && a.Version == b.Version && a.Updated.Equal(b.Updated)
}

func mixedBatch(t testing.TB, r *rig) {
	names := r.names(t, 6)
	for _, name := range names[:4] {
		r.Plant(name, "before")
	}
	now := r.list(t)
	expect := func(i int) *provider.Entry {
		e := now[r.stored(names[i])]
		return &e
	}
	changes := []provider.Change{
		{Name: names[4], Value: []byte("created")},
		{Name: names[0], Delete: true, Expect: expect(0)},
		{Name: names[1], Value: []byte("updated"), Expect: expect(1)},
		{Name: names[5], Value: []byte("created too")},
		{Name: names[2], Delete: true, Expect: expect(2)},
	}
	r.done(t, changes...)
	if len(r.Truth()) != 4 {
		t.Errorf("the place has %d entries, want 4", len(r.Truth()))
	}
}

func fullBatch(t testing.TB, r *rig) {
	const enough = 60
	changes := make([]provider.Change, min(r.destination.Batch, enough, maxEntries(r)))
	for i, name := range r.names(t, len(changes)) {
		changes[i] = provider.Change{Name: name, Value: fmt.Appendf(nil, "value %d", i)}
	}
	for i, result := range r.done(t, changes...) {
		if result.Entry.Name != r.stored(changes[i].Name) {
			t.Errorf("result %d is for %q, want %q", i, result.Entry.Name, changes[i].Name)
		}
	}
}

func nothingToDo(t testing.TB, r *rig) {
	if results := r.Provider.Apply(t.Context(), r.session, r.place, nil); len(results) != 0 {
		t.Errorf("Apply without changes returned %d results", len(results))
	}
	if r.front == nil {
		return
	}
	if _, writes := r.front.counted(); writes != 0 {
		t.Errorf("Apply without changes sent %d writing requests", writes)
	}
}

func deleteGone(t testing.TB, r *rig) {
	name := r.names(t, 1)[0]
	r.done(t, provider.Change{Name: name, Delete: true})
	r.Plant(name, "one")
	old := r.expect(t, name)
	r.Remove(name)
	r.done(t, provider.Change{Name: name, Delete: true, Expect: old})
	r.done(t, provider.Change{Name: name, Delete: true, Expect: old})
}

func createAgain(t testing.TB, r *rig) {
	name := r.names(t, 1)[0]
	r.done(t, provider.Change{Name: name, Value: []byte("one")})
	r.Remove(name)
	r.done(t, provider.Change{Name: name, Value: []byte("two"), Expect: r.expect(t, name)})
}

func foreignSurvive(t testing.TB, r *rig) {
	names := r.names(t, 4)
	r.Plant(names[0], "foreign")
	r.Plant(names[3], "foreign too")
	// The rig checks that entries that a call does not name are unchanged.
	r.done(t, provider.Change{Name: names[1], Value: []byte("ours")})
	r.done(t, provider.Change{Name: names[1], Value: []byte("ours, changed"), Expect: r.expect(t, names[1])})
	r.done(t, provider.Change{Name: names[1], Delete: true, Expect: r.expect(t, names[1])})
	if truth := r.Truth(); len(truth) != 2 {
		t.Errorf("the place has %d entries, want the two of others", len(truth))
	}
}

func twoAtOnce(t testing.TB, r *rig) {
	names := r.names(t, 8)
	var group sync.WaitGroup
	failures := make([]error, len(names))
	for i, name := range names {
		group.Go(func() {
			results := r.Provider.Apply(t.Context(), r.session, r.place, []provider.Change{{Name: name, Value: []byte(name)}})
			failures[i] = results[0].Err
		})
	}
	group.Wait()
	truth := r.Truth()
	for i, name := range names {
		if failures[i] != nil || truth[r.stored(name)] != name {
			t.Errorf("%s: %v", name, failures[i])
		}
	}
}
