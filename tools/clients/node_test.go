package clients_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

func TestNodeVaultReadsAndListsAnEnvironment(t *testing.T) {
	dir := script(t, "npm.sh", "clients")
	w := newWorkload(t)
	var got struct {
		Data   map[string]string
		Keys   []string
		Status int
	}
	out := w.run(t, dir, "node", "node-vault.cjs", vaulttest.MountPath+"/"+w.path, vaulttest.MountPath+"/"+project, vaulttest.MountPath+"/"+missing)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	delivered(t, got.Data)
	if !slices.Equal(got.Keys, []string{"development"}) {
		t.Errorf("the list has %q", got.Keys)
	}
	if got.Status != http.StatusNotFound {
		t.Errorf("an environment that does not exist has the status %d", got.Status)
	}
}

// A generator that knows only the OpenAPI document makes a client of it. The client compiles with
// all checks of types, and reads an environment.
func TestAClientIsGeneratedFromTheOpenAPIDocument(t *testing.T) {
	dir := script(t, "npm.sh", "clients")
	w := newWorkload(t)
	out := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "node_modules"), filepath.Join(out, "node_modules")); err != nil {
		t.Fatal(err)
	}
	published(t, w, filepath.Join(out, "openapi.json"))
	use, err := os.ReadFile("generated.mts")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, "use.mts"), use, 0o600); err != nil {
		t.Fatal(err)
	}
	node := func(args ...string) string { return w.run(t, out, "node", args...) }
	node(filepath.Join(dir, "node_modules", "oazapfts", "dist", "cli.js"), "openapi.json", "client.mts")
	node(filepath.Join(dir, "node_modules", "typescript", "bin", "tsc"), "--strict", "--target", "es2022", "--module", "nodenext", "use.mts")
	var got map[string]string
	text := node("use.mjs")
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	delivered(t, got)
}

// published writes the mount's part of the OpenAPI document that Vault publishes to a file.
func published(t *testing.T, w workload, file string) {
	t.Helper()
	resp, err := w.server.Client().Logical().ReadRaw("sys/internal/specs/openapi")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	delete(document, "components") // the schemas of other mounts
	paths, _ := document["paths"].(map[string]any)
	maps.DeleteFunc(paths, func(path string, _ any) bool { return !strings.HasPrefix(path, "/"+vaulttest.MountPath+"/") })
	if text, err = json.Marshal(document); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
