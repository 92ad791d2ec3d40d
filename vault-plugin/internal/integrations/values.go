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

// newEntry returns the entry for a record and its credential. sealed is nil if the credential is
// missing or damaged. ValuesOf describes the entry's settings.
func (s *Service) newEntry(m recordset.Member, record *store.Integration, sealed *store.Credential) *entry {
	m.ID = record.ID
	e := &entry{Member: m, record: record, sealed: sealed, settings: make(provider.Values), unsupported: true}
	p := s.Providers.Provider(m.At.Group)
	if p == nil {
		return e
	}
	e.declaration = p.Declare()
	e.unsupported = !slices.ContainsFunc(e.declaration.Auth, func(k provider.AuthKind) bool { return k.Name == record.Auth })
	e.settings = ValuesOf(e.declaration.SettingsOf(record.Auth), record.Settings)
	endpoint, err := provider.EndpointDigest(e.declaration, record.Auth, e.settings)
	e.endpoint, e.unsupported = endpoint, e.unsupported || err != nil
	return e
}

// ValuesOf returns complete settings from the stored settings, in their normal forms. It drops
// settings that this version does not declare. Settings that are not stored have their defaults.
func ValuesOf(fields []provider.Field, stored map[string]store.Setting) provider.Values {
	// Without a required field, there is no error.
	values, _ := provider.Complete(optional(fields), nil)
	for _, f := range fields {
		if setting, set := stored[f.Name]; set {
			values[f.Name] = f.Stored(value(f.Type, setting))
		}
	}
	return values
}

// optional returns the fields with none of them required.
func optional(fields []provider.Field) []provider.Field {
	all := slices.Clone(fields)
	for i := range all {
		all[i].Required = false
	}
	return all
}

// value returns a stored setting as a value of its declared type.
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

// SettingsOf returns complete settings in the form in which they are stored.
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

// authOf returns the auth kind with a name. If the provider does not have it, the error lists the
// provider's auth kinds.
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

// complete returns the settings of an integration after a write. It rejects a setting of another
// auth kind; apart from that, it is like Merge.
func complete(d provider.Declaration, auth string, current, given map[string]any) (provider.Values, error) {
	fields := d.SettingsOf(auth)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(fields, func(f provider.Field) bool { return f.Name == name }) {
			return nil, errOtherAuth(name, auth)
		}
	}
	return Merge("integration", fields, current, given)
}

// Merge returns complete settings from the current settings and the settings that a write gives.
// All given settings must be declared in fields; nil resets a setting. Merge fails if a fixed
// setting would change. what names the owner of the settings in errors: "integration" or "sync".
func Merge(what string, fields []provider.Field, current, given map[string]any) (provider.Values, error) {
	next := make(provider.Values)
	for _, f := range fields {
		if v, set := current[f.Name]; set {
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
		if was, set := current[f.Name]; f.Fixed && set && fmt.Sprint(was) != fmt.Sprint(values[f.Name]) {
			return nil, fault.New(fault.Conflict, "%s: cannot be changed; create another %s", f.Name, what)
		}
	}
	return values, nil
}

// errOtherAuth returns the error for a field that the auth kind of an integration does not have.
func errOtherAuth(field, auth string) error {
	return fault.New(fault.Invalid, "%s: is not a field of auth=%s; leave it out", field, auth)
}

// refused returns a *provider.FieldError as an error of the engine, and every other error
// unchanged.
func refused(err error) error {
	var field *provider.FieldError
	if errors.As(err, &field) {
		return fault.New(fault.Invalid, "%s: %s", field.Field, field.Want)
	}
	return err
}
