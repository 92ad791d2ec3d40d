package vault

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// bundle keeps entries as fields of one KV secret. Its version changes with every field, others' too, so it is not answered as that of
// an entry: of a field it is compared whether it exists. All changes of one call become one version, or none does.
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
	return chosen(all, names), err
}

// chosen leaves of entries those of the names.
func chosen(all []provider.Entry, names []string) []provider.Entry {
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

// apply reads, changes and writes, and does so again when somebody else has written in between. KV v1 does not tell that: there, what
// was written in between is lost.
func (b bundle) apply(ctx context.Context, changes []provider.Change, results []provider.Result) error {
	for attempt := 0; ; attempt++ {
		err := b.attempt(ctx, changes, results)
		if outbound.ClassOf(err) == outbound.Conflict && attempt < rereads {
			continue
		}
		for i := range results {
			// Its one write was theirs too.
			if err != nil && !provider.EndsBatch(outbound.ClassOf(err)) && results[i].Outcome == "" {
				results[i] = provider.FailedWith(err)
			}
		}
		return err
	}
}

// attempt fills in all results, or leaves those of changes that it could not make empty and says why.
func (b bundle) attempt(ctx context.Context, changes []provider.Change, results []provider.Result) error {
	clear(results)
	f, at, err := b.engine.read(ctx, b.path)
	defer f.wipe()
	if err != nil {
		return err
	}
	next, err := b.change(f, changes, results)
	if err != nil {
		return err
	}
	if next != nil {
		_, err = b.write(ctx, b.path, next, at)
	}
	for i := range results {
		if results[i].Outcome != "" {
			continue
		}
		if err == nil {
			results[i] = provider.Result{Outcome: provider.Done, Entry: written(changes[i])}
		} else if failed := provider.FailedWith(err); failed.Outcome == provider.Unknown {
			results[i] = failed
		}
	}
	return err
}

func written(c provider.Change) provider.Entry {
	if c.Delete {
		return provider.Entry{}
	}
	return provider.Entry{Name: c.Name}
}

// change answers the fields as they shall be; nil where nothing is to be written. It fills in the results of changes that are refused.
func (b bundle) change(f fields, changes []provider.Change, results []provider.Result) (fields, error) {
	next, changed := maps.Clone(f), false
	if next == nil {
		next = fields{}
	}
	for i, c := range changes {
		_, exists := f[c.Name]
		err := legal(c)
		switch {
		case err != nil:
			results[i] = provider.FailedWith(err)
		case exists != (c.Expect != nil) && (exists || !c.Delete):
			results[i] = provider.FailedWith(conflict())
		case c.Delete:
			delete(next, c.Name)
			changed = changed || exists
		default:
			value, err := encode(string(c.Value))
			if err != nil {
				return nil, &outbound.Error{Class: outbound.Internal, Provider: "vault", Operation: "write a secret", Cause: err}
			}
			next[c.Name], changed = value, true
		}
	}
	size := 0
	for name, value := range next {
		size += len(name) + len(value) + len(`"":,`)
	}
	switch {
	case !changed:
		return nil, nil
	case size > maxEntry || len(next) > maxFields:
		return nil, refusal(outbound.Limit, "write a secret", "Vault takes a KV secret of "+strconv.Itoa(maxEntry)+" bytes and "+
			strconv.Itoa(maxFields)+" fields at the most: use granularity key, or split it over several syncs")
	}
	return next, nil
}
