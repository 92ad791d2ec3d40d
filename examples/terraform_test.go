package examples_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// provide adds a `terraform` to the session, which is the pinned OpenTofu, and installs the
// provider for it.
func (s *session) provide(t *testing.T) {
	t.Helper()
	tofu := needsTofu(t)
	if err := os.Symlink(tofu, filepath.Join(s.dir, ".bin", "terraform")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(providerBinary(t), filepath.Join(s.dir, ".bin", "terraform-provider-stashbase")); err != nil {
		t.Fatal(err)
	}
	s.write(t, ".terraformrc", fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"stashbase/stashbase\" = %q\n  }\n  direct {}\n}\n", filepath.Join(s.dir, ".bin")))
	s.env = append(s.env, "TF_CLI_CONFIG_FILE="+filepath.Join(s.dir, ".terraformrc"), "TF_IN_AUTOMATION=1", "TF_CLI_ARGS=-no-color", "CHECKPOINT_DISABLE=1")
}
