package examples_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// provide puts a `terraform` into the session, which is the pinned OpenTofu, and the provider where that finds it.
func (s *session) provide(t *testing.T) {
	t.Helper()
	tofu := os.Getenv("TOFU_BINARY")
	if tofu == "" {
		tofu = absolute(t, filepath.Join(root, "bin", "tofu"))
	}
	if _, err := os.Stat(tofu); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED, NOT TESTED: no OpenTofu binary: run `make terraform` (%v)", err)
	}
	if err := os.Symlink(tofu, filepath.Join(s.dir, ".bin", "terraform")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(builtProvider(t), filepath.Join(s.dir, ".bin", "terraform-provider-stashbase")); err != nil {
		t.Fatal(err)
	}
	s.write(t, ".terraformrc", fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"stashbase/stashbase\" = %q\n  }\n  direct {}\n}\n", filepath.Join(s.dir, ".bin")))
	s.env = append(s.env, "TF_CLI_CONFIG_FILE="+filepath.Join(s.dir, ".terraformrc"), "TF_IN_AUTOMATION=1", "TF_CLI_ARGS=-no-color", "CHECKPOINT_DISABLE=1")
}

// builtProvider is the provider of the test run, or one that is built for this session: few documents need it.
func builtProvider(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("STASHBASE_PROVIDER_BINARY"); path != "" {
		return absolute(t, path)
	}
	path := filepath.Join(t.TempDir(), "terraform-provider-stashbase")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./terraform-provider")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build ./terraform-provider: %v\n%s", err, out)
	}
	return path
}
