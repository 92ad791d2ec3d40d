// Docgen writes what docs/ and examples/ repeat of the engine: the reference of its paths, from their schemas and help, and the
// ready policies. It knows how these files look; what they say is declared where the engine declares it.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/catalog"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/backend"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/clock"
)

//go:generate go run .

// root is the checkout, seen from the folder in which go generate and the tests run.
const root = "../../.."

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

func run() error {
	files, err := render()
	if err != nil {
		return err
	}
	for path, text := range files {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// render answers every generated file by its path below the checkout.
func render() (map[string]string, error) {
	files, err := policyFiles()
	if err != nil {
		return nil, err
	}
	providers, err := catalog.All()
	if err != nil {
		return nil, err
	}
	all, err := paths(providers)
	if err != nil {
		return nil, err
	}
	maps.Copy(files, map[string]string{"docs/reference/api.md": reference(all)})
	return files, nil
}

// paths answers those of a mount with some providers. It is made without a storage, as Vault makes one when it only asks what the
// plugin is.
func paths(providers *provider.Registry) ([]*framework.Path, error) {
	options := backend.Options{Version: "v0.0.0", Clock: clock.System{}, Providers: providers}
	made, err := backend.Factory(options)(context.Background(), &logical.BackendConfig{Logger: hclog.NewNullLogger()})
	if err != nil {
		return nil, err
	}
	b, ok := made.(*backend.Backend)
	if !ok {
		return nil, fmt.Errorf("the factory made a %T", made)
	}
	return b.Paths, nil
}
