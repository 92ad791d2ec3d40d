// Docgen writes the provider's documentation, terraform-provider/docs, from its schemas and from
// examples/terraform. It reads the schemas from the provider in this process, so the result does
// not depend on an installed Terraform. The pages are made by tfplugindocs, pinned in tools/tfdocs.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:generate go run .

// root is the path of the checkout from the folder in which go generate and the tests run.
const root = "../../.."

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	schemas, err := providerSchemas(ctx)
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(schemas)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "docgen")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "schemas.json")
	if err := os.WriteFile(file, encoded, 0o600); err != nil {
		return err
	}
	tool, err := tfplugindocs(ctx)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, tool, "generate", "--providers-schema="+file, "--provider-dir=../..",
		"--provider-name=stashbase", "--rendered-provider-name=Stashbase for Vault", "--examples-dir=../examples/terraform")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("tfplugindocs: %w\n%s", err, out)
	}
	return nil
}

// tfplugindocs returns the path of the pinned tool, and builds the tool if it is missing.
func tfplugindocs(ctx context.Context) (string, error) {
	const module = "github.com/hashicorp/terraform-plugin-docs"
	cmd := exec.CommandContext(ctx, filepath.Join(root, "tools/build-tool.sh"), "tfdocs", module, module+"/cmd/tfplugindocs", "-ldflags=-s -w")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("tools/build-tool.sh: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
