package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
)

func TestGeneratedFilesAreCurrent(t *testing.T) {
	files, err := render()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Errorf("%v: run make generate", err)
		} else if string(got) != want {
			t.Errorf("%s is stale: run make generate", path)
		}
	}
}

func TestTheReferenceOfAProviderDerivesFromItsDeclaration(t *testing.T) {
	toys, _ := toy.New()
	registry, err := provider.NewRegistry(toys)
	if err != nil {
		t.Fatal(err)
	}
	all, err := paths(registry)
	if err != nil {
		t.Fatal(err)
	}
	text := reference(all)
	for _, part := range []string{
		"### `integrations/:workspace/toy/:name`", "### `integrations/:workspace/toy/:name/verify`", "A box of shelves in memory.",
		"| `region` | string | Region of the box.", "One of: eu, us. Default: eu.", "| `labels` | slice |", "| `key_set` | bool |",
		"    $ vault write stashbase/integrations/acme/toy/main auth=pair account=ada password=@password",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the reference does not contain %q", part)
		}
	}
}

// The old policy of a renamed role must be removed.
func TestEveryExamplePolicyIsARole(t *testing.T) {
	files, err := render()
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(root, "examples/policies/*.hcl"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no policy found, so the test checks nothing (%v)", err)
	}
	for _, path := range found {
		rel, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		if _, known := files[filepath.ToSlash(rel)]; !known {
			t.Errorf("%s is not the policy of a role: remove it", rel)
		}
	}
}
