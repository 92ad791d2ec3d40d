package syncplan

import (
	"maps"
	"slices"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
)

// Held is what a value that was read back is, as far as prints recognise it.
type Held struct {
	Intended bool // what the intent was to write
	Written  bool // what was written last
}

// Doubtful names the entries with an intent whose values tell how it ended.
func Doubtful(entries map[string]ledger.Entry, actual map[string]provider.Entry) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if _, there := actual[name]; there && entries[name].Intent != nil {
			names = append(names, name)
		}
	}
	return names
}

// Resolve ends the intents of a ledger by what is there now. held has the values of those that Doubtful names, where the destination
// tells values; it is nil where it does not. lost are the entries that were ours and may be another's now: they are left alone.
//
// An entry that was to be created and is there may be ours or another's. It is ours where its value is what we were to write; where
// values are not told, nothing else proves it, and it is another's until a person says that it is ours.
//
// One that was to be deleted and is there may be what we were to delete, or have come after that. It is ours where it is as it was
// when we wrote it.
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
			// It was not written, or has been removed since. What was ours before is still ours to write.
		case e.Intent.Delete:
			if next.Owned = stillOurs(e, now, held[name]); !next.Owned {
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

func stillOurs(e ledger.Entry, now provider.Entry, h Held) bool {
	if same, known := e.Remote.Same(ledger.RemoteOf(now)); known && same {
		return true
	}
	return h.Written
}

// written is what becomes of an entry that was to be written, and is there.
func written(e ledger.Entry, now provider.Entry, h Held) ledger.Entry {
	next := e
	next.Intent = nil
	switch {
	case h.Intended:
		next.Owned, next.Source, next.Version, next.Print = true, e.Intent.Source, e.Intent.Version, e.Intent.Print
		next.Remote, next.Shape = ledger.RemoteOf(now), e.Intent.Shape
	case e.Owned && !h.Written:
		next.Print = ledger.Print{} // it is not known what stands there
	}
	return next
}
