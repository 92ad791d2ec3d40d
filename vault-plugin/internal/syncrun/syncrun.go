// Package syncrun owns a run: it looks at a destination, has a plan made, and carries it out, with each change announced in the ledger
// before it is made. It knows nothing of definitions, of when to run, and of what a failure means for the next run.
package syncrun

import (
	"bytes"
	"context"
	"fmt"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
)

// UseCredential makes one use of a credential; what forbids it now is its error.
type UseCredential func(ctx context.Context, f func(ctx context.Context, p provider.Provider, session *provider.Session) error) error

// Run is what a run works with.
type Run struct {
	Destination   provider.Destination
	Place         provider.Place
	UseCredential UseCredential
	Ledger        *ledger.Ledger

	Wants       []syncplan.Want // Same is not looked at
	Values      map[string][]byte
	SourceEmpty bool
	Shape       string // of the settings that entries are written under

	OnConflict syncplan.OnConflict
	Deletion   syncplan.Deletion
	Adopt      map[string]bool

	// Whole has Prepare look at all that is at the destination, where it could do with less.
	Whole bool

	// Continues is asked before each batch whether the run still has leave.
	Continues func() error
}

// Prepared is a plan, and the ledger that it was made from.
type Prepared struct {
	syncplan.Plan
	Lost []string // entries that were ours and may be another's now

	entries map[string]ledger.Entry // with their intents resolved
	actual  map[string]provider.Entry
}

// fold brings a name to the form in which the destination compares names.
func (r *Run) fold(name string) string {
	if r.Destination.Fold == nil {
		return name
	}
	return r.Destination.Fold(name)
}

// Settled reports whether the destination is as it should be as far as the ledger tells, so that there is no need to look at it.
func (r *Run) Settled(ctx context.Context) (bool, error) {
	entries := r.Ledger.Entries()
	owned := 0
	for _, e := range entries {
		if e.Intent != nil {
			return false, nil
		}
		if e.Owned {
			owned++
		}
	}
	wants, err := r.compared(ctx, entries)
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
	return owned == len(wanted) || r.Deletion == syncplan.RetainDeletion, nil
}

// compared fills in which wants are what was written last.
func (r *Run) compared(ctx context.Context, entries map[string]ledger.Entry) ([]syncplan.Want, error) {
	values, prints := make(map[string][]byte), make(map[string]ledger.Print)
	for _, w := range r.Wants {
		if e := entries[w.Name]; e.Owned && e.Print.Known() && e.Shape == r.Shape {
			values[w.Name], prints[w.Name] = r.Values[w.Name], e.Print
		}
	}
	same, err := r.Ledger.Recognise(ctx, values, prints)
	if err != nil {
		return nil, fmt.Errorf("compare with the ledger: %w", err)
	}
	wants := make([]syncplan.Want, len(r.Wants))
	for i, w := range r.Wants {
		w.Same = same[w.Name]
		wants[i] = w
	}
	return wants, nil
}

// Prepare looks at the destination and makes the plan. It changes nothing.
func (r *Run) Prepare(ctx context.Context) (Prepared, error) {
	p := Prepared{}
	before := r.Ledger.Entries()
	var err error
	if p.actual, err = r.look(ctx, before); err != nil {
		return p, err
	}
	held, err := r.hold(ctx, before, p.actual)
	if err != nil {
		return p, err
	}
	p.entries, p.Lost = syncplan.Resolve(before, p.actual, held)
	in := syncplan.Input{
		SourceEmpty: r.SourceEmpty, Actual: p.actual, Ledger: p.entries, Limits: r.Destination.Limits, ReadBack: r.Destination.ReadBack,
		OnConflict: r.OnConflict, Deletion: r.Deletion, Adopt: r.Adopt,
	}
	if in.Wants, err = r.compared(ctx, p.entries); err != nil {
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

// read hands values at the destination to see, and clears them after.
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
				clear(v.Bytes)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// hold reads back what intents were about; nil where the destination does not tell values.
func (r *Run) hold(ctx context.Context, entries map[string]ledger.Entry, actual map[string]provider.Entry) (map[string]syncplan.Held, error) {
	doubtful := syncplan.Doubtful(entries, actual)
	if len(doubtful) == 0 || r.Destination.ReadBack != provider.ReadBackValue {
		return nil, nil
	}
	intended, written := make(map[string]ledger.Print), make(map[string]ledger.Print)
	for _, name := range doubtful {
		intended[name], written[name] = entries[name].Intent.Print, entries[name].Print
	}
	values := make(map[string][]byte)
	defer func() {
		for _, value := range values {
			clear(value)
		}
	}()
	listed := make([]string, len(doubtful))
	for i, name := range doubtful {
		listed[i] = actual[name].Name
	}
	if err := r.read(ctx, listed, func(name string, value []byte) { values[name] = bytes.Clone(value) }); err != nil {
		return nil, err
	}
	isIntended, err := r.Ledger.Recognise(ctx, values, intended)
	if err != nil {
		return nil, fmt.Errorf("compare with the ledger: %w", err)
	}
	isWritten, err := r.Ledger.Recognise(ctx, values, written)
	if err != nil {
		return nil, fmt.Errorf("compare with the ledger: %w", err)
	}
	held := make(map[string]syncplan.Held, len(values))
	for name := range values {
		held[name] = syncplan.Held{Intended: isIntended[name], Written: isWritten[name]}
	}
	return held, nil
}

// equal answers of entries that are not ours whether they hold what we would write.
func (r *Run) equal(ctx context.Context, names []string) (map[string]bool, error) {
	same := make(map[string]bool, len(names))
	for _, name := range names {
		same[name] = false // one that has gone since it was listed
	}
	err := r.read(ctx, names, func(name string, value []byte) { same[name] = bytes.Equal(value, r.Values[name]) })
	return same, err
}
