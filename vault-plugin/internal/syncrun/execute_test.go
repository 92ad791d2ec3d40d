package syncrun_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
)

// noLimits returns the limits of a destination that has none.
func noLimits() *provider.Limits { return &provider.Limits{} }

// A provider that returns fewer results than changes, more, or results without an outcome, must not
// end the process. Nothing is known of its changes: each stays an intent until the next run has
// looked at the destination.
func TestMalformedResultsAreUnknown(t *testing.T) {
	for name, spoil := range map[string]func([]provider.Result) []provider.Result{
		"no results":    func([]provider.Result) []provider.Result { return nil },
		"fewer results": func(r []provider.Result) []provider.Result { return r[:len(r)-1] },
		"more results":  func(r []provider.Result) []provider.Result { return append(r, provider.Result{Outcome: provider.Done}) },
		"no outcomes":   func(r []provider.Result) []provider.Result { return make([]provider.Result, len(r)) },
		"another outcome": func(r []provider.Result) []provider.Result {
			return slices.Repeat([]provider.Result{{Outcome: "perhaps"}}, len(r))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, toy.Options{})
			w.sync(map[string]string{"A": "1", "B": "2"})
			w.spoil = spoil
			r := w.run(map[string]string{"A": "1, changed", "C": "3"}) // and B is deleted
			report := r.Execute(t.Context(), w.prepare(r))
			if report.Done != 0 || len(report.Deleted) != 0 || len(report.Failures) != 3 || report.Err != nil {
				t.Errorf("got %+v", report)
			}
			for _, f := range report.Failures {
				if !f.Unknown || f.Class != outbound.Internal {
					t.Errorf("the failure is %+v", f)
				}
			}
			for _, name := range []string{"A", "B", "C"} {
				if w.stored()[name].Intent == nil {
					t.Errorf("the ledger has no intent of %s", name)
				}
			}
			w.spoil = nil
			w.restart()
			if report := w.sync(map[string]string{"A": "1, changed", "C": "3"}); !slices.Equal(report.Deleted, []string{"B"}) {
				t.Errorf("the next run reports %+v", report)
			}
			w.wantShelf(map[string]string{"A": "1, changed", "C": "3"})
			if settled, err := w.run(map[string]string{"A": "1, changed", "C": "3"}).Settled(t.Context()); err != nil || !settled {
				t.Errorf("settled %t, %v", settled, err)
			}
		})
	}
}

// At the time of each change, its intent must be stored. A batch whose intents cannot be stored
// must not be sent.
func TestIntentsAreStoredBeforeTheirChanges(t *testing.T) {
	w := newWorld(t, toy.Options{Batch: 2})
	w.sync(map[string]string{"A": "1", "B": "2"})
	changes := 0
	w.server.OnCall(func(c toy.Call) toy.Fault {
		if c.Changes() {
			changes++
			intent, deletes := w.stored()[c.Name].Intent, c.Operation == toy.Delete
			if intent == nil || intent.Delete != deletes || intent.Print.Known() == deletes {
				t.Errorf("at the change of %s, its intent is %+v", c.Name, intent)
			}
		}
		return toy.Fault{}
	})
	w.sync(map[string]string{"A": "1, changed", "C": "3"})
	if changes != 3 {
		t.Errorf("%d changes were made", changes)
	}

	before := len(w.server.Calls())
	r := w.run(map[string]string{"A": "2", "C": "4"})
	p := w.prepare(r)
	w.server.OnCall(nil)
	w.storage.FailFrom(1, false)
	report := r.Execute(t.Context(), p)
	w.storage.Reset()
	if !errors.Is(report.Err, enginetest.ErrDown) || report.Done != 0 {
		t.Errorf("got %+v", report)
	}
	if slices.ContainsFunc(w.server.Calls()[before:], toy.Call.Changes) {
		t.Error("a change was sent without its intent")
	}
	for name, e := range w.ledger.Entries() {
		if e.Intent != nil {
			t.Errorf("%s has an intent, although nothing was sent", name)
		}
	}
}

// Each outcome leaves the ledger with exactly what is known.
func TestWhatTheLedgerKnowsAfterAChange(t *testing.T) {
	refused := toy.Refused(outbound.Invalid, 0) // does not end the batch
	for name, c := range map[string]struct {
		fault         toy.Fault
		on            string
		owned, intent bool
		done          int
	}{
		"a creation that is done":           {on: "C", owned: true, done: 3},
		"a creation that is refused":        {on: "C", fault: refused, done: 2},
		"a creation whose response is lost": {on: "C", fault: toy.Lost(true), intent: true},
		"an update that is refused":         {on: "A", fault: refused, owned: true, done: 2},
		"an update whose response is lost":  {on: "A", fault: toy.Lost(false), owned: true, intent: true},
		"a deletion that is done":           {on: "B", done: 3},
		"a deletion that is refused":        {on: "B", fault: refused, owned: true, done: 2},
		"a deletion whose response is lost": {on: "B", fault: toy.Lost(true), owned: true, intent: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, toy.Options{})
			w.sync(map[string]string{"A": "1", "B": "2"})
			w.server.OnCall(func(call toy.Call) toy.Fault {
				if call.Changes() && call.Name == c.on {
					return c.fault
				}
				return toy.Fault{}
			})
			r := w.run(map[string]string{"A": "1, changed", "C": "3"})
			report := r.Execute(t.Context(), w.prepare(r))
			e := w.stored()[c.on]
			if e.Owned != c.owned || (e.Intent != nil) != c.intent {
				t.Errorf("the ledger has %+v", e)
			}
			if c.done != 0 && report.Done != c.done {
				t.Errorf("%d changes are done, want %d: %+v", report.Done, c.done, report)
			}
			if deleted := slices.Contains(report.Deleted, "B"); deleted != (w.stored()["B"].Intent == nil && !w.stored()["B"].Owned) {
				t.Errorf("deleted %v, and the ledger has %+v", report.Deleted, w.stored()["B"])
			}
		})
	}
}

// After an error that would repeat, the rest of a batch is not tried. What was not tried has no
// intent, and the report has one failure for each change.
func TestABatchThatEndsEarly(t *testing.T) {
	w := newWorld(t, toy.Options{Batch: 2})
	w.server.OnCall(func(c toy.Call) toy.Fault {
		if c.Changes() {
			return toy.Refused(outbound.RateLimited, 0)
		}
		return toy.Fault{}
	})
	r := w.run(map[string]string{"A": "1", "B": "2", "C": "3"})
	report := r.Execute(t.Context(), w.prepare(r))
	if outbound.ClassOf(report.Err) != outbound.RateLimited || len(report.Failures) != 2 || report.Done != 0 {
		t.Errorf("got %+v", report)
	}
	if left := w.stored(); len(left) != 0 {
		t.Errorf("the ledger has %v", left)
	}
	for _, c := range w.server.Calls() {
		if c.Name == "C" {
			t.Error("the second batch was sent")
		}
	}
}

// A use of the credential that is refused changes nothing, and is the error of the run.
func TestARefusedUseChangesNothing(t *testing.T) {
	w := newWorld(t, toy.Options{})
	r := w.run(map[string]string{"A": "1"})
	p := w.prepare(r)
	w.refuse = &outbound.Error{Class: outbound.Permission, Hint: "paused"}
	report := r.Execute(t.Context(), p)
	if !errors.Is(report.Err, w.refuse) || report.Done != 0 || len(w.stored()) != 0 {
		t.Errorf("got %+v, and the ledger has %v", report, w.stored())
	}
	w.wantShelf(map[string]string{})
}

// A run that is superseded ends between two batches, and stores what it knows.
func TestASupersededRunEndsBetweenBatches(t *testing.T) {
	w := newWorld(t, toy.Options{Batch: 1})
	superseded := errors.New("superseded")
	r := w.run(map[string]string{"A": "1", "B": "2", "C": "3"})
	batches := 0
	r.Continues = func() error {
		if batches++; batches > 2 {
			return superseded
		}
		return nil
	}
	report := r.Execute(t.Context(), w.prepare(r))
	if !errors.Is(report.Err, superseded) || report.Done != 2 {
		t.Errorf("got %+v", report)
	}
	w.wantShelf(map[string]string{"A": "1", "B": "2"})
	if got := w.stored(); len(got) != 2 || !got["A"].Owned || !got["B"].Owned {
		t.Errorf("the ledger has %v", got)
	}
}

// The outcomes that are known are stored even if the run is canceled.
func TestACanceledRunStoresItsOutcomes(t *testing.T) {
	w := newWorld(t, toy.Options{Batch: 1})
	ctx, cancel := context.WithCancel(t.Context())
	r := w.run(map[string]string{"A": "1", "B": "2"})
	p := w.prepare(r)
	w.server.OnCall(func(c toy.Call) toy.Fault {
		if c.Name == "A" {
			cancel()
		}
		return toy.Fault{}
	})
	if report := r.Execute(ctx, p); report.Done != 1 {
		t.Errorf("got %+v", report)
	}
	if e := w.stored()["A"]; !e.Owned || e.Intent != nil {
		t.Errorf("the ledger has %+v", e)
	}
}

// A new name of a secret is written before the old name is deleted, so a reader always finds one.
// At a destination without room it is the other way round. n batches cost n+1 writes.
func TestTheOrderOfChanges(t *testing.T) {
	for _, crowded := range []bool{false, true} {
		t.Run(fmt.Sprintf("crowded %t", crowded), func(t *testing.T) {
			limits := toy.DefaultLimits()
			if crowded {
				limits.MaxEntries = 2
			}
			w := newWorld(t, toy.Options{Batch: 1, Limits: &limits})
			w.sync(map[string]string{"OLD": "1", "SAME": "2"})
			first := len(w.server.Calls())
			r := w.run(map[string]string{"NEW": "1", "SAME": "2"})
			p := w.prepare(r)
			w.storage.Reset()
			report := r.Execute(t.Context(), p)
			if report.Err != nil || report.Done != 2 || !slices.Equal(report.Deleted, []string{"OLD"}) {
				t.Errorf("got %+v", report)
			}
			var order []string
			for _, c := range w.server.Calls()[first:] {
				if c.Changes() {
					order = append(order, string(c.Operation)+" "+c.Name)
				}
			}
			want := []string{"write NEW", "delete OLD"}
			if crowded {
				slices.Reverse(want)
			}
			if !slices.Equal(order, want) {
				t.Errorf("the order is %v", order)
			}
			if puts := w.storage.Counts().Puts; puts != 3 {
				t.Errorf("two batches took %d writes", puts)
			}
		})
	}
}

// A plan that is blocked sends nothing and adopts nothing, but intents that a look has resolved are
// stored.
func TestABlockedPlanSendsNothing(t *testing.T) {
	w := newWorld(t, toy.Options{})
	w.sync(map[string]string{"A": "1"})
	w.server.Plant("top", "F", "2")
	e := w.ledger.Entries()["A"]
	e.Intent = &ledger.Intent{Source: "A", Version: 1, Print: e.Print, Shape: e.Shape}
	w.ledger.Put("A", e)
	before := len(w.server.Calls())
	r := w.run(map[string]string{"A": "1", "F": "2", "NEW": "3", "TOY_RESERVED": "4"})
	r.OnConflict = syncplan.AdoptConflict
	p := w.prepare(r)
	if p.Blocked == "" || p.Count(syncplan.Adopt) != 1 || p.Count(syncplan.Create) != 1 {
		t.Fatalf("the plan is %+v", p.Plan)
	}
	w.must(r.Execute(t.Context(), p).Err)
	if slices.ContainsFunc(w.server.Calls()[before:], toy.Call.Changes) {
		t.Error("a change was sent")
	}
	got := w.stored()
	if _, adopted := got["F"]; adopted || got["A"].Intent != nil || !got["A"].Owned {
		t.Errorf("the ledger has %+v", got)
	}
}

// An entry of others that already has the wanted value is owned without a write. Its print must
// recognise the value, or the next run would write it.
func TestAnAdoptedEntryIsNotWritten(t *testing.T) {
	w := newWorld(t, toy.Options{})
	w.server.Plant("top", "A", "1")
	w.server.Plant("top", "B", "another's")
	r := w.run(map[string]string{"A": "1", "B": "2"})
	r.OnConflict = syncplan.AdoptConflict
	w.must(r.Execute(t.Context(), w.prepare(r)).Err)
	if got := w.stored(); len(got) != 1 || !got["A"].Owned || got["A"].Remote.Version == "" {
		t.Errorf("the ledger has %+v", got)
	}
	if settled, err := w.run(map[string]string{"A": "1"}).Settled(t.Context()); err != nil || !settled {
		t.Errorf("settled %t, %v", settled, err)
	}
	for _, c := range w.server.Calls() {
		if c.Changes() {
			t.Errorf("the run made the change %+v", c)
		}
	}
	w.wantShelf(map[string]string{"A": "1", "B": "another's"})
}

// A value that was read from the destination must not stay in memory.
func TestValuesThatWereReadAreCleared(t *testing.T) {
	w := newWorld(t, toy.Options{})
	w.sync(map[string]string{"A": "a value"})
	e := w.ledger.Entries()["A"]
	e.Intent = &ledger.Intent{Source: "A", Version: 1, Print: e.Print, Shape: e.Shape}
	w.ledger.Put("A", e)
	w.server.Plant("top", "B", "another value")
	r := w.run(map[string]string{"A": "a value", "B": "another value"})
	r.OnConflict = syncplan.AdoptConflict
	if p := w.prepare(r); p.Count(syncplan.Adopt) != 1 || p.Count(syncplan.Unchanged) != 1 {
		t.Errorf("the plan is %+v", p.Plan)
	}
	if len(w.read) != 2 {
		t.Errorf("%d values were read", len(w.read))
	}
	for _, value := range w.read {
		if slices.ContainsFunc(value, func(b byte) bool { return b != 0 }) {
			t.Error("a value was not cleared")
		}
	}
}

// A new version of a secret with the same value changes only the ledger.
func TestANewVersionWithTheSameValueIsNotWritten(t *testing.T) {
	for name, c := range map[string]struct {
		version uint64
		source  string
	}{
		"a new version": {7, "A"},
		"another name":  {1, "RENAMED"},
		"both":          {7, "RENAMED"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, toy.Options{})
			w.sync(map[string]string{"A": "1"})
			before := len(w.server.Calls())
			r := w.run(map[string]string{"A": "1"})
			r.Wants[0].Version, r.Wants[0].Source = c.version, c.source
			w.must(r.Execute(t.Context(), w.prepare(r)).Err)
			if e := w.stored()["A"]; e.Version != c.version || e.Source != c.source || !e.Owned {
				t.Errorf("the ledger has %+v", e)
			}
			if slices.ContainsFunc(w.server.Calls()[before:], toy.Call.Changes) {
				t.Error("the destination was changed")
			}
		})
	}
}

// Names are compared in the form that the destination uses, and sent in the form that it has
// listed.
func TestNamesAreFolded(t *testing.T) {
	w := newWorld(t, toy.Options{Fold: strings.ToUpper})
	w.list = func(entries []provider.Entry) []provider.Entry {
		for i := range entries {
			entries[i].Name = strings.ToLower(entries[i].Name)
		}
		return entries
	}
	w.server.Plant("top", "a", "another's")
	r := w.run(map[string]string{"A": "1"})
	if p := w.prepare(r); p.Count(syncplan.Conflict) != 1 {
		t.Errorf("the plan is %+v", p.Plan)
	}
	r.Adopt = map[string]bool{"A": true}
	p := w.prepare(r)
	report := r.Execute(t.Context(), p)
	if report.Err != nil || report.Done != 1 || !slices.Equal(w.sent, []string{"a"}) {
		t.Errorf("got %+v, and sent %v", report, w.sent)
	}
	w.wantShelf(map[string]string{"A": "1"})
}
