package tftest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// CLI is a command line program that runs Terraform configurations.
type CLI struct {
	Name     string // tofu or terraform
	path     string
	provider func() (string, error) // returns the path of the provider's binary
}

const moduleLine = "module github.com/stashbase/vault-stashbase\n"

// errNoTofu is the error if there is no OpenTofu to test with.
var errNoTofu = errors.New("no OpenTofu binary: run `make terraform` (3 to 4 minutes on two cores, once), or set TOFU_BINARY")

// Each runs a test with each CLI that is installed.
func Each(t *testing.T, test func(*testing.T, CLI)) {
	t.Helper()
	tofu := Tofu(t)
	t.Run(tofu.Name, func(t *testing.T) { test(t, tofu) })
	terraform := os.Getenv("TERRAFORM_BINARY")
	if terraform == "" {
		var err error
		if terraform, err = exec.LookPath("terraform"); err != nil {
			return
		}
	}
	t.Run("terraform", func(t *testing.T) { test(t, CLI{"terraform", terraform, plain}) })
}

// Tofu returns the pinned OpenTofu. If it is missing, the test is skipped, or fails if CI=true.
func Tofu(t *testing.T) CLI {
	t.Helper()
	path, err := tofuBinary()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	return CLI{"tofu", path, built}
}

func tofuBinary() (string, error) {
	path := os.Getenv("TOFU_BINARY")
	if path == "" {
		root, err := Checkout()
		if err != nil {
			return "", err
		}
		path = filepath.Join(root, "bin", "tofu")
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w (%w)", errNoTofu, err)
	}
	return path, nil
}

// Checkout returns the root of the product's module: the nearest folder at or above the working
// directory that contains its go.mod.
func Checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && strings.HasPrefix(string(text), moduleLine) {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return "", errors.New("found no go.mod of the project above the working directory")
	}
}

// built returns the provider binary of this test process.
var built = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("STASHBASE_PROVIDER_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	root, err := Checkout()
	if err != nil {
		return "", err
	}
	// All tests of the process share the binary, so it is not built in a folder of one test.
	dir, err := os.MkdirTemp("", "tftest-build")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "terraform-provider-stashbase")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./terraform-provider")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./terraform-provider: %w\n%s", err, out)
	}
	return path, nil
})

// plain returns the provider binary for the second CLI. That is a binary without the race detector
// if there is one: the first CLI has already made the same calls under the race detector.
func plain() (string, error) {
	if path := os.Getenv("STASHBASE_PLAIN_PROVIDER_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	return built()
}

// Run is the body of a TestMain. It removes the provider that a test of the process has built.
func Run(run func() int) int {
	code := run()
	if os.Getenv("STASHBASE_PROVIDER_BINARY") == "" {
		if path, err := built(); err == nil {
			_ = os.RemoveAll(filepath.Dir(path))
		}
	}
	return code
}
