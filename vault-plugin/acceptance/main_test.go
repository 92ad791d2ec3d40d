// Package acceptance_test tests the engine from outside, over the HTTP API of a real Vault that
// runs the plugin as its own process. It knows the paths and the storage layout, and contains no
// code of the engine.
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

// vault is the server of all tests that neither kill nor seal a server.
var vault = vaulttest.Shared(vaulttest.Options{})

func TestMain(m *testing.M) { os.Exit(vault.Run(m)) }

// patience is the timeout of every wait for background work, which takes well under a second.
const patience = 60 * time.Second

// root returns a caller with the root token at the plugin's mount.
func root(t testing.TB, s *vaulttest.Server) caller {
	t.Helper()
	return callerOf(t, s.Client())
}

// workspace creates a workspace with an unused name, and shreds it when the test ends.
func workspace(t testing.TB, c caller) string {
	t.Helper()
	var b [6]byte
	_, _ = rand.Read(b[:]) // crypto/rand never returns an error
	name := "w" + hex.EncodeToString(b[:])
	c.write("workspaces/"+name, nil)
	t.Cleanup(func() { _ = c.shred(name) })
	return name
}

// environment creates a workspace with project api and environment development. It returns the path
// workspace/api/development.
func environment(t testing.TB, c caller) string {
	t.Helper()
	return c.environment(workspace(t, c), "api", "development")
}

// environment creates an environment, and its project if that is missing.
func (c caller) environment(w, p, e string) string {
	c.t.Helper()
	c.write("projects/"+w+"/"+p, nil)
	c.write("environments/"+w+"/"+p+"/"+e, nil)
	return w + "/" + p + "/" + e
}

// shred deletes a workspace and everything in it. It returns false if the deletion was refused.
func (c caller) shred(w string) bool {
	c.t.Helper()
	c.send("POST", "workspaces/"+w, data{"deletion_allowed": true})
	return c.send("DELETE", "workspaces/"+w+"?confirm="+w, nil).status == 200
}

// value returns 26 random characters, 130 bits. No other text contains them by chance.
func value() string { return rand.Text() }

func plainBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// notYet is the error of a wait. It shows what was seen instead of the expected state.
type notYet struct{ seen any }

func (n *notYet) Error() string { return fmt.Sprint("still ", n.seen) }

// eventually waits until ask returns nil.
func eventually(t testing.TB, s *vaulttest.Server, what string, ask func() error) {
	t.Helper()
	s.Eventually(t, patience, what, func(context.Context) error { return ask() })
}
