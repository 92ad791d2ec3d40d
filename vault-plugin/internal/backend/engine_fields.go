package backend

import (
	"github.com/hashicorp/vault/sdk/framework"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

// engineFields returns the schemas of the engine's own fields that occur at the given place.
func engineFields(own []provider.EngineField, where provider.Where) fields {
	all := make(fields)
	for _, f := range own {
		if f.In(where) {
			all[f.Name] = engineSchema(f, where)
		}
	}
	return all
}

// engineField returns the schema of one of the engine's own fields.
func engineField(own []provider.EngineField, where provider.Where, name string) *framework.FieldSchema {
	f, _ := provider.FindField(own, where, name)
	return engineSchema(f, where)
}

// engineSchema returns the schema of a field at a place: a write shows defaults and choices, and
// what is returned needs neither.
func engineSchema(f provider.EngineField, where provider.Where) *framework.FieldSchema {
	if where == provider.InWrite {
		s := providerSchema(f.Field)
		if f.Replaces {
			s.Description += " It cannot be changed while the sync owns entries."
		}
		return s
	}
	s := &framework.FieldSchema{Type: providerType(f.Type), Description: f.Help, Required: where == provider.InPath}
	switch {
	case f.Type == provider.Moment:
		return timeField(f.Help)
	case f.Type == provider.Objects:
		s.Description += " Fields of each: " + f.ItemsHelp()
	case f.Type == provider.Words && where != provider.InAction:
		s.Type = framework.TypeStringSlice
	}
	return s
}

// optionalFields lists the engine's own fields that a read may omit.
func optionalFields(own []provider.EngineField) []string {
	var names []string
	for _, f := range own {
		if f.Optional {
			names = append(names, f.Name)
		}
	}
	return names
}
