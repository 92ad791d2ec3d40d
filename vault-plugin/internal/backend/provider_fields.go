package backend

import (
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
)

// providerSchema returns the schema of a field that a write accepts.
func providerSchema(f provider.Field) *framework.FieldSchema {
	help := f.Help
	if f.Required {
		help += " Required to create."
	}
	if f.Fixed {
		help += " It cannot be changed."
	}
	if f.Endpoint != provider.NotEndpoint {
		help += " Change it together with the credential, in one write: a credential is sent only to the endpoint it was supplied for."
	}
	if f.Example != "" {
		help += " Example: " + f.Example
	}
	s := &framework.FieldSchema{Type: providerType(f.Type), Description: help, Default: f.Default}
	for _, choice := range f.Choices {
		s.AllowedValues = append(s.AllowedValues, choice)
	}
	if f.Secret {
		s.Description += " Write-only: a read returns only whether it is set."
		s.DisplayAttrs = &framework.DisplayAttributes{Sensitive: true}
	}
	return s
}

func providerType(t provider.Type) framework.FieldType {
	switch t {
	case provider.Flag:
		return framework.TypeBool
	case provider.Whole:
		return framework.TypeInt
	case provider.Words:
		return framework.TypeCommaStringSlice
	case provider.Moment:
		return framework.TypeTime
	case provider.Seconds:
		return framework.TypeDurationSecond
	case provider.Object:
		return framework.TypeMap
	case provider.Objects:
		return framework.TypeSlice
	default:
		return framework.TypeString
	}
}

// declared returns every field of a provider's integrations once. with maps a field to the auth
// kinds that have it; a field of every auth kind is missing from with.
func declared(d provider.Declaration) (all []provider.Field, with map[string][]string) {
	all, with = slices.Clone(d.Fields), make(map[string][]string)
	for _, kind := range d.Auth {
		for _, f := range kind.Fields {
			if with[f.Name] == nil {
				all = append(all, f)
			}
			with[f.Name] = append(with[f.Name], kind.Name)
		}
	}
	return all, with
}

// providerFields returns the provider's fields that a write of an integration accepts, of every
// auth kind.
func providerFields(d provider.Declaration) fields {
	all, with := declared(d)
	taken := make(fields, len(all))
	for _, f := range all {
		s := providerSchema(f)
		if kinds := with[f.Name]; kinds != nil && len(kinds) < len(d.Auth) {
			s.Description = "With auth=" + strings.Join(kinds, " or ") + ": " + s.Description
		}
		taken[f.Name] = s
	}
	return taken
}

// setSuffix is appended to the name of a secret field: a read reports under it whether it is set.
const setSuffix = "_set"

// providerResults returns the provider's fields that a read returns. sometimes lists those that
// only some auth kinds have.
func providerResults(d provider.Declaration) (returned fields, sometimes []string) {
	all, with := declared(d)
	returned = make(fields, len(all))
	for _, f := range all {
		name, schema := f.Name, &framework.FieldSchema{Type: providerType(f.Type), Description: f.Help}
		if f.Secret {
			name, schema = f.Name+setSuffix, boolField("Whether "+f.Name+" is set.")
		}
		returned[name] = schema
		if with[f.Name] != nil {
			sometimes = append(sometimes, name)
		}
	}
	return returned, sometimes
}

// assignProvider copies the provider's fields of a request to a change. The caller clears the
// secrets.
func assignProvider(c *call, d provider.Declaration, to *integrations.Change) {
	to.Settings, to.Secrets = make(map[string]any), make(map[string][]byte)
	all, _ := declared(d)
	for _, f := range all {
		present, null := c.given(f.Name)
		switch {
		case !present:
		case f.Secret && null:
			to.Secrets[f.Name] = nil
		case f.Secret:
			to.Secrets[f.Name] = []byte(c.text(f.Name))
		case null:
			to.Settings[f.Name] = nil
		default:
			to.Settings[f.Name] = c.data.Get(f.Name)
		}
	}
}

// describeProvider returns the settings of an integration, and which secret fields are set.
func describeProvider(i integrations.Described) map[string]any {
	all := make(map[string]any)
	for name, value := range i.Settings {
		if words, isWords := value.([]string); isWords {
			value = append([]string{}, words...)
		}
		all[name] = value
	}
	for name, set := range i.Set {
		all[name+setSuffix] = set
	}
	return all
}
