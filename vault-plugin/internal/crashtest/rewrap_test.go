package crashtest

import (
	"strings"
	"sync"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// pauseAt makes the next matching storage call wait until resume is called. reached is closed when
// such a call is made.
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

// TestRotationDuringRewrapRewrapsEverything covers a defect. A rewrap was in progress when the key
// was rotated again. It continued to its end and saved its progress in the record of the new
// rewrap, which was then "done". But the secrets that the old pass had visited before the rotation
// were still sealed under the version in between. No later pass visited them. The old pass must end
// without saving, and the new pass must visit everything.
func TestRotationDuringRewrapRewrapsEverything(t *testing.T) {
	for _, where := range []struct{ name, op, prefix string }{
		{"before the first secret", "get", "sec/"},
		{"while older versions are rewrapped", "put", "ver/"},
		{"while heads are rewrapped", "put", "sec/"},
	} {
		t.Run(where.name, func(t *testing.T) {
			m := world(t)
			m = m.Restart() // so that the pass reads from storage
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
				t.Errorf("the rewrap is %v", rewrap)
			}
		})
	}
}
