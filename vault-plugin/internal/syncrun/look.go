package syncrun

import (
	"context"
	"maps"
	"slices"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
)

// look answers what is at the destination. Where that can be asked for single entries, and most of ours are what they should be as far as
// the ledger tells, those are taken to be there, and only what the run may change or does not know is looked at.
func (r *Run) look(ctx context.Context, entries map[string]ledger.Entry) (map[string]provider.Entry, error) {
	names, actual, err := r.narrowed(ctx, entries)
	if err != nil {
		return nil, err
	}
	err = r.UseCredential(ctx, func(ctx context.Context, p provider.Provider, session *provider.Session) (err error) {
		var seen []provider.Entry
		if looker, able := p.(provider.Looker); able && actual != nil {
			seen, err = looker.Look(ctx, session, r.Place, names)
		} else {
			actual = make(map[string]provider.Entry)
			seen, err = p.List(ctx, session, r.Place)
		}
		for _, e := range seen {
			actual[r.fold(e.Name)] = e
		}
		return err
	})
	return actual, err
}

// narrowed divides the entries into names that have to be looked at, and what may be taken to be there. There is no such thing, nil, where
// everything has to be looked at: because that is wished for or no dearer, or because the number of entries is limited.
func (r *Run) narrowed(ctx context.Context, entries map[string]ledger.Entry) (names []string, taken map[string]provider.Entry, err error) {
	if r.Whole || !r.Destination.Looks || r.Destination.Limits.MaxEntries != 0 {
		return nil, nil, nil
	}
	wants, err := r.compared(ctx, entries)
	if err != nil {
		return nil, nil, err
	}
	taken = make(map[string]provider.Entry)
	open := make(map[string]bool)
	for _, w := range wants {
		switch {
		case w.Bad != "": // it has no name
		case w.Same && entries[w.Name].Intent == nil:
			taken[w.Name] = provider.Entry{Name: w.Name}
		default:
			open[w.Name] = true
		}
	}
	for name := range entries { // ours that are wanted no more, and what is in doubt
		if _, known := taken[name]; !known {
			open[name] = true
		}
	}
	maps.DeleteFunc(taken, func(name string, _ provider.Entry) bool { return open[name] }) // of two secrets of one name
	if names = slices.Sorted(maps.Keys(open)); len(names) > len(taken) {
		return nil, nil, nil
	}
	return names, taken, nil
}
