package examples_test

import (
	"os"
	"path/filepath"
	"testing"
)

// provide adds a `terraform` to the session, which is the pinned OpenTofu. It adds the provider to
// bin/, where `make build` writes it. The document installs the provider.
func (s *session) provide(t *testing.T) {
	t.Helper()
	tofu := needsTofu(t)
	if err := os.Symlink(tofu, filepath.Join(s.dir, ".bin", "terraform")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(providerBinary(t), filepath.Join(s.dir, "bin", "terraform-provider-stashbase")); err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "TF_IN_AUTOMATION=1", "TF_CLI_ARGS=-no-color", "CHECKPOINT_DISABLE=1")
}
