package crashtest

import (
	"errors"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// TestAnImportOfUnknownOutcomeHoldsUpWritesOnly: when storage failed in the commit of an import and also in taking it back, the
// environment was closed to readers too, until somebody reloaded the plugin: an outage of a second kept workloads from their
// secrets for good. Reads must go on as before the import; writes must wait, for the next start could replay the import over them,
// and no longer than until storage has answered again.
func TestAnImportOfUnknownOutcomeHoldsUpWritesOnly(t *testing.T) {
	for _, stored := range []bool{true, false} {
		m := world(t)
		m.Read("load/acme/api/dev")
		m.Storage.FailFrom(1, stored) // everything else is in memory: the first call is the commit
		if _, err := m.Do(request{Op: write, Path: "import/acme/api/dev", Data: data{"secrets": data{"A": "imported"}}, ID: "import"}); err == nil {
			t.Fatal("acknowledged though nobody can know")
		}
		m.Storage.Reset()
		if got := m.Read("load/acme/api/dev")["A"]; got != "A of acme/api/dev, version 4" {
			t.Errorf("stored %v: reads %v", stored, got)
		}
		var refused *enginetest.Refused
		for _, path := range []string{"secrets/acme/api/dev/A", "import/acme/api/dev"} {
			body := data{"value": "later"}
			if strings.HasPrefix(path, "import") {
				body = data{"secrets": data{"A": "later"}}
			}
			if _, err := m.Do(request{Op: write, Path: path, Data: body}); !errors.As(err, &refused) || refused.Status != 503 {
				t.Errorf("stored %v: a write to %s is answered with %v", stored, path, err)
			}
		}
		m.Write("secrets/acme/api/prod/A", data{"value": "of another environment"})
		tick(t, m)
		m.Settle()
		m.Write("secrets/acme/api/dev/A", data{"value": "later"})
		m = m.Restart()
		if got := m.Read("load/acme/api/dev")["A"]; got != "later" {
			t.Errorf("stored %v: after a restart it reads %v", stored, got)
		}
		m.Settle()
		checkClean(t, m.Storage)
	}
}
