// Package acceptance_test holds the engine against its contract from outside: over the HTTP API of a real Vault that runs the
// plugin as a process of its own. It knows the paths and the storage layout, and no code of the engine.
package acceptance_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// vault is the server of all tests that neither kill nor seal.
var vault = vaulttest.Shared(vaulttest.Options{})

func TestMain(m *testing.M) { os.Exit(vault.Run(m)) }

// patience bounds every wait for background work. What is waited for takes well under a second.
const patience = 60 * time.Second

// root is a caller with the root token at the plugin's mount.
func root(t testing.TB, s *vaulttest.Server) caller {
	t.Helper()
	return callerOf(t, s.Client())
}

// workspace creates a workspace of a name that nothing else uses, and shreds it when the test ends.
func workspace(t testing.TB, c caller) string {
	t.Helper()
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	name := "w" + hex.EncodeToString(b[:])
	c.write("workspaces/"+name, nil)
	t.Cleanup(func() { _ = c.shred(name) })
	return name
}

// environment creates a workspace with a project api and an environment development, and answers its path: workspace/api/development.
func environment(t testing.TB, c caller) string {
	t.Helper()
	return c.environment(workspace(t, c), "api", "development")
}

// environment creates an environment, and its project where that is missing.
func (c caller) environment(w, p, e string) string {
	c.t.Helper()
	c.write("projects/"+w+"/"+p, nil)
	c.write("environments/"+w+"/"+p+"/"+e, nil)
	return w + "/" + p + "/" + e
}

// shred deletes a workspace with all it holds; false when that was refused.
func (c caller) shred(w string) bool {
	c.t.Helper()
	c.send("POST", "workspaces/"+w, data{"deletion_allowed": true})
	return c.send("DELETE", "workspaces/"+w+"?confirm="+w, nil).status == 200
}

// value mints what no other text holds by chance: 26 characters, 130 bits.
func value() string { return rand.Text() }

func plainBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// notYet says what was seen in place of what is waited for.
type notYet struct{ seen any }

func (n *notYet) Error() string { return fmt.Sprint("still ", n.seen) }

// eventually waits until ask answers nil.
func eventually(t testing.TB, s *vaulttest.Server, what string, ask func() error) {
	t.Helper()
	s.Eventually(t, patience, what, func(context.Context) error { return ask() })
}
