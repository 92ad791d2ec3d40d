package integrations

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/recordset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// newEntry makes an entry of what is stored. Settings that this version does not know are left out, and such as it has learned since
// have their defaults.
func (s *Service) newEntry(m recordset.Member, record *store.Integration, sealed *store.Credential) *entry {
	m.ID = record.ID
	e := &entry{Member: m, record: record, sealed: sealed, settings: make(provider.Values), lost: true}
	p := s.Providers.Provider(m.At.Group)
	if p == nil {
		return e
	}
	e.declaration = p.Declare()
	e.lost = !slices.ContainsFunc(e.declaration.Auth, func(k provider.AuthKind) bool { return k.Name == record.Auth })
	e.settings = ValuesOf(e.declaration.SettingsOf(record.Auth), record.Settings)
	endpoint, err := provider.EndpointDigest(e.declaration, record.Auth, e.settings)
	e.endpoint, e.lost = endpoint, e.lost || err != nil
	return e
}

// ValuesOf makes complete settings of what is stored of them. Those that this version does not know are left out, and such as it has
// learned since have their defaults.
func ValuesOf(fields []provider.Field, stored map[string]store.Setting) provider.Values {
	values, _ := provider.Complete(optional(fields), nil) // no field is required: it has no error
	for _, f := range fields {
		if setting, set := stored[f.Name]; set {
			values[f.Name] = value(f.Type, setting)
		}
	}
	return values
}

func optional(fields []provider.Field) []provider.Field {
	all := slices.Clone(fields)
	for i := range all {
		all[i].Required = false
	}
	return all
}

// value reads a stored setting as its declared type has it.
func value(t provider.Type, s store.Setting) any {
	switch t {
	case provider.Flag:
		return s.Flag
	case provider.Whole:
		return int(s.Whole)
	case provider.Words:
		return s.Words
	default:
		return s.Text
	}
}

// SettingsOf is the form of complete settings in storage.
func SettingsOf(values provider.Values) map[string]store.Setting {
	all := make(map[string]store.Setting, len(values))
	for name, v := range values {
		switch v := v.(type) {
		case string:
			all[name] = store.Setting{Text: v}
		case bool:
			all[name] = store.Setting{Flag: v}
		case int:
			all[name] = store.Setting{Whole: int64(v)}
		case []string:
			all[name] = store.Setting{Words: v}
		}
	}
	return all
}

// authOf finds the auth kind that a write asks for.
func authOf(d provider.Declaration, name string) (provider.AuthKind, error) {
	var names []string
	for _, kind := range d.Auth {
		if kind.Name == name {
			return kind, nil
		}
		names = append(names, kind.Name)
	}
	return provider.AuthKind{}, fault.New(fault.Invalid, "auth: must be one of %s", strings.Join(names, ", "))
}

// complete makes the settings of an integration of those it has and those a write gives; nil resets one. What belongs to another
// auth kind is refused, and a setting that is fixed keeps its value.
func complete(d provider.Declaration, auth string, has, given map[string]any) (provider.Values, error) {
	fields := d.SettingsOf(auth)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(fields, func(f provider.Field) bool { return f.Name == name }) {
			return nil, errOtherAuth(name, auth)
		}
	}
	return Merge("integration", fields, has, given)
}

// Merge makes complete settings of those that something has and those a write gives, all of them declared; nil resets one. A setting that
// is fixed keeps its value. what is the thing whose settings they are, for errors.
func Merge(what string, fields []provider.Field, has, given map[string]any) (provider.Values, error) {
	next := make(provider.Values)
	for _, f := range fields {
		if v, set := has[f.Name]; set {
			next[f.Name] = v
		}
	}
	for name, v := range given {
		if delete(next, name); v != nil {
			next[name] = v
		}
	}
	values, err := provider.Complete(fields, next)
	if err != nil {
		return nil, refused(err)
	}
	for _, f := range fields {
		if was, set := has[f.Name]; f.Fixed && set && fmt.Sprint(was) != fmt.Sprint(values[f.Name]) {
			return nil, fault.New(fault.Conflict, "%s: cannot be changed; make another %s", f.Name, what)
		}
	}
	return values, nil
}

func errOtherAuth(field, auth string) error {
	return fault.New(fault.Invalid, "%s: is not taken with auth=%s", field, auth)
}

// refused turns a provider's refusal of a setting into one of the engine's.
func refused(err error) error {
	var field *provider.FieldError
	if errors.As(err, &field) {
		return fault.New(fault.Invalid, "%s: %s", field.Field, field.Want)
	}
	return err
}
