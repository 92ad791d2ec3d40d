package providertest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

var applyChecks = []check{
	{"create, update and delete", nil, createUpdateDelete},
	{"an entry is answered as list shows it", nil, entryAsListed},
	{"one call makes changes of every kind, and answers in their order", nil, mixedBatch},
	{"a full batch", nil, fullBatch},
	{"no change is no request that changes something", nil, nothingToDo},
	{"deleting what is gone is done", nil, deleteGone},
	{"what others have taken away is created again", nil, createAgain},
	{"entries of others survive", nil, foreignSurvive},
	{"two calls at once do not disturb each other", func(r *rig) string {
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
		t.Errorf("List shows what was deleted: %+v", *e)
	}
}

func entryAsListed(t testing.TB, r *rig) {
	name := r.names(t, 1)[0]
	var before *provider.Entry
	for _, value := range []string{"one", "two", "three"} {
		answered := r.done(t, provider.Change{Name: name, Value: []byte(value), Expect: before})[0].Entry
		listed, ok := r.list(t)[r.kept(name)]
		if !ok || !same(listed, answered) {
			t.Fatalf("Apply answers %+v, List %+v", answered, listed)
		}
		if before != nil && before.Version != "" && before.Version == answered.Version {
			t.Errorf("another write has the same version %q", answered.Version)
		}
		before = &answered
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
		e := now[r.kept(names[i])]
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
		t.Errorf("there are %d entries, want 4", len(r.Truth()))
	}
}

func fullBatch(t testing.TB, r *rig) {
	const enough = 60
	changes := make([]provider.Change, min(r.destination.Batch, enough, maxEntries(r)))
	for i, name := range r.names(t, len(changes)) {
		changes[i] = provider.Change{Name: name, Value: fmt.Appendf(nil, "value %d", i)}
	}
	for i, result := range r.done(t, changes...) {
		if result.Entry.Name != r.kept(changes[i].Name) {
			t.Errorf("result %d is of %q, the change of %q", i, result.Entry.Name, changes[i].Name)
		}
	}
}

func nothingToDo(t testing.TB, r *rig) {
	if results := r.Provider.Apply(t.Context(), r.session, r.at, nil); len(results) != 0 {
		t.Errorf("Apply of nothing answers %d results", len(results))
	}
	if r.front == nil {
		return
	}
	if _, writes := r.front.counted(); writes != 0 {
		t.Errorf("Apply of nothing makes %d requests that change something", writes)
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
	// The rig holds every entry that a call does not name against what it was.
	r.done(t, provider.Change{Name: names[1], Value: []byte("ours")})
	r.done(t, provider.Change{Name: names[1], Value: []byte("ours, changed"), Expect: r.expect(t, names[1])})
	r.done(t, provider.Change{Name: names[1], Delete: true, Expect: r.expect(t, names[1])})
	if truth := r.Truth(); len(truth) != 2 {
		t.Errorf("there are %d entries, want the two of others", len(truth))
	}
}

func twoAtOnce(t testing.TB, r *rig) {
	names := r.names(t, 8)
	var group sync.WaitGroup
	failures := make([]error, len(names))
	for i, name := range names {
		group.Go(func() {
			results := r.Provider.Apply(t.Context(), r.session, r.at, []provider.Change{{Name: name, Value: []byte(name)}})
			failures[i] = results[0].Err
		})
	}
	group.Wait()
	truth := r.Truth()
	for i, name := range names {
		if failures[i] != nil || truth[r.kept(name)] != name {
			t.Errorf("%s: %v", name, failures[i])
		}
	}
}
