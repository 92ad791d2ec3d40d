package provider

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// Registry holds the providers that a program knows. It is immutable.
type Registry struct {
	providers    map[string]Provider
	destinations map[string]Provider // by the destination's name
}

// NewRegistry takes providers in whose declarations fit together: names that are legal and occur once, fields that are legal and are
// none of the engine's own, capabilities that are declared and implemented, or neither. Its error names what does not.
func NewRegistry(providers ...Provider) (*Registry, error) {
	r := &Registry{make(map[string]Provider), make(map[string]Provider)}
	for _, p := range providers {
		d := p.Declare()
		if err := check(p, d); err != nil {
			return nil, fmt.Errorf("provider %q: %w", d.Name, err)
		}
		if r.providers[d.Name] != nil {
			return nil, fmt.Errorf("provider %q: is registered twice", d.Name)
		}
		r.providers[d.Name] = p
		for _, dest := range d.Destinations {
			if r.destinations[dest.Name] != nil {
				return nil, fmt.Errorf("provider %q: destination %q is registered twice", d.Name, dest.Name)
			}
			r.destinations[dest.Name] = p
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
	p := r.destinations[name]
	if p == nil {
		return Destination{}, nil, false
	}
	for _, d := range p.Declare().Destinations {
		if d.Name == name {
			return d, p, true
		}
	}
	return Destination{}, nil, false
}

// The names that fields of providers and destinations may not have: what the engine's own paths take beside them.
var (
	integrationFields = []string{
		"workspace", "provider", "name", "role", "description", "auth", "allowed_environments", "allowed_targets",
		"rotation_period", "rotation_schedule", "rotation_window", "publish", "generation", "fingerprint", "expires_time",
		"created_time", "updated_time", "last_used_time", "last_error", "syncs", "limit", "after", "list", "state",
		"hint", "credential_time", "confirm",
	}
	syncFields = []string{
		"workspace", "project", "environment", "destination", "name", "description", "integration", "include", "exclude", "tags",
		"name_template", "transform", "granularity", "on_conflict", "deletion", "drift", "drift_interval", "trigger", "purge", "paused",
		"wait", "keys", "target", "state", "created_time", "updated_time", "acknowledge_restore", "limit", "after", "list",
	}
	legalName  = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	legalField = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
)

func check(p Provider, d Declaration) error {
	if !legalName.MatchString(d.Name) || d.Title == "" || d.Help == "" {
		return fmt.Errorf("needs a name of lower-case words joined by '-', a title and help")
	}
	if len(d.Auth) == 0 || len(d.Destinations) == 0 {
		return fmt.Errorf("needs an auth kind and a destination")
	}
	for _, kind := range d.Auth {
		if kind.Name == "" || kind.Help == "" || !slices.ContainsFunc(kind.Fields, func(f Field) bool { return f.Secret }) {
			return fmt.Errorf("auth kind %q: needs a name, help and a secret field", kind.Name)
		}
		if err := checkFields(slices.Concat(d.Fields, kind.Fields), integrationFields); err != nil {
			return err
		}
	}
	reads := false
	for _, dest := range d.Destinations {
		if err := checkDestination(dest); err != nil {
			return fmt.Errorf("destination %q: %w", dest.Name, err)
		}
		reads = reads || dest.ReadBack == ReadBackValue
	}
	if _, isReader := p.(Reader); isReader != reads {
		return fmt.Errorf("a destination with ReadBackValue: %t; it is a Reader: %t", reads, isReader)
	}
	return nil
}

func checkDestination(d Destination) error {
	switch {
	case !legalName.MatchString(d.Name) || d.Title == "" || d.Help == "":
		return fmt.Errorf("needs a name of lower-case words joined by '-', a title and help")
	case len(d.Granularities) == 0, d.Batch < 1, d.Target == nil:
		return fmt.Errorf("needs a granularity, a batch of at least 1 and a target")
	case d.ReadBack != ReadBackValue && d.ReadBack != ReadBackTimestamp && d.ReadBack != ReadBackNone:
		return fmt.Errorf("says nothing of reading back")
	case (d.Limits.Name == nil) != (d.Limits.NameRule == ""):
		return fmt.Errorf("a rule for names needs a pattern and words")
	}
	for _, f := range d.Fields {
		if f.Secret || f.Endpoint != NotEndpoint {
			return fmt.Errorf("field %q: secrets and endpoints belong to the integration", f.Name)
		}
	}
	return checkFields(d.Fields, syncFields)
}

func checkFields(fields []Field, taken []string) error {
	seen := make(map[string]bool)
	for _, f := range fields {
		switch {
		case !legalField.MatchString(f.Name) || f.Help == "":
			return fmt.Errorf("field %q: needs a name in snake case and help", f.Name)
		case slices.Contains(taken, f.Name):
			return fmt.Errorf("field %q: is the engine's own", f.Name)
		case seen[f.Name]:
			return fmt.Errorf("field %q: is declared twice", f.Name)
		case (f.Secret || f.Endpoint != NotEndpoint || f.Choices != nil) && f.Type != Text:
			return fmt.Errorf("field %q: a secret, an endpoint or a choice is a text", f.Name)
		case f.Secret && (f.Endpoint != NotEndpoint || f.Default != nil):
			return fmt.Errorf("field %q: a secret is no endpoint and has no default", f.Name)
		case f.Default != nil && f.check(f.Default) != nil:
			return fmt.Errorf("field %q: its default is not one of its values", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}
