package crashtest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// TestDeletionOfUnknownOutcomeBlocksWrites covers a defect. Storage carried out a deletion but
// returned an error. The deletion failed for its caller, and the engine continued with its state in
// memory and acknowledged writes. At the next start the object was gone with those writes. While
// the outcome of a deletion is unknown, the engine must take no write to what it may have deleted.
// Once storage works again, the process and the next start must agree.
func TestDeletionOfUnknownOutcomeBlocksWrites(t *testing.T) {
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
					t.Fatal("the deletion was acknowledged although its outcome is unknown")
				}
				m.Storage.Reset()
				secret := request{Op: write, Path: "secrets/acme/api/dev/LATER", Data: data{"value": "later"}}
				for _, req := range []request{secret, {Op: read, Path: "load/acme/api/dev"}} {
					var refused *enginetest.Refused
					if _, err := m.Do(req); !errors.As(err, &refused) || refused.Status != 503 || refused.Word() != "unavailable" {
						t.Errorf("%s %s returned %v, want 503 unavailable", req.Op, req.Path, err)
					}
				}
				m.Read("load/other/api/dev")
				tick(t, m)
				m.Settle()
				if _, err := m.Do(secret); (err != nil) != stored {
					t.Errorf("deletion stored %v: a write returned %v", stored, err)
				}
				m = m.Restart()
				if _, err := m.Do(request{Op: read, Path: "secrets/acme/api/dev/LATER"}); (err != nil) != stored {
					t.Errorf("deletion stored %v: after a restart, a read of the write returned %v", stored, err)
				}
				m.Settle()
				checkClean(t, m.Storage)
			})
		}
	}
}

// TestConfirmedDeletionIsAcknowledged checks that a deletion succeeds if its storage call fails but
// the next call confirms it.
func TestConfirmedDeletionIsAcknowledged(t *testing.T) {
	m := world(t)
	m.Storage.Hook(func(op, _ string) {
		if op == "delete" {
			m.Storage.Reset() // the current call still fails
		}
	})
	m.Storage.FailFrom(2, true)
	m.Delete("environments/acme/api/dev", data{"confirm": "dev"})
	m.Storage.Hook(nil)
	_ = m.Refuse(read, "load/acme/api/dev", nil)
}

// TestDeletionWaitsForBackgroundApply covers a defect. While an environment was deleted, the
// background applied a change of an import to one of its secrets. The head was stored after the
// sweep, and nothing removed it.
func TestDeletionWaitsForBackgroundApply(t *testing.T) {
	m := world(t)
	applying, resume, unmarked := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var head, mark sync.Once
	m.Storage.Hook(func(op, key string) {
		switch {
		case op == "put" && strings.HasPrefix(key, "sec/"):
			head.Do(func() {
				close(applying)
				<-resume
			})
		case op == "delete" && strings.HasPrefix(key, "undone/"):
			mark.Do(func() { close(unmarked) })
		}
	})
	m.Write("import/acme/web/dev", data{"secrets": data{"A": "imported"}})
	<-applying
	deleted := make(chan error)
	go func() {
		_, err := m.Do(request{Op: destroy, Path: "environments/acme/web/dev", Data: data{"confirm": "dev"}})
		deleted <- err
	}()
	select {
	case <-unmarked: // the deletion has not waited, and its sweep is done
	case <-time.After(200 * time.Millisecond):
	}
	close(resume)
	if err := <-deleted; err != nil {
		t.Fatal(err)
	}
	m.Settle()
	m.Storage.Hook(nil)
	checkClean(t, m.Storage)
}
