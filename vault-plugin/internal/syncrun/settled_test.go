package syncrun_test

import (
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
		whole   bool
		list    bool
		missing string // an entry that others have removed; it is created if the run has looked at it
		creates int
		deletes int
	}{
		"one changed secret":               {options: unlimited, wants: changed, missing: "B"},
		"an entry with an open intent":     {options: unlimited, wants: changed, intent: "B", missing: "B", creates: 1},
		"an entry that is not wanted":      {options: unlimited, wants: map[string]string{"A": "1", "B": "2", "C": "3"}, missing: "B", deletes: 1},
		"a requested run":                  {options: unlimited, wants: changed, whole: true, list: true, missing: "B", creates: 1},
		"a limited destination":            {options: toy.Options{}, wants: changed, list: true, missing: "B", creates: 1},
		"more entries to look at than not": {options: unlimited, wants: map[string]string{"A": "x", "B": "x", "C": "x", "D": "4"}, list: true, missing: "D", creates: 1},
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
			r.Whole = c.whole
			p := w.prepare(r)
			if first := w.server.Calls()[calls].Operation; (first == toy.List) != c.list {
				t.Errorf("the first call is a %s", first)
			}
			if creates, deletes := p.Count(syncplan.Create), p.Count(syncplan.Delete); creates != c.creates || deletes != c.deletes {
				t.Errorf("the plan creates %d entries and deletes %d: %v", creates, deletes, p.Actions)
			}
		})
	}
}
