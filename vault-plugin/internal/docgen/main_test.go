package main

import (
	"os"
	"path/filepath"
	"testing"
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

// A role that is renamed must not leave its old policy behind.
func TestEveryExamplePolicyIsARole(t *testing.T) {
	files, err := render()
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(root, "examples/policies/*.hcl"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no policy found: the test shows nothing (%v)", err)
	}
	for _, path := range found {
		rel, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		if _, known := files[filepath.ToSlash(rel)]; !known {
			t.Errorf("%s is no role's policy: remove it", rel)
		}
	}
}
