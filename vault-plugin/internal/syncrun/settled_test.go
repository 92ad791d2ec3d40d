package syncrun_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncrun"
)

// A visit that finds its ledger settled does not contact the destination. So whatever the ledger
// does not know must not count as settled.
func TestWhatIsSettled(t *testing.T) {
	both := map[string]string{"A": "1", "B": "2"}
	intend := func(name string, i ledger.Intent) func(*world, *syncrun.Run) {
		return func(w *world, _ *syncrun.Run) {
			e := w.ledger.Entries()[name]
			e.Intent = &i
			w.ledger.Put(name, e)
		}
	}
	for name, c := range map[string]struct {
		wants   map[string]string
		change  func(*world, *syncrun.Run)
		settled bool
	}{
		"everything is as it was written": {wants: both, settled: true},
		"an open intent to write":         {wants: both, change: intend("A", ledger.Intent{Source: "A", Version: 1})},
		"an open intent to delete":        {wants: both, change: intend("A", ledger.Intent{Delete: true})},
		"an open intent of an entry that is not owned": {
			wants: both, change: intend("C", ledger.Intent{Source: "C", Version: 1}),
		},
		"another value":    {wants: map[string]string{"A": "1", "B": "3"}},
		"another secret":   {wants: map[string]string{"A": "1", "B": "2", "C": "3"}},
		"a missing secret": {wants: map[string]string{"A": "1"}},
		"a missing secret whose entry is kept": {
			wants: map[string]string{"A": "1"}, change: func(_ *world, r *syncrun.Run) { r.Deletion = syncplan.RetainDeletion }, settled: true,
		},
		"other settings":          {wants: both, change: func(_ *world, r *syncrun.Run) { r.Shape = "another shape" }},
		"a secret without a name": {wants: both, change: func(_ *world, r *syncrun.Run) { r.Wants[0].Bad = "has no name" }},
		"two secrets with a name": {wants: both, change: func(_ *world, r *syncrun.Run) { r.Wants = append(r.Wants, r.Wants[0]) }},
		"a value that is no longer known": {wants: both, change: func(w *world, _ *syncrun.Run) {
			e := w.ledger.Entries()["A"]
			e.Print = ledger.Print{}
			w.ledger.Put("A", e)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, toy.Options{})
			w.sync(both)
			calls := len(w.server.Calls())
			r := w.run(c.wants)
			if c.change != nil {
				c.change(w, r)
			}
			settled, err := r.Settled(t.Context())
			if err != nil || settled != c.settled {
				t.Errorf("settled %t, %v; want %t", settled, err, c.settled)
			}
			if len(w.server.Calls()) != calls {
				t.Error("the destination was contacted")
			}
		})
	}
}

// While the keys cannot be used, no destination is settled, even if there is no value to compare.
func TestNothingIsSettledWithoutKeys(t *testing.T) {
	w := newWorld(t, toy.Options{})
	r := w.run(nil)
	r.Deletion = syncplan.RetainDeletion
	w.failUse(1)
	if settled, err := r.Settled(t.Context()); settled || !errors.Is(err, errKeys) {
		t.Errorf("settled %t, %v", settled, err)
	}
}

// A run compares each value with its print once, and a run without changes writes nothing.
func TestARunWithoutChangesCostsLittle(t *testing.T) {
	w := newWorld(t, toy.Options{})
	w.sync(map[string]string{"A": "1", "B": "2"})
	w.storage.Reset()
	w.failUse(0)
	r := w.run(map[string]string{"A": "1", "B": "2"})
	if settled, err := r.Settled(t.Context()); err != nil || !settled {
		t.Errorf("settled %t, %v", settled, err)
	}
	w.must(r.Execute(t.Context(), w.prepare(r)).Err)
	if puts := w.storage.Counts().Puts; puts != 0 || w.uses.n != 1 {
		t.Errorf("the run wrote %d times and used the keys %d times", puts, w.uses.n)
	}
}

// A run that looks at single entries must look at every entry whose intent is open, also if the
// ledger says that its value is the wanted one. A full list is needed where the destination limits
// the number of entries.
func TestWhatARunLooksAt(t *testing.T) {
	unlimited := toy.Options{Limits: noLimits()}
	all := map[string]string{"A": "1", "B": "2", "C": "3", "D": "4"}
	changed := map[string]string{"A": "1, changed", "B": "2", "C": "3", "D": "4"}
	for name, c := range map[string]struct {
		options toy.Options
		wants   map[string]string
		intent  string
		change  func(*syncrun.Run)
		looked  []string // the names that the run looks at; nil: it lists all
		missing string   // an entry that others have removed; it is created if the run has looked at it
		creates int
		deletes int
	}{
		"one changed secret":           {options: unlimited, wants: changed, looked: []string{"A"}, missing: "B"},
		"an entry with an open intent": {options: unlimited, wants: changed, intent: "B", looked: []string{"A", "B"}, missing: "B", creates: 1},
		"an entry that is not wanted":  {options: unlimited, wants: map[string]string{"A": "1", "B": "2", "C": "3"}, looked: []string{"D"}, missing: "B", deletes: 1},
		"a secret without a name": {
			options: unlimited, wants: changed, looked: []string{"A"}, missing: "B",
			change: func(r *syncrun.Run) {
				r.Wants = append(r.Wants, syncplan.Want{Source: "E", Version: 1, Bad: "has no name"})
			},
		},
		"a requested run":                     {options: unlimited, wants: changed, change: func(r *syncrun.Run) { r.Whole = true }, missing: "B", creates: 1},
		"a destination that declares no look": {options: unlimited, wants: changed, change: func(r *syncrun.Run) { r.Destination.Looks = false }, missing: "B", creates: 1},
		"a limited destination":               {options: toy.Options{}, wants: changed, missing: "B", creates: 1},
		"more entries to look at than not":    {options: unlimited, wants: map[string]string{"A": "x", "B": "x", "C": "x", "D": "4"}, missing: "D", creates: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.options)
			w.sync(all)
			if c.intent != "" {
				e := w.ledger.Entries()[c.intent]
				e.Intent = &ledger.Intent{Source: e.Source, Version: e.Version, Print: e.Print, Shape: e.Shape}
				w.ledger.Put(c.intent, e)
			}
			w.server.Remove("top", c.missing)
			calls := len(w.server.Calls())
			r := w.run(c.wants)
			if c.change != nil {
				c.change(r)
			}
			w.looked = nil
			p := w.prepare(r)
			if first := w.server.Calls()[calls].Operation; (first == toy.List) != (c.looked == nil) || !slices.Equal(w.looked, c.looked) {
				t.Errorf("the first call is a %s, and the run looked at %q", first, w.looked)
			}
			if creates, deletes := p.Count(syncplan.Create), p.Count(syncplan.Delete); creates != c.creates || deletes != c.deletes {
				t.Errorf("the plan creates %d entries and deletes %d: %v", creates, deletes, p.Actions)
			}
		})
	}
}
