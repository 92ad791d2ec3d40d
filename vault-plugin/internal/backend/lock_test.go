package backend_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

// A refusal shows the reason, and leaves it to the operator how to unlock the workspace.
func TestTheRefusalOfALockShowsItsReason(t *testing.T) {
	m, server := synced(t, nil)
	m.Write(source+"A", data{"value": "1"})
	m.Write("encrypt/acme/billing", data{"plaintext": "YQ=="})
	rest(t, m)
	has(t, m.Write("workspaces/acme/lock", data{"reason": "incident 17"}), data{"name": "acme", "locked": true, "lock_reason": "incident 17"})
	for m := range restarting(&m) {
		for _, req := range []enginetest.Request{
			read("load/"+dev, nil), read(source+"A", nil), write(source+"A", data{"value": "2"}), read("metadata/"+dev, nil), listing("projects/acme", nil),
			write("encrypt/acme/billing", data{"plaintext": "YQ=="}), write("keys/acme/rotate", nil), read("keys/acme", nil), read("status/acme", nil),
			write(integration+"/verify", nil), write(aSync+"/run", nil), read(aSync+"/status", nil), write("workspaces/acme", data{"description": "x"}),
		} {
			refused := m.Refuse(req.Op, req.Path, req.Data)
			expect(t, refused, 409, "locked", `workspace "acme" is locked by its operator: incident 17`)
			if strings.Contains(refused.Text, "unlock") {
				t.Errorf("%s describes how to unlock: %s", req.Path, refused.Text)
			}
		}
		has(t, m.Read("workspaces/acme"), data{"locked": true, "lock_reason": "incident 17"})
		has(t, m.Write("workspaces/acme/lock", nil), data{"lock_reason": "incident 17"})
	}
	expect(t, m.Refuse(logical.UpdateOperation, "workspaces/acme/lock", data{"reason": strings.Repeat("x", 257)}), 400, "limit", "reason:")
	has(t, m.Write("workspaces/acme/unlock", nil), data{"locked": false, "lock_reason": ""})
	has(t, m.Read("workspaces/acme"), data{"locked": false, "lock_reason": ""})
	has(t, rest(t, m), data{"state": "SYNCED"})
	wantShelf(t, server, map[string]string{"A": "1"})
}

// TestAReaderThatBeganBeforeALockReceivesNothing stops a request while it reads storage, locks the
// workspace, and lets the request continue. A read that needs no keys is refused as well.
func TestAReaderThatBeganBeforeALockReceivesNothing(t *testing.T) {
	for _, req := range []enginetest.Request{
		read("load/"+dev, nil), read("render/"+dev, data{"format": "json"}), read(secret, nil), read("metadata/"+dev, nil), read("changes/"+dev, nil),
	} {
		t.Run(req.Path, func(t *testing.T) {
			m := populated(t)
			value := planted()
			m.Write(secret, data{"value": value})
			m = m.Restart()
			reached, locked := make(chan struct{}), make(chan struct{})
			var once sync.Once
			m.Storage.Hook(func(_, key string) {
				if strings.HasPrefix(key, "sec/") {
					once.Do(func() { close(reached); <-locked })
				}
			})
			type result struct {
				data data
				err  error
			}
			got := make(chan result)
			go func() {
				data, err := m.Do(req)
				got <- result{data, err}
			}()
			<-reached
			m.Write("workspaces/acme/lock", data{"reason": "incident 17"})
			close(locked)
			r := <-got
			var refused *enginetest.Refused
			if !errors.As(r.err, &refused) {
				t.Fatalf("it returned %v, %v", r.data, r.err)
			}
			expect(t, refused, 409, "locked", "incident 17")
			if text := fmt.Sprint(r.data, r.err); strings.Contains(text, value) || strings.Contains(text, "DATABASE_URL") {
				t.Errorf("it returned %s", text)
			}
			m.Write("workspaces/acme/unlock", nil)
			has(t, m.Read(secret), data{"value": value})
		})
	}
}

// Once a lock has returned, a sync that was under way delivers nothing more.
func TestASyncDeliversNothingAfterALock(t *testing.T) {
	m, server := synced(t, nil)
	reached := make(chan struct{}, 99)
	server.OnCall(func(c toy.Call) toy.Fault {
		if !c.Changes() {
			return toy.Fault{}
		}
		reached <- struct{}{}
		return toy.Fault{Hang: true}
	})
	for _, name := range []string{"A", "B", "C"} {
		m.Write(source+name, data{"value": "1"})
	}
	m.Clock.Advance(syncs.Window)
	<-reached
	m.Write("workspaces/acme/lock", nil)
	server.OnCall(nil)
	calls := len(server.Calls())
	for m := range restarting(&m) {
		m.Clock.Advance(time.Hour)
		m.Tick()
		m.Settle()
	}
	if n := len(server.Calls()); n != calls {
		t.Errorf("%d calls were made after the lock", n-calls)
	}
	wantShelf(t, server, map[string]string{})
	m.Write("workspaces/acme/unlock", nil)
	has(t, rest(t, m), data{"state": "SYNCED"})
	wantShelf(t, server, map[string]string{"A": "1", "B": "1", "C": "1"})
}

// A rotation of the master key leaves the keys of a locked workspace alone, and ends after the
// unlock.
func TestAMasterRotationWaitsForLockedWorkspaces(t *testing.T) {
	m := populated(t)
	m.Populate("other", "api", "development")
	value := planted()
	m.Write(secret, data{"value": value})
	m.Write("workspaces/acme/lock", nil)
	m.Write("master-key/rotate", nil)
	for m := range restarting(&m) {
		m.Settle()
		m.Tick()
		m.Settle()
		has(t, object(t, m.Read("master-key"), "rewrap"), data{"state": "waiting", "total": 2, "done": 1, "failed": 0, "waiting": 0, "locked": 1})
	}
	m.Write("workspaces/acme/unlock", nil)
	m.Settle()
	after := m.Read("master-key")
	has(t, object(t, after, "rewrap"), data{"state": "idle", "total": 2, "done": 2, "failed": 0, "waiting": 0, "locked": 0})
	if versions := object(t, after, "versions"); len(versions) != 1 {
		t.Errorf("the old master key is still there: %v", versions)
	}
	has(t, m.Read(secret), data{"value": value})
}

// An environment that is named like a production environment and is not marked as one gets a
// warning.
func TestAnUnmarkedProductionEnvironmentGetsAWarning(t *testing.T) {
	m := populated(t)
	for _, c := range []struct {
		name  string
		data  data
		warns bool
	}{
		{"prod", nil, true},
		{"production", data{"description": "live"}, true},
		{"production", data{"production": true}, false},
		{"production", data{"description": "still marked"}, false},
		{"production", data{"production": false}, true},
		{"staging", nil, false},
	} {
		resp, err := m.Backend.HandleRequest(t.Context(), &logical.Request{
			ID: planted(), Operation: logical.UpdateOperation, Path: "environments/acme/api/" + c.name, Data: c.data, Storage: m.Storage, MountPoint: "stashbase/",
		})
		if err != nil {
			t.Fatal(err)
		}
		if warned := strings.Contains(strings.Join(resp.Warnings, "\n"), "production=true"); warned != c.warns || len(resp.Warnings) > 1 {
			t.Errorf("%s with %v has the warnings %q", c.name, c.data, resp.Warnings)
		}
	}
}
