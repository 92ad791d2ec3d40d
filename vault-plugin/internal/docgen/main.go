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
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/catalog"
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
	// Without a storage, as Vault makes a backend when it only asks what the plugin is.
	providers, err := catalog.All()
	if err != nil {
		return nil, err
	}
	options := backend.Options{Version: "v0.0.0", Clock: clock.System{}, Providers: providers}
	made, err := backend.Factory(options)(context.Background(), &logical.BackendConfig{Logger: hclog.NewNullLogger()})
	if err != nil {
		return nil, err
	}
	b, ok := made.(*backend.Backend)
	if !ok {
		return nil, fmt.Errorf("the factory made a %T", made)
	}
	maps.Copy(files, map[string]string{"docs/reference/api.md": reference(b.Paths)})
	return files, nil
}
