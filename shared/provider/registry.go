package provider

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Registry holds the providers that a program knows. It is immutable.
type Registry struct {
	providers    map[string]Provider
	destinations map[string]owned // by the destination's name
}

// owned is a destination with whom it belongs to.
type owned struct {
	Destination
	provider Provider
}

// NewRegistry takes providers in whose declarations fit together: names that are legal and occur once, fields that are legal and are
// none of the engine's own, capabilities that are declared and implemented, or neither. Its error names what does not.
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

// Names lists the providers, sorted.
func (r *Registry) Names() []string { return slices.Sorted(maps.Keys(r.providers)) }

// Destinations lists the destinations of all providers, sorted.
func (r *Registry) Destinations() []string { return slices.Sorted(maps.Keys(r.destinations)) }

// Provider answers the provider of a name; nil where there is none.
func (r *Registry) Provider(name string) Provider { return r.providers[name] }

// Destination answers the declaration of a destination, and the provider it belongs to.
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
		return errors.New("needs a name of lower-case words joined by '-', a title and help")
	case len(d.Auth) == 0 || len(d.Destinations) == 0:
		return errors.New("needs an auth kind and a destination")
	case d.Client.Concurrency < 0 || d.Client.MaxBody < 0 || d.Client.Timeout < 0:
		return errors.New("has a client with a negative bound")
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

// checkCapabilities holds what is declared against what is implemented.
func checkCapabilities(p Provider, declared []Destination) error {
	_, isReader := p.(Reader)
	_, isLooker := p.(Looker)
	_, isChecker := p.(Checker)
	for _, c := range []struct {
		is       string
		able     bool
		declared func(Destination) bool
	}{
		{"a Reader", isReader, func(d Destination) bool { return d.ReadBack == ReadBackValue }},
		{"a Looker", isLooker, func(d Destination) bool { return d.Looks }},
		{"a Checker", isChecker, func(d Destination) bool { return d.Checks }},
	} {
		if says := slices.ContainsFunc(declared, c.declared); says != c.able {
			return fmt.Errorf("a destination declares that it is %s: %t; it is one: %t", c.is, says, c.able)
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
			return fmt.Errorf("auth kind %q: needs a name of lower-case words joined by '-', help and a secret field", kind.Name)
		case seen[kind.Name]:
			return fmt.Errorf("auth kind %q: is declared twice", kind.Name)
		}
		seen[kind.Name] = true
		fields := slices.Concat(d.Fields, kind.Fields)
		if len(fields) > maxFields {
			return fmt.Errorf("has more than %d fields", maxFields)
		}
		if err := checkFields(fields, IntegrationFields(d)); err != nil {
			return err
		}
	}
	return nil
}

// checkAcross holds together the fields of all auth kinds, which one path takes: those of one name are of one type, and none has the
// name by which a read says whether a secret is set.
func checkAcross(d Declaration) error {
	all := slices.Clone(d.Fields)
	for _, kind := range d.Auth {
		all = append(all, kind.Fields...)
	}
	byName := make(map[string]Field, len(all))
	for _, f := range all {
		if other, seen := byName[f.Name]; seen && (other.Type != f.Type || other.Secret != f.Secret) {
			return fmt.Errorf("field %q: is of one type with one auth kind and of another with another", f.Name)
		}
		byName[f.Name] = f
	}
	for name, f := range byName {
		if _, taken := byName[name+"_set"]; taken && f.Secret {
			return fmt.Errorf("field %q: is what a read answers of %q", name+"_set", name)
		}
	}
	return nil
}

// maxFields keeps EndpointDigest's count of names and values within a byte.
const maxFields = 100

func checkDestination(p Declaration, d Destination) error {
	switch {
	case !legalName.MatchString(d.Name) || d.Title == "" || d.Help == "":
		return errors.New("needs a name of lower-case words joined by '-', a title and help")
	case len(d.Granularities) == 0, d.Batch < 1, d.Target == nil:
		return errors.New("needs a granularity, a batch of at least 1 and a target")
	case slices.ContainsFunc(d.Granularities, func(g Granularity) bool { return g != Key && g != Bundle }):
		return errors.New("has a granularity that there is not")
	case d.ReadBack != ReadBackValue && d.ReadBack != ReadBackTimestamp && d.ReadBack != ReadBackNone:
		return errors.New("says nothing of reading back")
	}
	if err := d.Limits.legal(); err != nil {
		return err
	}
	for _, f := range d.Fields {
		if f.Secret || f.Endpoint != NotEndpoint {
			return fmt.Errorf("field %q: secrets and endpoints belong to the integration", f.Name)
		}
	}
	return checkFields(d.Fields, SyncFields(p, d))
}

func (l Limits) legal() error {
	switch {
	case (l.Name == nil) != (l.NameRule == ""):
		return errors.New("a rule for names needs a pattern and words")
	case l.Name != nil && (!strings.HasPrefix(l.Name.String(), "^") || !strings.HasSuffix(l.Name.String(), "$")):
		return errors.New("a pattern for names must be of the whole name: ^...$")
	case l.MaxEntries < 0 || l.MaxValueBytes < 0 || l.MaxNameBytes < 0 || slices.Contains(l.Reserved, ""):
		return errors.New("has a limit that lets nothing through")
	}
	return nil
}

func checkFields(fields []Field, own []EngineField) error {
	seen := make(map[string]bool)
	for _, f := range fields {
		if err := f.legal(); err != nil {
			return fmt.Errorf("field %q: %w", f.Name, err)
		}
		switch {
		case slices.ContainsFunc(own, func(e EngineField) bool { return e.Name == f.Name }):
			return fmt.Errorf("field %q: is the engine's own", f.Name)
		case seen[f.Name]:
			return fmt.Errorf("field %q: is declared twice", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

func (f Field) legal() error {
	switch {
	case !legalField.MatchString(f.Name) || f.Help == "":
		return errors.New("needs a name in snake case and help")
	case f.Type < Text || f.Type > Words || f.Endpoint < NotEndpoint || f.Endpoint > EndpointPEM:
		return errors.New("has a type that there is not")
	case f.Type != Text && (f.Secret || f.Endpoint != NotEndpoint || f.Choices != nil || f.Example != ""):
		return errors.New("a secret, an endpoint, a choice and what has an example is a text")
	}
	for _, legal := range []func() error{f.legalSecret, f.legalEndpoint, f.legalValues} {
		if err := legal(); err != nil {
			return err
		}
	}
	return nil
}

func (f Field) legalSecret() error {
	if f.Secret && (f.Endpoint != NotEndpoint || f.Default != nil || f.Example != "" || f.Choices != nil) {
		return errors.New("a secret is no endpoint, and has no default, no choices and no example")
	}
	return nil
}

// legalEndpoint holds Party to what it reads: two names that mean the same in every provider.
func (f Field) legalEndpoint() error {
	switch {
	case (f.Name == FieldCAPEM) != (f.Endpoint == EndpointPEM):
		return errors.New("certificates that are trusted are an EndpointPEM called " + FieldCAPEM)
	case f.Name == FieldServerName && f.Endpoint != EndpointText:
		return errors.New("the name that a certificate must have is an EndpointText")
	}
	return nil
}

func (f Field) legalValues() error {
	switch {
	case f.Required && f.Default != nil:
		return errors.New("what has a default is not required")
	case f.Default != nil && f.check(f.Default) != nil:
		return errors.New("its default is not one of its values")
	case f.Example != "" && f.check(f.Example) != nil:
		return errors.New("its example is not one of its values")
	}
	return nil
}
