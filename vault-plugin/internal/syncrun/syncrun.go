// Package syncrun owns one run of a sync. A run looks at the destination, makes a plan and carries
// the plan out. Each change is announced in the ledger before it is made. The package knows nothing
// of sync definitions, of triggers, and of what a failure means for the next run.
package syncrun

import (
	"context"
	"crypto/subtle"
	"fmt"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
)

// UseCredential calls f with the integration's provider and a session. It returns an error without
// calling f if the credential may not be used now.
type UseCredential func(ctx context.Context, f func(ctx context.Context, p provider.Provider, session *provider.Session) error) error

// Run is the input of a run, and its methods are the steps.
type Run struct {
	Destination   provider.Destination
	Place         provider.Place
	UseCredential UseCredential
	Ledger        *ledger.Ledger

	Wants []syncplan.Want // Same is ignored
	// Values are the wanted values by the name at the destination.
	Values      map[string][]byte
	SourceEmpty bool
	Shape       string // identifies the settings that entries are written under

	OnConflict syncplan.OnConflict
	Deletion   syncplan.Deletion
	Adopt      map[string]bool

	// Whole makes Prepare list the whole destination, even if looking at single entries would do.
	Whole bool

	// Continues is called before each batch. Its error ends the run.
	Continues func() error

	recognised map[string]recognition // by name: what the run has compared so far
}

// recognition is the outcome of comparing the run's value of a name with a print.
type recognition struct {
	against ledger.Print
	same    bool
}

// Prepared is a plan and the ledger entries it was made from.
type Prepared struct {
	syncplan.Plan
	Lost []string // names of entries that were owned and may now belong to someone else

	entries map[string]ledger.Entry // with resolved intents
	actual  map[string]provider.Entry
}

// fold returns the form of a name that the destination compares.
func (r *Run) fold(name string) string {
	if r.Destination.Fold == nil {
		return name
	}
	return r.Destination.Fold(name)
}

// Settled reports whether the ledger says that the destination is up to date. A run then needs no
// look at the destination.
func (r *Run) Settled(ctx context.Context) (bool, error) {
	entries := r.Ledger.Entries()
	for _, e := range entries {
		if e.Intent != nil {
			return false, nil
		}
	}
	wants, err := r.compareWants(ctx, entries)
	if err != nil {
		return false, err
	}
	wanted := make(map[string]bool, len(wants))
	for _, w := range wants {
		if w.Bad != "" || !w.Same {
			return false, nil
		}
		wanted[w.Name] = true
	}
	if len(wanted) != len(wants) {
		return false, nil
	}
	// Every entry is owned, because none has an intent.
	return len(entries) == len(wanted) || r.Deletion == syncplan.RetainDeletion, nil
}

// compareWants returns the wants with Same set. A run compares a value with a print once. An entry
// that is not in the ledger has the zero print, which recognises no value.
func (r *Run) compareWants(ctx context.Context, entries map[string]ledger.Entry) ([]syncplan.Want, error) {
	if err := r.recognise(ctx, entries); err != nil {
		return nil, err
	}
	wants := make([]syncplan.Want, len(r.Wants))
	for i, w := range r.Wants {
		w.Same = entries[w.Name].Shape == r.Shape && r.recognised[w.Name].same
		wants[i] = w
	}
	return wants, nil
}

// recognise compares the values of the run with those prints of the entries that it has not
// compared before.
func (r *Run) recognise(ctx context.Context, entries map[string]ledger.Entry) error {
	values, prints := make(map[string][]byte), make(map[string]ledger.Print)
	for _, w := range r.Wants {
		if p := entries[w.Name].Print; !r.recognised[w.Name].against.Same(p) {
			values[w.Name], prints[w.Name] = r.Values[w.Name], p
		}
	}
	if len(values) == 0 && r.recognised != nil {
		return nil
	}
	same, err := r.Ledger.Recognise(ctx, values, prints)
	if err != nil {
		return fmt.Errorf("compare values with the ledger: %w", err)
	}
	if r.recognised == nil {
		r.recognised = make(map[string]recognition)
	}
	for name, p := range prints {
		r.recognised[name] = recognition{p, same[name]}
	}
	return nil
}

// Prepare looks at the destination and makes the plan. It changes neither the destination nor the
// ledger.
func (r *Run) Prepare(ctx context.Context) (Prepared, error) {
	p := Prepared{}
	before := r.Ledger.Entries()
	var err error
	if p.actual, err = r.look(ctx, before); err != nil {
		return p, err
	}
	held, err := r.readIntended(ctx, before, p.actual)
	if err != nil {
		return p, err
	}
	p.entries, p.Lost = syncplan.Resolve(before, p.actual, held)
	in := syncplan.Input{
		SourceEmpty: r.SourceEmpty, Actual: p.actual, Ledger: p.entries, Limits: r.Destination.Limits, ReadBack: r.Destination.ReadBack,
		OnConflict: r.OnConflict, Deletion: r.Deletion, Adopt: r.Adopt,
	}
	if in.Wants, err = r.compareWants(ctx, p.entries); err != nil {
		return p, err
	}
	p.Plan = syncplan.Make(in)
	if len(p.Reads) > 0 {
		if in.Equal, err = r.equal(ctx, p.Reads); err != nil {
			return p, err
		}
		p.Plan = syncplan.Make(in)
	}
	return p, nil
}

// read calls see with each value that the destination returns. The value belongs to see, which
// clears it.
func (r *Run) read(ctx context.Context, names []string, see func(name string, value []byte)) error {
	for len(names) > 0 {
		some := names[:min(len(names), r.Destination.Batch)]
		names = names[len(some):]
		err := r.UseCredential(ctx, func(ctx context.Context, p provider.Provider, session *provider.Session) error {
			reader, able := p.(provider.Reader)
			if !able {
				return nil
			}
			values, err := reader.Read(ctx, session, r.Place, some)
			for _, v := range values {
				see(r.fold(v.Name), v.Bytes)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readIntended reads back the values of entries with an intent. It returns nil if the destination
// does not return values.
func (r *Run) readIntended(ctx context.Context, entries map[string]ledger.Entry, actual map[string]provider.Entry) (map[string]syncplan.Held, error) {
	unresolved := syncplan.Unresolved(entries, actual)
	if len(unresolved) == 0 || r.Destination.ReadBack != provider.ReadBackValue {
		return nil, nil
	}
	intended, written := make(map[string]ledger.Print), make(map[string]ledger.Print)
	for _, name := range unresolved {
		intended[name], written[name] = entries[name].Intent.Print, entries[name].Print
	}
	values := make(map[string][]byte)
	defer func() {
		for _, value := range values {
			clear(value)
		}
	}()
	listed := make([]string, len(unresolved))
	for i, name := range unresolved {
		listed[i] = actual[name].Name
	}
	if err := r.read(ctx, listed, func(name string, value []byte) { values[name] = value }); err != nil {
		return nil, err
	}
	isIntended, err := r.Ledger.Recognise(ctx, values, intended)
	if err != nil {
		return nil, fmt.Errorf("compare values with the ledger: %w", err)
	}
	isWritten, err := r.Ledger.Recognise(ctx, values, written)
	if err != nil {
		return nil, fmt.Errorf("compare values with the ledger: %w", err)
	}
	held := make(map[string]syncplan.Held, len(values))
	for name := range values {
		held[name] = syncplan.Held{Intended: isIntended[name], Written: isWritten[name]}
	}
	return held, nil
}

// equal reports for entries that are not owned whether they have the wanted value.
func (r *Run) equal(ctx context.Context, names []string) (map[string]bool, error) {
	same := make(map[string]bool, len(names))
	for _, name := range names {
		same[name] = false // it may have been removed since it was listed
	}
	err := r.read(ctx, names, func(name string, value []byte) {
		same[name] = subtle.ConstantTimeCompare(value, r.Values[name]) == 1
		clear(value)
	})
	return same, err
}
