package crashtest

import (
	"errors"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// TestImportOfUnknownOutcomeBlocksOnlyWrites covers a defect. Storage failed in the commit of an
// import, and again when the commit was undone. Then the environment was closed to readers too,
// until the plugin was reloaded. An outage of one second kept workloads from their secrets
// permanently. Reads must continue as before the import. Writes must wait, because the next start
// could replay the import over them, but only until storage works again.
func TestImportOfUnknownOutcomeBlocksOnlyWrites(t *testing.T) {
	for _, stored := range []bool{true, false} {
		m := world(t)
		m.Read("load/acme/api/dev")
		m.Storage.FailFrom(1, stored) // the rest is in memory, so the first call is the commit
		if _, err := m.Do(request{Op: write, Path: "import/acme/api/dev", Data: data{"secrets": data{"A": "imported"}}, ID: "import"}); err == nil {
			t.Fatal("the import was acknowledged although its outcome is unknown")
		}
		m.Storage.Reset()
		if got := m.Read("load/acme/api/dev")["A"]; got != "A of acme/api/dev, version 4" {
			t.Errorf("stored %v: A is %v", stored, got)
		}
		var refused *enginetest.Refused
		for _, path := range []string{"secrets/acme/api/dev/A", "import/acme/api/dev"} {
			body := data{"value": "later"}
			if strings.HasPrefix(path, "import") {
				body = data{"secrets": data{"A": "later"}}
			}
			if _, err := m.Do(request{Op: write, Path: path, Data: body}); !errors.As(err, &refused) || refused.Status != 503 {
				t.Errorf("stored %v: a write to %s returned %v, want 503", stored, path, err)
			}
		}
		m.Write("secrets/acme/api/prod/A", data{"value": "of another environment"})
		tick(t, m)
		m.Settle()
		m.Write("secrets/acme/api/dev/A", data{"value": "later"})
		m = m.Restart()
		if got := m.Read("load/acme/api/dev")["A"]; got != "later" {
			t.Errorf("stored %v: after a restart, A is %v", stored, got)
		}
		m.Settle()
		checkClean(t, m.Storage)
	}
}
