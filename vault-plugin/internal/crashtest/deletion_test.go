package crashtest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// TestADeletionOfUnknownOutcomeTakesNoMoreWrites: storage carried out a deletion and failed to say so. The caller was told that it
// had failed, the engine went on with what it had in memory, and took and acknowledged writes: at the next start all of it was
// gone, those writes too. While it is not known whether a deletion was stored, what it may have ended must take no write; once
// storage answers again, the process and the next start must agree.
func TestADeletionOfUnknownOutcomeTakesNoMoreWrites(t *testing.T) {
	deletions := []request{
		{Op: destroy, Path: "environments/acme/api/dev", Data: data{"confirm": "dev"}},
		{Op: destroy, Path: "projects/acme/api", Data: data{"confirm": "api"}},
		{Op: destroy, Path: "workspaces/acme", Data: data{"confirm": "acme"}},
	}
	for _, deletion := range deletions {
		for _, stored := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, stored %v", deletion.Path, stored), func(t *testing.T) {
				m := world(t)
				m.Storage.FailFrom(2, stored) // the first call marks the deletion
				if _, err := m.Do(deletion); err == nil {
					t.Fatal("acknowledged though nobody can know")
				}
				m.Storage.Reset()
				secret := request{Op: write, Path: "secrets/acme/api/dev/LATER", Data: data{"value": "later"}}
				for _, req := range []request{secret, {Op: read, Path: "load/acme/api/dev"}} {
					var refused *enginetest.Refused
					if _, err := m.Do(req); !errors.As(err, &refused) || refused.Status != 503 || refused.Word() != "unavailable" {
						t.Errorf("%s %s is answered with %v", req.Op, req.Path, err)
					}
				}
				m.Read("load/other/api/dev")
				tick(t, m)
				m.Settle()
				if _, err := m.Do(secret); (err != nil) != stored {
					t.Errorf("with the deletion stored %v, a write is answered with %v", stored, err)
				}
				m = m.Restart()
				if _, err := m.Do(request{Op: read, Path: "secrets/acme/api/dev/LATER"}); (err != nil) != stored {
					t.Errorf("with the deletion stored %v, after a restart the write is answered with %v", stored, err)
				}
				m.Settle()
				checkClean(t, m.Storage)
			})
		}
	}
}

// TestADeletionThatStorageConfirmsIsAcknowledged: one failed call is not the end of the matter when the next is answered.
func TestADeletionThatStorageConfirmsIsAcknowledged(t *testing.T) {
	m := world(t)
	m.Storage.Hook(func(op, _ string) {
		if op == "delete" {
			m.Storage.Reset() // the call that is being made fails all the same
		}
	})
	m.Storage.FailFrom(2, true)
	m.Delete("environments/acme/api/dev", data{"confirm": "dev"})
	m.Storage.Hook(nil)
	_ = m.Refuse(read, "load/acme/api/dev", nil)
}
