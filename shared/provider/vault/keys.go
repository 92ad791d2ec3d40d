package vault

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// fieldValue is the field of a KV secret that holds the value in granularity Key.
const fieldValue = "value"

// keys keeps each entry as a KV secret of its own.
type keys struct {
	engine
	folder string
}

func (k keys) list(ctx context.Context) ([]provider.Entry, error) { return k.entries(ctx, k.folder) }

func (k keys) look(ctx context.Context, names []string) ([]provider.Entry, error) {
	return k.stats(ctx, k.folder, slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !addressable(name) }))
}

func (k keys) path(name string) string { return k.folder + "/" + name }

func (k keys) read(ctx context.Context, names []string) ([]provider.Value, error) {
	found := make([]*provider.Value, len(names))
	err := each(ctx, len(names), func(i int) error {
		if !addressable(names[i]) {
			return nil
		}
		f, at, err := k.engine.read(ctx, k.path(names[i]))
		defer f.wipe()
		if err != nil || !at.exists {
			return err
		}
		found[i] = &provider.Value{Name: names[i], Bytes: f.value()}
		return nil
	})
	values := make([]provider.Value, 0, len(names))
	for _, value := range found {
		switch {
		case value != nil && err == nil:
			values = append(values, *value)
		case value != nil:
			clear(value.Bytes)
		}
	}
	if err != nil {
		return nil, err
	}
	return values, nil
}

// value answers the value of a KV secret that is one entry. One that others keep in another form is answered in a way that equals no
// text.
func (f fields) value() []byte {
	raw, ok := f[fieldValue]
	if !ok {
		whole, err := encode(f)
		if err != nil {
			return []byte{notText}
		}
		return append([]byte{notText}, whole...)
	}
	return text(raw)
}

// notText is no beginning of a text in UTF-8.
const notText = 0xff

// text answers the bytes of a string in JSON.
func text(raw json.RawMessage) []byte {
	var s *string
	if err := json.Unmarshal(raw, &s); err != nil || s == nil {
		return append([]byte{notText}, raw...)
	}
	return []byte(*s)
}

// addressable reports whether a name is one segment of a path, and leads nowhere else.
func addressable(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.Contains(name, "/")
}

func (k keys) apply(ctx context.Context, changes []provider.Change, results []provider.Result) error {
	return each(ctx, len(changes), func(i int) error {
		c := changes[i]
		switch err := legal(c); {
		case err != nil:
			results[i] = provider.FailedWith(err)
		case c.Delete:
			results[i] = k.delete(ctx, c)
		default:
			results[i] = k.put(ctx, c)
		}
		if provider.EndsBatch(outbound.ClassOf(results[i].Err)) {
			return results[i].Err
		}
		return nil
	})
}

// legal refuses a change that the plan should have: JSON would put another character in place of what is no text.
func legal(c provider.Change) error {
	const op = "change an entry"
	switch {
	case c.Delete && !addressable(c.Name), !c.Delete && (len(c.Name) > maxName || !legalName.MatchString(c.Name)):
		return refusal(outbound.Invalid, op, "a name has "+nameRule+", and "+strconv.Itoa(maxName)+" bytes at the most")
	case !c.Delete && !utf8.Valid(c.Value):
		return refusal(outbound.Invalid, op, "KV keeps text: a value must be UTF-8")
	case !c.Delete && len(c.Value) > maxEntry:
		return refusal(outbound.Limit, op, "Vault takes values of "+strconv.Itoa(maxEntry)+" bytes at the most")
	}
	return nil
}

func (k keys) put(ctx context.Context, c provider.Change) provider.Result {
	at, err := k.expected(ctx, c)
	if err != nil {
		return provider.FailedWith(err)
	}
	value, err := encode(string(c.Value))
	if err != nil {
		return provider.FailedWith(&outbound.Error{Class: outbound.Internal, Provider: "vault", Operation: "write a secret", Cause: err})
	}
	f := fields{fieldValue: value}
	defer f.wipe()
	now, err := k.write(ctx, k.path(c.Name), f, at)
	if outbound.ClassOf(err) == outbound.Conflict && c.Expect == nil {
		// A deleted version counts as missing, and yet its number is what the engine compares with.
		deleted, unseen := k.stat(ctx, k.path(c.Name))
		switch {
		case unseen != nil:
			err = unseen
		case !deleted.exists:
			now, err = k.write(ctx, k.path(c.Name), f, deleted)
		}
	}
	if err != nil {
		return provider.FailedWith(err)
	}
	return provider.Result{Outcome: provider.Done, Entry: now.entry(c.Name)}
}

// expected is the state that a write has to meet. It costs a request only where the change does not tell it.
func (k keys) expected(ctx context.Context, c provider.Change) (state, error) {
	if k.compares() && (c.Expect == nil || c.Expect.Version != "") {
		if c.Expect == nil {
			return state{}, nil
		}
		number, err := strconv.Atoi(c.Expect.Version)
		if err != nil || number < 1 {
			return state{}, conflict()
		}
		return state{exists: true, version: number}, nil
	}
	at, err := k.stat(ctx, k.path(c.Name))
	if err == nil && at.exists != (c.Expect != nil) {
		err = conflict()
	}
	return at, err
}

func conflict() error {
	return refusal(outbound.Conflict, "compare an entry", "the secret has been made, changed or removed meanwhile")
}

// delete looks first, for no engine compares when it removes: what somebody else writes between our look and the removal is lost.
func (k keys) delete(ctx context.Context, c provider.Change) provider.Result {
	at, err := k.stat(ctx, k.path(c.Name))
	ours := c.Expect != nil && (c.Expect.Version == "" || c.Expect.Version == at.entry("").Version)
	switch {
	case err != nil:
		return provider.FailedWith(err)
	case at.exists && !ours:
		return provider.FailedWith(conflict())
	case !at.exists && (at.version == 0 || !ours):
		return provider.Result{Outcome: provider.Done}
	}
	// Here it exists, or what is left of it could be undeleted.
	if err := k.remove(ctx, k.path(c.Name)); err != nil {
		return provider.FailedWith(err)
	}
	return provider.Result{Outcome: provider.Done}
}

func sortedNames(f fields) []string {
	names := make([]string, 0, len(f))
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
