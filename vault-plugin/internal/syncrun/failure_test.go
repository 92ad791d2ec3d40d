package syncrun_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncrun"
)

// newInterrupted returns a world whose last run wrote A and B, and ended before it stored the
// outcomes. Others have written F. The run wants all that the destination has.
func newInterrupted(t *testing.T) (*world, *syncrun.Run) {
	t.Helper()
	w := newWorld(t, toy.Options{Batch: 1, Limits: noLimits()})
	w.sync(map[string]string{"A": "0", "B": "0", "C": "3", "D": "4", "E": "5"})
	prints, err := w.ledger.Sum(t.Context(), map[string][]byte{"A": []byte("1"), "B": []byte("2")})
	w.must(err)
	wants := map[string]string{"A": "1", "B": "2", "C": "3", "D": "4", "E": "5", "F": "6"}
	for name, p := range prints {
		e := w.ledger.Entries()[name]
		e.Intent = &ledger.Intent{Source: name, Version: 2, Print: p, Shape: e.Shape}
		w.ledger.Put(name, e)
		w.server.Plant("top", name, wants[name])
	}
	w.server.Plant("top", "F", "6")
	r := w.run(wants)
	r.OnConflict = syncplan.AdoptConflict
	return w, r
}

// Values that are read back show that the writes were made, so the next run does not repeat them.
// It still knows the other values that it has compared.
func TestWritesThatWereMadeAreNotRepeated(t *testing.T) {
	w, r := newInterrupted(t)
	if p := w.prepare(r); p.Count(syncplan.Unchanged) != 5 || p.Count(syncplan.Adopt) != 1 || len(p.Lost) != 0 {
		t.Errorf("the plan is %+v", p.Plan)
	}
	if names := []string{"A", "B", "F"}; !slices.Equal(w.looked, names) || len(w.read) != len(names) {
		t.Errorf("the run looked at %v and read %d values", w.looked, len(w.read))
	}
}

// Without a value that was read back, a write may or may not have been made. So it is repeated, and
// an entry of others is not adopted.
func TestADestinationThatReturnsNoValues(t *testing.T) {
	for name, change := range map[string]func(*world, *syncrun.Run){
		"its provider can read other destinations": func(_ *world, r *syncrun.Run) { r.Destination.ReadBack = provider.ReadBackNone },
		"its provider can neither read nor look": func(w *world, r *syncrun.Run) {
			r.UseCredential = func(ctx context.Context, f func(context.Context, provider.Provider, *provider.Session) error) error {
				return w.use(ctx, func(ctx context.Context, p provider.Provider, s *provider.Session) error {
					return f(ctx, struct{ provider.Provider }{p}, s)
				})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := newInterrupted(t)
			change(w, r)
			p := w.prepare(r)
			if p.Count(syncplan.Update) != 2 || p.Count(syncplan.Unchanged) != 3 || p.Count(syncplan.Conflict) != 1 {
				t.Errorf("the plan is %+v", p.Plan)
			}
			if len(w.read) != 0 {
				t.Errorf("%d values were read", len(w.read))
			}
		})
	}
}

// An entry that is removed after it was listed has no value to compare. The plan decides without
// the value.
func TestAnEntryThatIsRemovedBeforeItIsRead(t *testing.T) {
	w := newWorld(t, toy.Options{})
	w.server.Plant("top", "A", "1")
	w.server.OnCall(func(c toy.Call) toy.Fault {
		if c.Operation == toy.Read {
			w.server.Remove("top", "A")
		}
		return toy.Fault{}
	})
	r := w.run(map[string]string{"A": "1"})
	r.Adopt = map[string]bool{"A": true}
	if p := w.prepare(r); p.Count(syncplan.Update) != 1 || len(p.Reads) != 0 {
		t.Errorf("the plan is %+v", p.Plan)
	}
}

// A plan that is made after a failure could give up entries that the sync owns, or take entries of
// others. So every failure of the destination or of the keys ends Prepare.
func TestAFailureEndsPrepare(t *testing.T) {
	refused := toy.Refused(outbound.RateLimited, 0)
	for name, c := range map[string]struct {
		fail  func(w *world, n int)
		tried func(w *world) int
		err   error
		steps int
	}{
		"the destination": {
			fail:  func(w *world, n int) { w.server.OnCall(toy.At(len(w.server.Calls())+n, refused)) },
			tried: func(w *world) int { return len(w.server.Calls()) }, err: refused.Err, steps: 4, // a look, three reads
		},
		"the keys": {
			fail:  func(w *world, n int) { w.failUse(n) },
			tried: func(w *world) int { return w.uses.n }, err: errKeys, steps: 4, // the first comparison, two of intents, the last
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := newInterrupted(t)
			before := w.ledger.Entries()
			for n := range c.steps {
				again := *r
				c.fail(w, n+1)
				start := c.tried(w)
				if _, err := again.Prepare(t.Context()); !errors.Is(err, c.err) {
					t.Errorf("at step %d, the error is %v", n+1, err)
				}
				if tried := c.tried(w) - start; tried != n+1 {
					t.Errorf("Prepare ended after %d steps, want %d", tried, n+1)
				}
			}
			c.fail(w, c.steps+1)
			w.prepare(r)
			if !maps.Equal(w.ledger.Entries(), before) {
				t.Error("Prepare has changed the ledger")
			}
		})
	}
}

// A failure of the keys ends Execute before the next change is sent. The next run completes the
// work.
func TestAFailureOfTheKeysEndsExecute(t *testing.T) {
	wants := map[string]string{"A": "1, changed", "F": "6", "NEW": "2"}
	// The print of the adopted entry; for each of two batches its prints and its intents; the last
	// outcomes.
	for n, sent := range []int{0, 0, 0, 1, 1, 2} {
		t.Run(fmt.Sprintf("use %d of the keys", n+1), func(t *testing.T) {
			w := newWorld(t, toy.Options{Batch: 1})
			w.sync(map[string]string{"A": "1"})
			w.server.Plant("top", "F", "6")
			r := w.run(wants)
			r.OnConflict = syncplan.AdoptConflict
			p := w.prepare(r)
			w.sent = nil
			w.failUse(n + 1)
			if report := r.Execute(t.Context(), p); !errors.Is(report.Err, errKeys) || report.Done != sent || len(w.sent) != sent {
				t.Errorf("got %+v, and sent %v", report, w.sent)
			}
			w.failUse(0)
			w.restart()
			r = w.run(wants)
			r.OnConflict = syncplan.AdoptConflict
			w.must(r.Execute(t.Context(), w.prepare(r)).Err)
			w.wantShelf(wants)
			if settled, err := w.run(wants).Settled(t.Context()); err != nil || !settled {
				t.Errorf("settled %t, %v", settled, err)
			}
		})
	}
}

// The outcomes that could not be stored are an error of the run, also if all changes were made.
func TestOutcomesThatCannotBeStored(t *testing.T) {
	w := newWorld(t, toy.Options{})
	r := w.run(map[string]string{"A": "1"})
	p := w.prepare(r)
	w.storage.FailFrom(2, false) // the intents, the outcomes
	report := r.Execute(t.Context(), p)
	w.storage.Reset()
	if !errors.Is(report.Err, enginetest.ErrDown) || report.Done != 1 || w.stored()["A"].Intent == nil {
		t.Errorf("got %+v, and the ledger has %+v", report, w.stored())
	}
}
