// Package catalog lists the providers that this project ships. To add a provider, add a folder
// under shared/provider and one line here.
package catalog

import (
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/github"
	"github.com/stashbase/vault-stashbase/shared/provider/vault"
)

// All returns a registry of all providers. Its error reports a mistake in a declaration.
func All() (*provider.Registry, error) {
	return provider.NewRegistry(github.New(), vault.New())
}
