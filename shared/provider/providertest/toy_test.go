package providertest

import (
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
)

func upper(name string) string { return strings.ToUpper(name) }

// toyParty returns parties of toys. If spoil is not nil, it puts a mistake into the provider.
func toyParty(o toy.Options, g provider.Granularity, spoil func(provider.Provider) provider.Provider) func(testing.TB) Party {
	return func(testing.TB) Party {
		p, server := o.New()
		if spoil != nil {
			p = spoil(p)
		}
		return Party{
			Provider:    p,
			Destination: toy.Destination,
			Granularity: g,
			Credential:  map[string]string{"key": server.Key()},
			Refused:     map[string]string{"key": "a key that opens nothing"},
			Place:       provider.Values{"shelf": "top"},
			Elsewhere:   []provider.Values{{"shelf": toy.Nowhere}},
			Weak: func() (provider.Values, map[string]string) {
				return provider.Values{"read_only": true}, map[string]string{"key": server.Key()}
			},
			Plant:  func(name, value string) { server.Plant("top", name, value) },
			Remove: func(name string) { server.Remove("top", name) },
			Truth:  func() map[string]string { return server.Truth("top") },
			Objects: func() []string {
				if g == provider.Bundle {
					return []string{"top"}
				}
				var paths []string
				for name := range server.Truth("top") {
					paths = append(paths, "top/"+name)
				}
				return paths
			},
			Extend: extend(server, g),
		}
	}
}

// extend returns Party.Extend of a toy. A bundle has no content besides its entries.
func extend(server *toy.Server, g provider.Granularity) func(name string) func() bool {
	if g == provider.Bundle {
		return nil
	}
	return func(name string) func() bool {
		server.Extend("top", name)
		return func() bool { return server.Extended("top", name) }
	}
}
