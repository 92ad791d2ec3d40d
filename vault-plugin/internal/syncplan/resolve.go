package syncplan

import (
	"maps"
	"slices"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
)

// Held classifies a value that was read back, as far as prints recognise it.
type Held struct {
	Intended bool // the value that the intent was to write
	Written  bool // the value that was written last
}

// Unresolved names the entries with an intent that exist at the destination. Their values show how
// the intents ended.
func Unresolved(entries map[string]ledger.Entry, actual map[string]provider.Entry) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if _, there := actual[name]; there && entries[name].Intent != nil {
			names = append(names, name)
		}
	}
	return names
}

// Resolve replaces the intents of a ledger by their outcomes, which follow from the actual entries.
// held contains the values of the entries that Unresolved names. It is nil if the destination does
// not return values. lost names the entries that were owned and may now belong to someone else. A
// run leaves them alone.
//
// An entry that an intent was to create, and that exists, may have been created by the sync or by
// someone else. It is owned if its value is the intended one. If the destination does not return
// values, nothing else proves it, and the entry is not owned until a person adopts it.
//
// An entry that an intent was to delete, and that exists, may be the old entry or one created after
// the deletion. It is owned if it is unchanged since the sync wrote it.
//
// An entry with another id than the one that the sync wrote was made again by someone else. It is
// owned only if its value is the intended one.
func Resolve(entries map[string]ledger.Entry, actual map[string]provider.Entry, held map[string]Held) (resolved map[string]ledger.Entry, lost []string) {
	resolved = maps.Clone(entries)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		e := entries[name]
		if e.Intent == nil {
			continue
		}
		now, there := actual[name]
		next := e
		next.Intent = nil
		switch {
		case !there && e.Intent.Delete:
			next.Owned = false
		case !there:
			// The write was not made, or the entry was removed since. An owned entry stays owned.
		case e.Intent.Delete:
			if next.Owned = stillOwned(e, now, held[name]); !next.Owned {
				lost = append(lost, name)
			}
		default:
			next = written(e, now, held[name])
		}
		if resolved[name] = next; !next.Owned {
			delete(resolved, name)
		}
	}
	return resolved, lost
}

func stillOwned(e ledger.Entry, now provider.Entry, h Held) bool {
	remote := ledger.RemoteOf(now)
	if same, known := e.Remote.Same(remote); known && same {
		return true
	}
	return h.Written && !e.Remote.Replaced(remote)
}

// written returns the ledger entry of an entry that an intent was to write, and that exists.
func written(e ledger.Entry, now provider.Entry, h Held) ledger.Entry {
	next := e
	next.Intent = nil
	switch {
	case h.Intended:
		next.Owned, next.Source, next.Version, next.Print = true, e.Intent.Source, e.Intent.Version, e.Intent.Print
		next.Remote, next.Shape = ledger.RemoteOf(now), e.Intent.Shape
	case e.Remote.Replaced(ledger.RemoteOf(now)):
		next.Owned = false
	case e.Owned && !h.Written:
		next.Print = ledger.Print{} // the value at the destination is unknown
	}
	return next
}
