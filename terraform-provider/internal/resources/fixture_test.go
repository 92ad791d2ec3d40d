package resources_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/tftest"
)

var vault = vaulttest.Shared(vaulttest.Options{})

func TestMain(m *testing.M) {
	os.Exit(tftest.Run(func() int { return vault.Run(m) }))
}

// world is an engine and a folder that manages it, with names that no other test uses.
type world struct {
	*testing.T
	*tftest.Folder
	cli       tftest.CLI
	server    *vaulttest.Server
	vault     *api.Client
	workspace string
}

// each runs a test with each CLI, in a new folder and with a new workspace name.
func each(t *testing.T, test func(*world)) {
	t.Helper()
	tftest.Each(t, func(t *testing.T, cli tftest.CLI) { test(newWorld(t, cli)) })
}

func newWorld(t *testing.T, cli tftest.CLI) *world {
	t.Helper()
	return newWorldOf(t, cli, vault.Server(t))
}

func newWorldOf(t *testing.T, cli tftest.CLI, server *vaulttest.Server) *world {
	t.Helper()
	return &world{T: t, cli: cli, Folder: cli.Folder(t, server), server: server, vault: server.Client(), workspace: fmt.Sprintf("w%d", time.Now().UnixNano())}
}

// again returns another world of the same kind, for a subtest.
func (w *world) again(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, w.cli, w.server)
}

// tree creates the workspace, project "api" and environment "dev" at the engine.
func (w *world) tree() {
	w.Helper()
	w.write("workspaces/"+w.workspace, map[string]any{"deletion_allowed": true})
	w.write("projects/"+w.workspace+"/api", nil)
	w.write("environments/"+w.workspace+"/api/dev", map[string]any{"shared_with": "api/*"}) // it is the base of others
}

// configure writes the configuration, with WORKSPACE replaced by the workspace's name.
func (w *world) configure(text string) {
	w.Helper()
	w.Configure(strings.ReplaceAll(text, "WORKSPACE", w.workspace))
}

func (w *world) write(path string, data map[string]any) map[string]any {
	w.Helper()
	secret, err := w.vault.Logical().Write("stashbase/"+path, data)
	if err != nil {
		w.Fatal(err)
	}
	return secret.Data
}

// read returns nil if the object does not exist.
func (w *world) read(path string) map[string]any {
	w.Helper()
	secret, err := w.vault.Logical().Read("stashbase/" + path)
	if err != nil && !strings.Contains(err.Error(), "not_found") {
		w.Fatal(err)
	}
	if secret == nil {
		return nil
	}
	return secret.Data
}

func (w *world) remove(path string, query map[string][]string) {
	w.Helper()
	if _, err := w.vault.Logical().DeleteWithData("stashbase/"+path, query); err != nil {
		w.Fatal(err)
	}
}

// holds fails the test unless the field of a response or state prints as want does.
func (w *world) holds(data map[string]any, field string, want any) {
	w.Helper()
	if got := fmt.Sprint(data[field]); got != fmt.Sprint(want) {
		w.Fatalf("%s is %s, want %v", field, got, want)
	}
}
