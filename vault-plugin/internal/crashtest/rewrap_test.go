package crashtest

import (
	"strings"
	"sync"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// pauseAt has the next call that matches wait until resume is called; reached is closed when one does.
func pauseAt(s *enginetest.Storage, op, prefix string) (reached <-chan struct{}, resume func()) {
	at, gate := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.Hook(func(o, key string) {
		if o == op && strings.HasPrefix(key, prefix) {
			once.Do(func() {
				close(at)
				<-gate
			})
		}
	})
	return at, func() { s.Hook(nil); close(gate) }
}

// TestARotationDuringARewrapLeavesNothingBehind: a rewrap that was under way when the key was rotated again went on to its end
// and saved its progress into the record of the new one, which then was "done", though all that the old pass had visited before
// the rotation was still sealed under the version in between. Nothing looked at it again. The old pass must end without a trace,
// and the new one visit everything.
func TestARotationDuringARewrapLeavesNothingBehind(t *testing.T) {
	for _, where := range []struct{ name, op, prefix string }{
		{"before the first secret", "get", "sec/"},
		{"while old versions are sealed", "put", "ver/"},
		{"while secrets are sealed", "put", "sec/"},
	} {
		t.Run(where.name, func(t *testing.T) {
			m := world(t)
			m = m.Restart() // so that the pass reads what it seals
			rotate := func(id string) {
				if _, err := m.Do(request{Op: write, Path: "keys/acme/rotate", ID: id}); err != nil {
					t.Fatal(err)
				}
			}
			reached, resume := pauseAt(m.Storage, where.op, where.prefix)
			rotate("first")
			<-reached
			rotate("second")
			resume()
			m.Settle()
			if got := keyVersions(t, m.Storage); got[3] != 33 || len(got) != 2 {
				t.Errorf("values by key version: %v", got)
			}
			rewrap, _ := m.Read("keys/acme")["rewrap"].(data)
			if rewrap["state"] != "done" || rewrap["target_version"] != 3.0 || rewrap["done"] != rewrap["total"] {
				t.Errorf("the rewrap says %v", rewrap)
			}
		})
	}
}
