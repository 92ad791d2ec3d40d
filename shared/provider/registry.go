package provider

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Registry holds the providers of a program. It is immutable.
type Registry struct {
	providers    map[string]Provider
	destinations map[string]owned // by the destination's name
}

// owned is a destination together with its provider.
type owned struct {
	Destination
	provider Provider
}

// NewRegistry returns a registry of the given providers. Their declarations must be consistent:
// names are valid and unique, fields are valid and do not collide with the engine's own, and a
// capability is declared if and only if it is implemented. The error names the provider and the
// mistake.
func NewRegistry(providers ...Provider) (*Registry, error) {
	r := &Registry{make(map[string]Provider), make(map[string]owned)}
	for _, p := range providers {
		if p == nil {
			return nil, errors.New("a provider is nil")
		}
		d := p.Declare()
		if err := check(p, d); err != nil {
			return nil, fmt.Errorf("provider %q: %w", d.Name, err)
		}
		if r.providers[d.Name] != nil {
			return nil, fmt.Errorf("provider %q: is registered twice", d.Name)
		}
		r.providers[d.Name] = p
		for _, dest := range d.Destinations {
			if r.destinations[dest.Name].provider != nil {
				return nil, fmt.Errorf("provider %q: destination %q is registered twice", d.Name, dest.Name)
			}
			r.destinations[dest.Name] = owned{dest, p}
		}
	}
	return r, nil
}

// Names returns the names of the providers, sorted.
func (r *Registry) Names() []string { return slices.Sorted(maps.Keys(r.providers)) }

// Destinations returns the names of the destinations of all providers, sorted.
func (r *Registry) Destinations() []string { return slices.Sorted(maps.Keys(r.destinations)) }

// Provider returns the provider with the given name, or nil if there is none.
func (r *Registry) Provider(name string) Provider { return r.providers[name] }

// Destination returns the declaration of a destination and its provider. The bool reports whether
// the destination exists.
func (r *Registry) Destination(name string) (Destination, Provider, bool) {
	d, ok := r.destinations[name]
	return d.Destination, d.provider, ok
}

var (
	legalName  = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	legalField = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
)

func check(p Provider, d Declaration) error {
	switch {
	case !legalName.MatchString(d.Name) || d.Title == "" || d.Help == "":
		return errors.New("must have a name of lower-case words joined by '-', a title and help")
	case len(d.Auth) == 0 || len(d.Destinations) == 0:
		return errors.New("must have at least one auth kind and one destination")
	case d.Client.Concurrency < 0 || d.Client.MaxBody < 0 || d.Client.Timeout < 0:
		return errors.New("must not have a client with a negative limit")
	}
	if err := checkAuth(d); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for _, dest := range d.Destinations {
		if err := checkDestination(d, dest); err != nil {
			return fmt.Errorf("destination %q: %w", dest.Name, err)
		}
		if seen[dest.Name] {
			return fmt.Errorf("destination %q: is declared twice", dest.Name)
		}
		seen[dest.Name] = true
	}
	return checkCapabilities(p, d.Destinations)
}

// checkCapabilities compares the declared capabilities with the implemented interfaces.
func checkCapabilities(p Provider, declared []Destination) error {
	_, isReader := p.(Reader)
	_, isLooker := p.(Looker)
	_, isChecker := p.(Checker)
	for _, c := range []struct {
		name        string
		implemented bool
		declared    func(Destination) bool
	}{
		{"Reader", isReader, func(d Destination) bool { return d.ReadBack == ReadBackValue }},
		{"Looker", isLooker, func(d Destination) bool { return d.Looks }},
		{"Checker", isChecker, func(d Destination) bool { return d.Checks }},
	} {
		if isDeclared := slices.ContainsFunc(declared, c.declared); isDeclared != c.implemented {
			return fmt.Errorf("must implement %s if and only if a destination declares it: declared %t, implemented %t", c.name, isDeclared, c.implemented)
		}
	}
	return nil
}

func checkAuth(d Declaration) error {
	if err := checkAcross(d); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for _, kind := range d.Auth {
		switch {
		case !legalName.MatchString(kind.Name) || kind.Help == "" || !slices.ContainsFunc(kind.Fields, func(f Field) bool { return f.Secret }):
			return fmt.Errorf("auth kind %q: must have a name of lower-case words joined by '-', help and a secret field", kind.Name)
		case seen[kind.Name]:
			return fmt.Errorf("auth kind %q: is declared twice", kind.Name)
		}
		seen[kind.Name] = true
		fields := slices.Concat(d.Fields, kind.Fields)
		if len(fields) > maxFields {
			return fmt.Errorf("must not have more than %d fields", maxFields)
		}
		if err := checkFields(fields, IntegrationFields(d)); err != nil {
			return err
		}
	}
	return nil
}

// checkAcross checks the fields of all auth kinds together, because one path accepts all of them.
// Fields with the same name must have the same type. No field may be named like the field in which
// a read reports whether a secret is set.
func checkAcross(d Declaration) error {
	all := slices.Clone(d.Fields)
	for _, kind := range d.Auth {
		all = append(all, kind.Fields...)
	}
	byName := make(map[string]Field, len(all))
	for _, f := range all {
		if other, seen := byName[f.Name]; seen && (other.Type != f.Type || other.Secret != f.Secret) {
			return fmt.Errorf("field %q: must have the same type in every auth kind", f.Name)
		}
		byName[f.Name] = f
	}
	for name, f := range byName {
		if _, taken := byName[name+"_set"]; taken && f.Secret {
			return fmt.Errorf("field %q: is reserved; a read reports in it whether %q is set", name+"_set", name)
		}
	}
	return nil
}

// maxFields keeps the number of names and values in EndpointDigest below 256.
const maxFields = 100

func checkDestination(p Declaration, d Destination) error {
	switch {
	case !legalName.MatchString(d.Name) || d.Title == "" || d.Help == "":
		return errors.New("must have a name of lower-case words joined by '-', a title and help")
	case len(d.Granularities) == 0, d.Batch < 1, d.Target == nil, d.Object == nil:
		return errors.New("must have a granularity, a batch of at least 1, a target and an object")
	case slices.ContainsFunc(d.Granularities, func(g Granularity) bool { return g != Key && g != Bundle }):
		return errors.New("has an unknown granularity")
	case d.ReadBack != ReadBackValue && d.ReadBack != ReadBackTimestamp && d.ReadBack != ReadBackNone:
		return errors.New("must have a known ReadBack")
	}
	if err := d.Limits.validate(); err != nil {
		return err
	}
	for _, f := range d.Fields {
		if f.Secret || f.Endpoint != NotEndpoint {
			return fmt.Errorf("field %q: a destination must not have secret or endpoint fields; declare it for the integration", f.Name)
		}
	}
	return checkFields(d.Fields, SyncFields(p, d))
}

func (l Limits) validate() error {
	switch {
	case (l.Name == nil) != (l.NameRule == ""):
		return errors.New("must have both Limits.Name and Limits.NameRule, or neither")
	case l.Name != nil && (!strings.HasPrefix(l.Name.String(), "^") || !strings.HasSuffix(l.Name.String(), "$")):
		return errors.New("Limits.Name must match whole names: ^...$")
	case l.MaxEntries < 0 || l.MaxValueBytes < 0 || l.MaxNameBytes < 0 || slices.Contains(l.Reserved, ""):
		return errors.New("has a limit that nothing can satisfy")
	}
	return nil
}

func checkFields(fields []Field, own []EngineField) error {
	seen := make(map[string]bool)
	for _, f := range fields {
		if err := f.validate(); err != nil {
			return fmt.Errorf("field %q: %w", f.Name, err)
		}
		switch {
		case slices.ContainsFunc(own, func(e EngineField) bool { return e.Name == f.Name }):
			return fmt.Errorf("field %q: is reserved for the engine", f.Name)
		case seen[f.Name]:
			return fmt.Errorf("field %q: is declared twice", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

func (f Field) validate() error {
	switch {
	case !legalField.MatchString(f.Name) || f.Help == "":
		return errors.New("must have a name in snake case and help")
	case f.Type < Text || f.Type > Words || f.Endpoint < NotEndpoint || f.Endpoint > EndpointPEM:
		return errors.New("has an unknown type or endpoint")
	case f.Type != Text && (f.Secret || f.Endpoint != NotEndpoint || f.Choices != nil || f.Example != "" || f.Normal != nil):
		return errors.New("only a Text can be secret or an endpoint, or have choices, an example or a normal form")
	}
	for _, check := range []func() error{f.checkSecret, f.checkEndpointRole, f.checkValues} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (f Field) checkSecret() error {
	switch {
	case f.Secret && (f.Endpoint != NotEndpoint || f.Default != nil || f.Example != "" || f.Choices != nil):
		return errors.New("a secret field must not be an endpoint and must not have a default, choices or an example")
	case f.Multiline && !f.Secret, f.Normal != nil && f.Secret:
		return errors.New("only a secret field can be Multiline, and only another field can have a normal form")
	}
	return nil
}

// checkEndpointRole checks the two fields that Party reads: their names mean the same in every
// provider.
func (f Field) checkEndpointRole() error {
	switch {
	case (f.Name == FieldCAPEM) != (f.Endpoint == EndpointPEM):
		return errors.New("trusted certificates must be an EndpointPEM with the name " + FieldCAPEM)
	case f.Name == FieldServerName && f.Endpoint != EndpointText:
		return errors.New("the expected name in the server's certificate must be an EndpointText")
	}
	return nil
}

func (f Field) checkValues() error {
	switch {
	case f.Required && f.Default != nil:
		return errors.New("a required field must not have a default")
	case f.Default != nil && f.check(f.Default) != nil:
		return errors.New("has a default that is not one of its values")
	case f.Example != "" && f.check(f.Example) != nil:
		return errors.New("has an example that is not one of its values")
	}
	return nil
}
