// Docgen writes the generated files of docs/ and examples/: the reference of the engine's paths,
// from their schemas and help, and the ready-made policies. It owns the layout of these files. The
// engine declares their content.
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
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/engine"
)

//go:generate go run .

// root is the path of the checkout, relative to the folder in which go generate and the tests run.
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

// render returns the generated files by their path below the checkout.
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

// paths returns the paths of a mount with the given providers. The backend has no storage, as when
// Vault only queries the type of a plugin.
func paths(providers *provider.Registry) ([]*framework.Path, error) {
	options := engine.Options{Version: "v0.0.0", Clock: clock.System{}, Providers: providers}
	made, err := backend.Factory(options)(context.Background(), &logical.BackendConfig{Logger: hclog.NewNullLogger()})
	if err != nil {
		return nil, err
	}
	b, ok := made.(*backend.Backend)
	if !ok {
		return nil, fmt.Errorf("the factory returned a %T", made)
	}
	return b.Paths, nil
}
