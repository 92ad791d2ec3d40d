package syncrun

import (
	"context"
	"errors"
	"slices"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
)

// Failure is an entry whose change failed.
type Failure struct {
	Name, Source string
	Class        outbound.Class
	Hint         string
	Unknown      bool // the change may have been made; the next run checks
	Foreign      bool // the object of the entry has content of others; see provider.ErrForeign
}

// Report is the result of Execute.
type Report struct {
	Done     int // changes that were made
	Failures []Failure
	// Deleted names the entries that were deleted at the destination. They include entries whose
	// deletion an earlier run had begun, and that no longer exist.
	Deleted []string
	// Err is why Execute ended before it tried every change: an *outbound.Error of the destination,
	// an error of Continues, or a storage error.
	Err error
}

// Execute carries out a plan in batches. Before each batch, one write of the ledger stores the
// intents of the batch and the outcomes of the batch before it. So n batches cost n+1 writes.
func (r *Run) Execute(ctx context.Context, p Prepared) Report {
	report := Report{}
	report.Deleted = r.concludedDeletions(p)
	if report.Err = r.reconcileLedger(ctx, p); report.Err != nil {
		return report
	}
	if p.Blocked == "" {
		for _, batch := range r.batches(p) {
			if report.Err = r.change(ctx, batch, &report); report.Err != nil {
				break
			}
		}
	}
	// The known outcomes are stored even if the run failed or was cancelled.
	report.Err = errors.Join(r.Ledger.Save(context.WithoutCancel(ctx)), report.Err)
	return report
}

// concludedDeletions returns the names of the entries that an earlier run was deleting when it lost
// the outcome, and that no longer exist.
func (r *Run) concludedDeletions(p Prepared) []string {
	var names []string
	for name, before := range r.Ledger.Entries() {
		if _, exists := p.actual[name]; before.Intent != nil && before.Intent.Delete && !exists {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// reconcileLedger applies to the ledger the resolved intents, and the actions that need no change
// at the destination.
func (r *Run) reconcileLedger(ctx context.Context, p Prepared) error {
	for name, before := range r.Ledger.Entries() {
		if after := p.entries[name]; after != before {
			r.Ledger.Put(name, after)
		}
	}
	adopted := make(map[string][]byte)
	for _, a := range p.Actions {
		switch e := p.entries[a.Name]; a.Kind {
		case syncplan.Forget:
			r.Ledger.Put(a.Name, ledger.Entry{})
		case syncplan.Adopt:
			adopted[a.Name] = r.Values[a.Name]
		case syncplan.Unchanged:
			// A new version of the secret may have the same value.
			if e.Version != a.Version || e.Source != a.Source {
				e.Version, e.Source = a.Version, a.Source
				r.Ledger.Put(a.Name, e)
			}
		}
	}
	if len(adopted) == 0 || p.Blocked != "" {
		return nil
	}
	prints, err := r.Ledger.Sum(ctx, adopted)
	if err != nil {
		return err
	}
	for _, a := range p.Actions {
		if a.Kind == syncplan.Adopt {
			r.Ledger.Put(a.Name, ledger.Entry{
				Owned: true, Source: a.Source, Version: a.Version, Print: prints[a.Name], Shape: r.Shape, Remote: ledger.RemoteOf(*a.Expect),
			})
		}
	}
	return nil
}

// batches returns the changes of a plan in batches. Writes come before deletions, so a reader of a
// renamed entry finds the new name before the old one disappears. In a crowded destination
// deletions come first.
func (r *Run) batches(p Prepared) [][]syncplan.Action {
	var writes, deletes []syncplan.Action
	for _, a := range p.Actions {
		switch {
		case a.Kind == syncplan.Delete:
			deletes = append(deletes, a)
		case a.Kind.Writes():
			writes = append(writes, a)
		}
	}
	first, then := writes, deletes
	if p.Crowded {
		first, then = deletes, writes
	}
	var all [][]syncplan.Action
	for _, group := range [][]syncplan.Action{first, then} {
		for len(group) > 0 {
			n := min(len(group), r.Destination.Batch)
			all = append(all, group[:n])
			group = group[n:]
		}
	}
	return all
}

// change stores the intents of a batch, applies the batch, and records the outcomes in the ledger.
func (r *Run) change(ctx context.Context, batch []syncplan.Action, report *Report) error {
	if err := r.announce(ctx, batch); err != nil {
		return err
	}
	results, err := r.apply(ctx, batch)
	entries := r.Ledger.Entries()
	for i, a := range batch {
		e := entries[a.Name]
		result := provider.Result{Outcome: provider.Skipped, Err: err}
		if results != nil {
			result = results[i]
		}
		r.Ledger.Put(a.Name, entryAfter(e, result))
		switch {
		case result.Outcome == provider.Done:
			report.Done++
			if a.Kind == syncplan.Delete {
				report.Deleted = append(report.Deleted, a.Name)
			}
			continue
		case result.Outcome == provider.Skipped && err == nil:
			err = result.Err
			if err == nil {
				err = errMalformed()
			}
		}
		report.Failures = append(report.Failures, failure(a, result))
	}
	return err
}

// entryAfter returns the ledger entry after its change had the given result.
func entryAfter(e ledger.Entry, result provider.Result) ledger.Entry {
	intent := e.Intent
	switch {
	case result.Outcome == provider.Unknown:
		return e
	case result.Outcome != provider.Done:
		e.Intent = nil
		return e
	case intent.Delete:
		return ledger.Entry{}
	}
	return ledger.Entry{
		Owned: true, Source: intent.Source, Version: intent.Version, Print: intent.Print, Shape: intent.Shape, Remote: ledger.RemoteOf(result.Entry),
	}
}

func failure(a syncplan.Action, result provider.Result) Failure {
	f := Failure{Name: a.Name, Source: a.Source, Class: outbound.ClassOf(result.Err), Unknown: result.Outcome == provider.Unknown, Foreign: errors.Is(result.Err, provider.ErrForeign)}
	var known *outbound.Error
	if errors.As(result.Err, &known) {
		f.Hint = known.Hint
	}
	return f
}

func (r *Run) announce(ctx context.Context, batch []syncplan.Action) error {
	if err := r.Continues(); err != nil {
		return err
	}
	values := make(map[string][]byte)
	for _, a := range batch {
		if a.Kind != syncplan.Delete {
			values[a.Name] = r.Values[a.Name]
		}
	}
	prints, err := r.Ledger.Sum(ctx, values)
	if err != nil {
		return err
	}
	entries := r.Ledger.Entries()
	for _, a := range batch {
		e := entries[a.Name]
		e.Intent = &ledger.Intent{Delete: a.Kind == syncplan.Delete, Source: a.Source, Version: a.Version, Print: prints[a.Name], Shape: r.Shape}
		r.Ledger.Put(a.Name, e)
	}
	if err := r.Ledger.Save(ctx); err != nil {
		for _, a := range batch { // no change of the batch was made
			r.Ledger.Put(a.Name, entries[a.Name])
		}
		return err
	}
	return nil
}

// apply makes the changes. Nil results and an error mean that no change was made.
func (r *Run) apply(ctx context.Context, batch []syncplan.Action) (results []provider.Result, err error) {
	changes := make([]provider.Change, len(batch))
	for i, a := range batch {
		// A name that is deleted is not wanted, so it has no value.
		changes[i] = provider.Change{Name: a.Name, Delete: a.Kind == syncplan.Delete, Value: r.Values[a.Name], Expect: a.Expect}
		if a.Expect != nil {
			changes[i].Name = a.Expect.Name
		}
		// on_conflict says what happens to the content of others when an entry is written. Deleting
		// it needs a person who names the entry.
		changes[i].Replace = a.Takes || a.Kind == syncplan.Update && r.OnConflict == syncplan.OverwriteConflict
	}
	err = r.UseCredential(ctx, func(ctx context.Context, p provider.Provider, session *provider.Session) error {
		results = wellFormed(p.Apply(ctx, session, r.Place, changes), len(changes))
		for _, result := range results {
			if result.Err != nil {
				return result.Err // so that the integration records a failed use
			}
		}
		return nil
	})
	if results != nil {
		err = nil
	}
	return results, err
}

// wellFormed returns results as the contract of Apply requires them. Where the provider's code has
// returned something else, any change may have been made.
func wellFormed(results []provider.Result, changes int) []provider.Result {
	known := []provider.Outcome{provider.Done, provider.Failed, provider.Unknown, provider.Skipped}
	if len(results) != changes {
		results = make([]provider.Result, changes)
	}
	for i, result := range results {
		if !slices.Contains(known, result.Outcome) {
			results[i] = provider.Result{Outcome: provider.Unknown, Err: errMalformed()}
		}
	}
	return results
}

// errMalformed is the error of a provider that breaks the contract of provider.Provider.Apply.
func errMalformed() error {
	return &outbound.Error{Class: outbound.Internal, Operation: "apply changes", Unknown: true, Hint: "the provider's code returned invalid results; report this as a bug"}
}
