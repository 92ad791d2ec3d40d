package syncrun

import (
	"context"
	"maps"
	"slices"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
)

// look returns the entries at the destination. If the provider can look at single entries, and the
// ledger says that most entries are up to date, those are assumed to exist. Then look asks only for
// entries that the run may change, or whose state the ledger does not know.
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

// narrowed divides the entries into names to look at, and entries that are assumed to exist.
// assumed is nil if a full list is needed: because Whole is set, a list costs no more, or the
// number of entries is limited.
func (r *Run) narrowed(ctx context.Context, entries map[string]ledger.Entry) (names []string, assumed map[string]provider.Entry, err error) {
	if r.Whole || !r.Destination.Looks || r.Destination.Limits.MaxEntries != 0 {
		return nil, nil, nil
	}
	wants, err := r.compareWants(ctx, entries)
	if err != nil {
		return nil, nil, err
	}
	assumed = make(map[string]provider.Entry)
	unsure := make(map[string]bool)
	for _, w := range wants {
		switch {
		case w.Bad != "": // no name to look at
		case w.Same && entries[w.Name].Intent == nil:
			assumed[w.Name] = provider.Entry{Name: w.Name}
		default:
			unsure[w.Name] = true
		}
	}
	for name := range entries { // no longer wanted, or with an intent
		if _, known := assumed[name]; !known {
			unsure[name] = true
		}
	}
	if names = slices.Sorted(maps.Keys(unsure)); len(names) > len(assumed) {
		return nil, nil, nil
	}
	return names, assumed, nil
}
