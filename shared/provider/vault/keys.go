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

// fieldValue is the field of a KV secret that holds the value of an entry in granularity Key.
const fieldValue = "value"

// keys stores each entry as a KV secret of its own.
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
		f, current, err := k.engine.read(ctx, k.path(names[i]))
		defer f.wipe()
		if err != nil || !current.exists {
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

// value returns the value of a KV secret that is one entry. If others stored the secret in another
// form, or added fields, the returned bytes are not valid UTF-8 and therefore equal no value of
// ours.
func (f fields) value() []byte {
	raw, ok := f[fieldValue]
	if !ok || f.foreign() {
		whole, err := encode(f)
		if err != nil {
			return []byte{notText}
		}
		return append([]byte{notText}, whole...)
	}
	return text(raw)
}

// foreign reports whether others have added fields to a KV secret that is one entry.
func (f fields) foreign() bool {
	_, ok := f[fieldValue]
	return len(f) > 1 || len(f) == 1 && !ok
}

// notText is a byte that does not occur in UTF-8.
const notText = 0xff

// text returns the content of a JSON string. For any other JSON value, the returned bytes are not
// valid UTF-8.
func text(raw json.RawMessage) []byte {
	var s *string
	if err := json.Unmarshal(raw, &s); err != nil || s == nil {
		return append([]byte{notText}, raw...)
	}
	return []byte(*s)
}

// addressable reports whether a name is exactly one segment of a path.
func addressable(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.Contains(name, "/")
}

func (k keys) apply(ctx context.Context, changes []provider.Change, results []provider.Result) error {
	return each(ctx, len(changes), func(i int) error {
		c := changes[i]
		switch err := checkChange(c); {
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

// checkChange returns an error for a change that the plan should have excluded. A value must be
// text because JSON encoding replaces invalid UTF-8.
func checkChange(c provider.Change) error {
	const op = "change an entry"
	switch {
	case c.Delete && !addressable(c.Name), !c.Delete && (len(c.Name) > maxName || !legalName.MatchString(c.Name)):
		return refusal(outbound.Invalid, op, "a name must consist of "+nameRule+", at most "+strconv.Itoa(maxName)+" bytes")
	case !c.Delete && !utf8.Valid(c.Value):
		return refusal(outbound.Invalid, op, "KV stores text: a value must be valid UTF-8")
	case !c.Delete && len(c.Value) > maxEntry:
		return refusal(outbound.Limit, op, "a value must be at most "+strconv.Itoa(maxEntry)+" bytes")
	}
	return nil
}

func (k keys) put(ctx context.Context, c provider.Change) provider.Result {
	expected, err := k.expected(ctx, c)
	if err == nil && expected.exists && !c.Replace {
		expected, err = k.unmixed(ctx, c, expected)
	}
	if err != nil {
		return provider.FailedWith(err)
	}
	value, err := encode(string(c.Value))
	if err != nil {
		return provider.FailedWith(&outbound.Error{Class: outbound.Internal, Provider: "vault", Operation: "write a secret", Cause: err})
	}
	f := fields{fieldValue: value}
	defer f.wipe()
	written, err := k.write(ctx, k.path(c.Name), f, expected)
	if outbound.ClassOf(err) == outbound.Conflict && c.Expect == nil {
		// A deleted version counts as missing, but the engine still compares with its number.
		deleted, statErr := k.stat(ctx, k.path(c.Name))
		switch {
		case statErr != nil:
			err = statErr
		case !deleted.exists:
			written, err = k.write(ctx, k.path(c.Name), f, deleted)
		}
	}
	if err != nil {
		return provider.FailedWith(err)
	}
	return provider.Result{Outcome: provider.Done, Entry: written.entry(c.Name)}
}

// expected returns the state that a write must find. It sends a request only if the state does not
// follow from the change.
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
	current, err := k.stat(ctx, k.path(c.Name))
	if err == nil && current.exists != (c.Expect != nil) {
		err = conflict()
	}
	return current, err
}

// unmixed reads a KV secret before it is replaced or removed. It returns ErrForeign if the KV
// secret has fields of others, which would be lost.
func (k keys) unmixed(ctx context.Context, c provider.Change, expected state) (state, error) {
	f, current, err := k.engine.read(ctx, k.path(c.Name))
	defer f.wipe()
	switch {
	case err != nil:
		return state{}, err
	case current.exists != expected.exists || current.version != expected.version:
		return state{}, conflict()
	case f.foreign():
		return state{}, &outbound.Error{
			Class: outbound.Conflict, Provider: "vault", Operation: "compare an entry", Cause: provider.ErrForeign,
			Hint: "the KV secret has other fields than `" + fieldValue + "`, which others have written: remove these fields, or adopt the entry by name to replace the whole KV secret",
		}
	}
	return current, nil
}

func conflict() error {
	return refusal(outbound.Conflict, "compare an entry", "the secret was created, changed or deleted by others in the meantime")
}

// delete compares before it removes, because no engine compares on removal. A write by others
// between the two requests is lost.
func (k keys) delete(ctx context.Context, c provider.Change) provider.Result {
	current, err := k.stat(ctx, k.path(c.Name))
	matches := c.Expect != nil && (c.Expect.Version == "" || c.Expect.Version == current.entry("").Version)
	switch {
	case err != nil:
		return provider.FailedWith(err)
	case current.exists && !matches:
		return provider.FailedWith(conflict())
	case !current.exists && (current.version == 0 || !matches):
		return provider.Result{Outcome: provider.Done}
	}
	if current.exists && !c.Replace {
		if _, err := k.unmixed(ctx, c, current); err != nil {
			return provider.FailedWith(err)
		}
	}
	// The secret exists, or a deleted version of it could be undeleted.
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
