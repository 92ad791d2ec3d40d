package syncrun_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncrun"
)

// Content that others have added to an entry is lost only if a person has asked for it: with
// on_conflict for a write, and by name for a write or a deletion.
func TestWhatReplacesTheContentOfOthers(t *testing.T) {
	update, deletion := map[string]string{"A": "1, changed", "B": "2"}, map[string]string{"B": "2"}
	for name, c := range map[string]struct {
		wants      map[string]string
		onConflict syncplan.OnConflict
		adopt      bool
		replaced   bool
	}{
		"an update":                          {wants: update, onConflict: syncplan.FailConflict},
		"an update with adopt":               {wants: update, onConflict: syncplan.AdoptConflict},
		"an update with overwrite":           {wants: update, onConflict: syncplan.OverwriteConflict, replaced: true},
		"an update that is adopted by name":  {wants: update, onConflict: syncplan.FailConflict, adopt: true, replaced: true},
		"a deletion":                         {wants: deletion, onConflict: syncplan.FailConflict},
		"a deletion with overwrite":          {wants: deletion, onConflict: syncplan.OverwriteConflict},
		"a deletion that is adopted by name": {wants: deletion, onConflict: syncplan.FailConflict, adopt: true, replaced: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, toy.Options{})
			w.sync(map[string]string{"A": "1", "B": "2"})
			w.server.Extend("top", "A")
			r := w.run(c.wants)
			r.OnConflict, r.Adopt = c.onConflict, map[string]bool{"A": c.adopt}
			report := r.Execute(t.Context(), w.prepare(r))
			w.must(report.Err)
			if c.replaced {
				w.wantShelf(c.wants)
			} else {
				w.wantShelf(map[string]string{"A": "1", "B": "2"})
			}
			if w.server.Extended("top", "A") == c.replaced {
				t.Errorf("the content of others was replaced: %t", !c.replaced)
			}
			if failed := len(report.Failures) == 1 && report.Failures[0].Foreign; failed == c.replaced {
				t.Errorf("got %+v", report)
			}
		})
	}
}

// Deleted names each entry once that the sync has deleted, now or in a run that lost the outcome.
// It names no entry that exists, and none that others have removed.
func TestWhatCountsAsDeleted(t *testing.T) {
	w := newWorld(t, toy.Options{})
	gone := []string{"A", "B", "C", "D", "E", "F"}
	values := map[string]string{"AGAIN": "1", "EXISTS": "2", "REMOVED": "3", "LOST": "4"}
	for _, name := range gone {
		values[name] = "0"
	}
	w.sync(values)
	intend := func(i ledger.Intent, names ...string) {
		for _, name := range names {
			e := w.ledger.Entries()[name]
			e.Intent = &i
			w.ledger.Put(name, e)
		}
	}
	intend(ledger.Intent{Delete: true}, append(slices.Clone(gone), "AGAIN", "EXISTS")...)
	intend(ledger.Intent{Source: "LOST", Version: 2}, "LOST")
	for _, name := range append(slices.Clone(gone), "REMOVED", "LOST") {
		w.server.Remove("top", name)
	}
	report := w.sync(map[string]string{"AGAIN": "1"})
	if want := append(slices.Clone(gone), "EXISTS"); !slices.Equal(report.Deleted, want) || report.Done != 1 {
		t.Errorf("got %+v, want the deletions %v", report, want)
	}
	w.wantShelf(map[string]string{"AGAIN": "1"})
	if got := w.stored(); len(got) != 1 || !got["AGAIN"].Owned {
		t.Errorf("the ledger has %+v", got)
	}
}

// After a change that was skipped, no further batch is sent. The error is the first reason. A
// provider that names no reason has a mistake.
func TestASkippedChangeEndsTheRun(t *testing.T) {
	limited := &outbound.Error{Class: outbound.RateLimited}
	for name, c := range map[string]struct {
		reasons []error
		class   outbound.Class
	}{
		"the reasons differ":  {reasons: []error{limited, &outbound.Error{Class: outbound.Auth}}, class: outbound.RateLimited},
		"a reason is missing": {reasons: []error{limited, nil}, class: outbound.RateLimited},
		"there is no reason":  {reasons: []error{nil, nil}, class: outbound.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, toy.Options{Batch: 2})
			w.spoil = func(results []provider.Result) []provider.Result {
				for i := range results {
					results[i] = provider.Result{Outcome: provider.Skipped, Err: c.reasons[i]}
				}
				return results
			}
			r := w.run(map[string]string{"A": "1", "B": "2", "C": "3"})
			report := r.Execute(t.Context(), w.prepare(r))
			if outbound.ClassOf(report.Err) != c.class || len(report.Failures) != 2 || report.Done != 0 {
				t.Errorf("got %+v", report)
			}
			if !slices.Equal(w.sent, []string{"A", "B"}) {
				t.Errorf("sent %v", w.sent)
			}
		})
	}
}

// A change that fails is a failed use of the credential, and its hint reaches the report.
func TestAFailedChangeIsAFailedUse(t *testing.T) {
	refused := toy.Refused(outbound.Permission, 0)
	w := newWorld(t, toy.Options{})
	w.server.OnCall(func(c toy.Call) toy.Fault {
		if c.Name == "B" {
			return refused
		}
		return toy.Fault{}
	})
	report := w.sync(map[string]string{"A": "1", "B": "2", "C": "3"})
	if len(w.ended) != 2 || w.ended[0] != nil || !errors.Is(w.ended[1], refused.Err) {
		t.Errorf("the uses of the credential returned %v", w.ended)
	}
	want := syncrun.Failure{Name: "B", Source: "B", Class: outbound.Permission, Hint: "the test has set this fault"}
	if report.Done != 2 || !slices.Equal(report.Failures, []syncrun.Failure{want}) {
		t.Errorf("got %+v", report)
	}
	w.server.OnCall(nil)
	w.ended = nil
	w.sync(map[string]string{"A": "1", "B": "2", "C": "3"})
	if len(w.ended) != 2 || errors.Join(w.ended...) != nil {
		t.Errorf("the uses of the credential returned %v", w.ended)
	}
}
