package vault

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// bundle stores entries as fields of one KV secret. The version of the secret changes with every
// field, including fields of others, so it is not reported as the version of an entry. For a field,
// only its existence is compared. All changes of one call are made in one new version, or none is
// made.
type bundle struct {
	engine
	path string
}

func (b bundle) list(ctx context.Context) ([]provider.Entry, error) {
	f, _, err := b.engine.read(ctx, b.path)
	defer f.wipe()
	if err != nil {
		return nil, err
	}
	entries := make([]provider.Entry, 0, len(f))
	for _, name := range sortedNames(f) {
		entries = append(entries, provider.Entry{Name: name})
	}
	return entries, nil
}

func (b bundle) look(ctx context.Context, names []string) ([]provider.Entry, error) {
	all, err := b.list(ctx)
	return filterByName(all, names), err
}

// filterByName returns the entries with one of the given names.
func filterByName(all []provider.Entry, names []string) []provider.Entry {
	return slices.DeleteFunc(all, func(e provider.Entry) bool { return !slices.Contains(names, e.Name) })
}

func (b bundle) read(ctx context.Context, names []string) ([]provider.Value, error) {
	f, _, err := b.engine.read(ctx, b.path)
	defer f.wipe()
	if err != nil {
		return nil, err
	}
	values := make([]provider.Value, 0, len(names))
	for _, name := range names {
		if raw, ok := f[name]; ok {
			values = append(values, provider.Value{Name: name, Bytes: text(raw)})
		}
	}
	return values, nil
}

// apply reads the KV secret, changes its fields and writes it. If others wrote the secret in
// between, apply starts again. KV v1 does not detect such a write, so it is overwritten there.
func (b bundle) apply(ctx context.Context, changes []provider.Change, results []provider.Result) error {
	for attempt := 0; ; attempt++ {
		err := b.attempt(ctx, changes, results)
		if outbound.ClassOf(err) == outbound.Conflict && attempt < maxRereads {
			continue
		}
		for i := range results {
			// The changes share one write, so its error applies to each of them.
			if err != nil && !provider.EndsBatch(outbound.ClassOf(err)) && results[i].Outcome == "" {
				results[i] = provider.FailedWith(err)
			}
		}
		return err
	}
}

// attempt makes one attempt. It fills in all results, or returns an error and leaves the results of
// the changes that were not made empty.
func (b bundle) attempt(ctx context.Context, changes []provider.Change, results []provider.Result) error {
	clear(results)
	f, current, err := b.engine.read(ctx, b.path)
	defer f.wipe()
	if err != nil {
		return err
	}
	next, err := b.change(f, changes, results)
	if err != nil {
		return err
	}
	if next != nil {
		_, err = b.write(ctx, b.path, next, current)
	}
	for i := range results {
		if results[i].Outcome != "" {
			continue
		}
		if err == nil {
			results[i] = provider.Result{Outcome: provider.Done, Entry: entryOf(changes[i])}
		} else if failed := provider.FailedWith(err); failed.Outcome == provider.Unknown {
			results[i] = failed
		}
	}
	return err
}

func entryOf(c provider.Change) provider.Entry {
	if c.Delete {
		return provider.Entry{}
	}
	return provider.Entry{Name: c.Name}
}

// change returns the new fields, or nil if nothing must be written. It fills in the results of the
// changes that it rejects.
func (b bundle) change(f fields, changes []provider.Change, results []provider.Result) (fields, error) {
	next, modified := maps.Clone(f), false
	if next == nil {
		next = fields{}
	}
	for i, c := range changes {
		_, exists := f[c.Name]
		err := checkChange(c)
		switch {
		case err != nil:
			results[i] = provider.FailedWith(err)
		case exists != (c.Expect != nil) && (exists || !c.Delete):
			results[i] = provider.FailedWith(conflict())
		case c.Delete:
			delete(next, c.Name)
			modified = modified || exists
		default:
			value, err := encode(string(c.Value))
			if err != nil {
				return nil, &outbound.Error{Class: outbound.Internal, Provider: "vault", Operation: "write a secret", Cause: err}
			}
			next[c.Name], modified = value, true
		}
	}
	size := 0
	for name, value := range next {
		size += len(name) + len(value) + len(`"":,`)
	}
	switch {
	case !modified:
		return nil, nil
	case size > maxEntry || len(next) > maxFields:
		return nil, refusal(outbound.Limit, "write a secret", "a KV secret must have at most "+strconv.Itoa(maxEntry)+" bytes and "+
			strconv.Itoa(maxFields)+" fields: use granularity key, or split the environment over several syncs")
	}
	return next, nil
}
