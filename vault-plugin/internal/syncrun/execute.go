package syncrun

import (
	"context"
	"errors"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
)

// Failure is an entry that could not be brought to what it should be.
type Failure struct {
	Name, Source string
	Class        outbound.Class
	Hint         string
	Unknown      bool // it may have been changed: the next run looks
}

// Report is how a run ended.
type Report struct {
	Done     int // changes that were made
	Failures []Failure
	// Err ended the run before all was tried: an *outbound.Error of the destination, what Continues answered, or a failure of storage.
	Err error
}

// Execute carries a plan out. Before a batch is begun, the ledger is stored with what the batch is to do; what has come of the one before
// is stored with it, so n batches cost n+1 writes.
func (r *Run) Execute(ctx context.Context, p Prepared) Report {
	report := Report{}
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
	// What is known by now is kept whatever has ended the run.
	if err := r.Ledger.Save(context.WithoutCancel(ctx)); err != nil {
		report.Err = errors.Join(err, report.Err)
	}
	return report
}

// reconcileLedger brings the ledger to what the plan was made from, and to what it decides without a change at the destination.
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
			if e.Version != a.Version || e.Source != a.Source { // another version of the secret has the same value
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

// batches are the changes of a plan. Writes come first, so that whoever reads an entry under its new name finds it before the old one
// goes; but where there is no room, deletions do.
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

// change announces a batch, makes it, and notes what has come of it.
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
		r.Ledger.Put(a.Name, settled(e, result))
		switch {
		case result.Outcome == provider.Done:
			report.Done++
			continue
		case result.Outcome == provider.Skipped && err == nil:
			err = result.Err
			if err == nil {
				err = errOdd()
			}
		}
		report.Failures = append(report.Failures, failure(a, result))
	}
	return err
}

// settled is what is known of an entry once its change has a result.
func settled(e ledger.Entry, result provider.Result) ledger.Entry {
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
	f := Failure{Name: a.Name, Source: a.Source, Class: outbound.ClassOf(result.Err), Unknown: result.Outcome == provider.Unknown}
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
		for _, a := range batch { // none of it has begun
			r.Ledger.Put(a.Name, entries[a.Name])
		}
		return err
	}
	return nil
}

// apply makes the changes. No results and an error mean that none was begun.
func (r *Run) apply(ctx context.Context, batch []syncplan.Action) (results []provider.Result, err error) {
	changes := make([]provider.Change, len(batch))
	for i, a := range batch {
		changes[i] = provider.Change{Name: a.Name, Delete: a.Kind == syncplan.Delete, Expect: a.Expect}
		if a.Expect != nil {
			changes[i].Name = a.Expect.Name
		}
		if !changes[i].Delete {
			changes[i].Value = r.Values[a.Name]
		}
	}
	err = r.UseCredential(ctx, func(ctx context.Context, p provider.Provider, session *provider.Session) error {
		results = p.Apply(ctx, session, r.Place, changes)
		if len(results) != len(changes) { // it may have done anything
			results = make([]provider.Result, len(changes))
			for i := range results {
				results[i] = provider.Result{Outcome: provider.Unknown, Err: errOdd()}
			}
		}
		for _, result := range results {
			if result.Outcome != provider.Done && result.Err != nil {
				return result.Err // so that the integration shows that its use has failed
			}
		}
		return nil
	})
	if results != nil {
		err = nil
	}
	return results, err
}

func errOdd() error {
	return &outbound.Error{Class: outbound.Internal, Operation: "apply changes", Unknown: true, Hint: "the provider's part of the engine has answered what it must not; report it"}
}
