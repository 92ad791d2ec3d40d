package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden file")

func TestTheSchemaIsTheOneThatWasReviewed(t *testing.T) {
	all, err := providerSchemas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, path := listing(all.Providers["stashbase"]), filepath.Join("testdata", "schema.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the schema differs from %s; if that is intended, rewrite it with: go test ./terraform-provider/internal/docgen -update\n%s", path, got)
	}
}

// Each type has a page and an example. Each page has a type, so that no page of a removed type is
// left behind.
func TestEveryTypeHasAPageAndAnExample(t *testing.T) {
	all, err := providerSchemas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := all.Providers["stashbase"]
	for _, group := range []struct {
		members              map[string]schema
		pages, folders, file string
	}{
		{s.Resources, "resources", "resources", "resource.tf"},
		{s.Data, "data-sources", "data-sources", "data-source.tf"},
		{s.Ephemerals, "ephemeral-resources", "ephemeral-resources", "ephemeral-resource.tf"},
	} {
		for name := range group.members {
			page := filepath.Join(root, "terraform-provider/docs", group.pages, name[len("stashbase_"):]+".md")
			example := filepath.Join(root, "examples/terraform", group.folders, name, group.file)
			for _, path := range []string{page, example} {
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%v: write the example and run make generate", err)
				}
			}
		}
		found, err := filepath.Glob(filepath.Join(root, "terraform-provider/docs", group.pages, "*.md"))
		if err != nil || len(found) != len(group.members) {
			t.Errorf("%d pages in %s for %d types (%v)", len(found), group.pages, len(group.members), err)
		}
	}
	for name := range s.Resources {
		if _, err := os.Stat(filepath.Join(root, "examples/terraform/resources", name, "import.sh")); err != nil {
			t.Errorf("%v: write the import command", err)
		}
	}
}
