package backend_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

// always makes every call return the given error.
func always(f toy.Fault) func(toy.Call) toy.Fault { return func(toy.Call) toy.Fault { return f } }

// moment returns a time in a response.
func momentOf(t *testing.T, resp data, field string) time.Time {
	t.Helper()
	text, _ := resp[field].(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatalf("%s: %v", field, err)
	}
	return at
}

// turnTo sets the clock to a time and waits for the work that is then due.
func turnTo(m *enginetest.Mount, at time.Time) {
	m.Clock.Advance(at.Sub(m.Clock.Now()))
	m.Settle()
}

func TestRetriesBackOff(t *testing.T) {
	m, server := synced(t, nil)
	rest(t, m)
	server.OnCall(always(toy.Refused(outbound.Provider, 0)))
	m.Write(source+"A", data{"value": "1"})
	status := rest(t, m)
	has(t, status, data{"state": "RETRYING", "error_class": "provider", "attempts": 1, "hint": "the test has set this fault"})
	for attempt := 2; attempt < syncs.MaxAttempts; attempt++ {
		next := momentOf(t, status, "next_attempt_at")
		if wait := next.Sub(m.Clock.Now()); wait < 0 || wait > time.Second<<(attempt-2) {
			t.Errorf("attempt %d is after %v", attempt, wait)
		}
		calls := len(server.Calls())
		m.Write(source+"A", data{"value": "more"}) // does not make the retry earlier
		m = m.Restart()                            // neither does a restart
		if half := next.Sub(m.Clock.Now()) / 2; half > syncs.Window {
			m.Clock.Advance(half)
			m.Settle()
			if len(server.Calls()) != calls {
				t.Errorf("attempt %d came early", attempt)
			}
		}
		turnTo(m, next.Add(syncs.Window))
		status = m.Read(aSync + "/status")
		has(t, status, data{"attempts": attempt, "state": "RETRYING"})
	}
	turnTo(m, momentOf(t, status, "next_attempt_at").Add(syncs.Window))
	status = m.Read(aSync + "/status")
	has(t, status, data{"state": "FAILED", "attempts": syncs.MaxAttempts})
	if wait := momentOf(t, status, "next_attempt_at").Sub(m.Clock.Now()); wait < 10*time.Minute {
		t.Errorf("it goes on after %v", wait)
	}
	server.OnCall(nil)
	turnTo(m, momentOf(t, status, "next_attempt_at"))
	has(t, m.Read(aSync+"/status"), data{"state": "SYNCED", "attempts": 0})
	wantShelf(t, server, map[string]string{"A": "more"})
}

func TestRetryAfterIsRespected(t *testing.T) {
	m, server := synced(t, nil)
	rest(t, m)
	server.OnCall(always(toy.Refused(outbound.RateLimited, time.Hour)))
	m.Write(source+"A", data{"value": "1"})
	status := rest(t, m)
	has(t, status, data{"state": "RETRYING", "error_class": "rate_limited"})
	if next := momentOf(t, status, "next_attempt_at"); next.Before(m.Clock.Now().Add(59 * time.Minute)) {
		t.Errorf("it comes again at %v", next)
	}
	server.OnCall(nil)
	m.Write(aSync+"/run", data{"wait": "1s"}) // a requested run does not wait
	has(t, m.Read(aSync+"/status"), data{"state": "SYNCED"})
}

// After the provider rejects a credential, not every sync of the integration tries it. When it is
// supplied again, all of them continue.
func TestARejectedCredentialIsNotRetried(t *testing.T) {
	m, server := synced(t, nil)
	const second = "syncs/acme/api/development/toy-shelf/second"
	m.Write(second, data{"integration": "main", "shelf": "low"})
	rest(t, m)
	server.ChangeKey()
	m.Write(source+"A", data{"value": "1"})
	calls := len(server.Calls())
	status := rest(t, m)
	has(t, status, data{"state": "FAILED", "error_class": "auth"})
	has(t, m.Read(second+"/status"), data{"state": "FAILED", "error_class": "auth"})
	if n := len(server.Calls()) - calls; n != 1 {
		t.Errorf("tried %d times", n)
	}
	for range 20 {
		m.Write(source+"A", data{"value": "2"})
		m.Clock.Advance(30 * time.Second)
		m.Settle()
	}
	if n := len(server.Calls()) - calls; n != 1 {
		t.Errorf("tried %d times", n)
	}
	m.Write(integration, data{"key": server.Key()})
	has(t, rest(t, m), data{"state": "SYNCED"})
	has(t, m.Read(second+"/status"), data{"state": "SYNCED"})
	if got := server.Truth("low"); got["A"] != "2" {
		t.Errorf("the other shelf has %v", got)
	}
}

func TestGrantsAreCheckedAtEachRun(t *testing.T) {
	m, server := synced(t, nil)
	m.Write(source+"A", data{"value": "1"})
	rest(t, m)
	m.Write(integration, data{"allowed_targets": "low"})
	m.Write(source+"A", data{"value": "2"})
	status := rest(t, m)
	has(t, status, data{"state": "BLOCKED", "error_class": "permission"})
	if hint, _ := status["hint"].(string); !strings.Contains(hint, "allowed_targets") {
		t.Errorf("the hint is %q", hint)
	}
	wantShelf(t, server, map[string]string{"A": "1"})
	m.Write(integration, data{"allowed_targets": "*"})
	has(t, rest(t, m), data{"state": "SYNCED"})
	wantShelf(t, server, map[string]string{"A": "2"})
}

func TestPausesAndLocks(t *testing.T) {
	for _, tc := range []struct{ name, path, stop, goOn string }{
		{"the sync", aSync, "pause", "resume"},
		{"the workspace's lock", "workspaces/acme", "lock", "unlock"},
		{"the workspace", "workspaces/acme", "", ""},
		{"the mount", "config", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, server := synced(t, nil)
			m.Write(source+"A", data{"value": "1"})
			rest(t, m)
			if m.Write(source+"A", data{"value": "2"}); tc.stop != "" {
				m.Write(tc.path+"/"+tc.stop, nil)
			} else {
				m.Write(tc.path, data{"paused": true})
			}
			m.Clock.Advance(time.Hour)
			m.Settle()
			m = m.Restart()
			m.Settle()
			wantShelf(t, server, map[string]string{"A": "1"})
			if tc.stop == "lock" {
				expect(t, m.Refuse(logical.ReadOperation, aSync+"/status", nil), 409, "locked")
			} else {
				has(t, m.Read(aSync+"/status"), data{"state": "PAUSED"})
			}
			if tc.stop == "pause" {
				expect(t, m.Refuse(logical.UpdateOperation, aSync+"/run", nil), 409, "conflict", "resume")
			}
			if tc.goOn != "" {
				m.Write(tc.path+"/"+tc.goOn, nil)
			} else {
				m.Write(tc.path, data{"paused": false})
			}
			has(t, rest(t, m), data{"state": "SYNCED"})
			wantShelf(t, server, map[string]string{"A": "2"})
		})
	}
}

func TestAHangingIntegrationDelaysNoOther(t *testing.T) {
	m, server := synced(t, nil)
	m.Write("integrations/acme/toy/second", data{"key": server.Key(), "allowed_environments": "*", "allowed_targets": "*"})
	const second = "syncs/acme/api/development/toy-shelf/second"
	m.Write(second, data{"integration": "second", "shelf": "low"})
	rest(t, m)
	hangs := make(chan bool, 99)
	server.OnCall(func(c toy.Call) toy.Fault {
		if c.Shelf != "top" {
			return toy.Fault{}
		}
		hangs <- true
		return toy.Fault{Hang: true}
	})
	m.Write(source+"A", data{"value": "1"})
	m.Clock.Advance(syncs.Window)
	<-hangs
	until(t, func() bool { return server.Truth("low")["A"] == "1" })
	until(t, func() bool { return m.Read(second + "/status")["state"] == "SYNCED" })
	has(t, m.Read(second+"/status"), data{"owned": 1})
	has(t, m.Read(aSync+"/status"), data{"state": "PLANNING"})
	server.OnCall(nil) // the run after the restart must not hang
	began := time.Now()
	m = m.Restart() // ends the call that hangs
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	// The run that the restart ended may be stored as a failure, which is retried later.
	until(t, func() bool {
		m.Clock.Advance(time.Minute)
		return rest(t, m)["state"] == "SYNCED"
	})
	wantShelf(t, server, map[string]string{"A": "1"})
}

// until polls the condition for at most five seconds.
func until(t *testing.T, met func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	over := time.After(5 * time.Second)
	for !met() {
		select {
		case <-tick.C:
		case <-over:
			t.Fatal("the condition did not become true within five seconds")
		}
	}
}

func TestARunContinuesAfterTheWait(t *testing.T) {
	m, server := synced(t, data{"trigger": "manual"})
	m.Write(source+"A", data{"value": "1"})
	m.Clock.Advance(time.Minute)
	m.Settle()
	status := m.Read(aSync + "/status")
	has(t, status, data{"state": "PENDING"})
	wantShelf(t, server, map[string]string{})
	has(t, m.Write(aSync+"/run", data{"wait": "10s"}), data{"state": "SYNCED", "owned": 1})
	server.Remove("top", "A")
	m.Write(aSync+"/run", data{"wait": "10s"}) // reads the destination, even if nothing has changed
	wantShelf(t, server, map[string]string{"A": "1"})
	expect(t, m.Refuse(logical.UpdateOperation, aSync+"/run", data{"wait": "11s"}), 400, "invalid", "wait")

	release := make(chan struct{})
	server.OnCall(func(toy.Call) toy.Fault { <-release; return toy.Fault{} })
	m.Write(source+"A", data{"value": "2"})
	responded := make(chan data)
	calls := len(server.Calls())
	go func() { responded <- m.Write(aSync+"/run", data{"wait": "10s"}) }()
	until(t, func() bool { return len(server.Calls()) > calls })
	var resp data
	until(t, func() bool {
		m.Clock.Advance(10 * time.Second)
		select {
		case resp = <-responded:
			return true
		default:
			return false
		}
	})
	has(t, resp, data{"state": "PLANNING", "poll": "vault read stashbase/" + aSync + "/status"})
	close(release)
	m.Settle()
	has(t, m.Read(aSync+"/status"), data{"state": "SYNCED"})
	wantShelf(t, server, map[string]string{"A": "2"})
}

// Inherited and referenced secrets change what an environment delivers. Some versions expire by
// themselves.
func TestChangesInOtherEnvironmentsAreSynced(t *testing.T) {
	m, server := synced(t, nil)
	m.Write("environments/acme/api/base", data{"shared_with": "api/development"})
	m.Write("environments/acme/api/development", data{"base": "base"})
	m.Write("environments/acme/api/other", data{"shared_with": "api/development"})
	m.Write("secrets/acme/api/base/INHERITED", data{"value": "1"})
	m.Write("secrets/acme/api/other/TARGET", data{"value": "2"})
	m.Write(source+"REFERS", data{"value": "see ${other/TARGET}", "references": true})
	rest(t, m)
	wantShelf(t, server, map[string]string{"INHERITED": "1", "REFERS": "see 2"})
	m.Write("secrets/acme/api/base/INHERITED", data{"value": "3"})
	m.Write("secrets/acme/api/other/TARGET", data{"value": "4"})
	rest(t, m)
	wantShelf(t, server, map[string]string{"INHERITED": "3", "REFERS": "see 4"})
	m.Delete("secrets/acme/api/other/TARGET", nil)
	has(t, rest(t, m), data{"state": "BLOCKED", "error_class": "invalid"})
	wantShelf(t, server, map[string]string{"INHERITED": "3", "REFERS": "see 4"})
	m.Write("secrets/acme/api/other/TARGET", data{"value": "5"})
	m.Write("environments/acme/api/development", data{"base": ""})
	rest(t, m)
	wantShelf(t, server, map[string]string{"REFERS": "see 5"})
}

func TestAnExpiredVersionIsDeletedAtTheDestination(t *testing.T) {
	m, server := synced(t, nil)
	m.Write("workspaces/acme", data{"delete_version_after": "1h"})
	m.Write(source+"SHORT", data{"value": "1"})
	rest(t, m)
	wantShelf(t, server, map[string]string{"SHORT": "1"})
	m.Clock.Advance(59 * time.Minute)
	m.Settle()
	wantShelf(t, server, map[string]string{"SHORT": "1"})
	m.Clock.Advance(2 * time.Minute)
	m.Settle()
	wantShelf(t, server, map[string]string{})
}

func TestARotationWritesNothingAtTheDestination(t *testing.T) {
	m, server := synced(t, nil)
	m.Write("import/acme/api/development", data{"secrets": data{"A": "1", "B": "2"}})
	rest(t, m)
	calls := len(server.Calls())
	m.Write("keys/acme/rotate", nil)
	m.Settle()
	rewrap := object(t, m.Read("keys/acme"), "rewrap")
	has(t, rewrap, data{"state": "done", "failed": 0})
	m.Write("keys/acme", data{"min_decryption_version": 2})
	m.Write("keys/acme/trim", nil)
	for m := range restarting(&m) {
		has(t, rest(t, m), data{"state": "SYNCED", "owned": 2})
	}
	if len(server.Calls()) != calls {
		t.Error("the destination was asked")
	}
	m.Write(source+"A", data{"value": "3"})
	rest(t, m)
	wantShelf(t, server, map[string]string{"A": "3", "B": "2"})
	for _, call := range server.Calls()[calls:] {
		if call.Name == "B" {
			t.Error("what has not changed was written")
		}
	}
}

// A purge continues after a restart. The sync stays until all entries are deleted.
func TestAPurgeContinuesAfterARestart(t *testing.T) {
	m, server := synced(t, nil)
	m.Write("import/acme/api/development", data{"secrets": data{"A": "1", "B": "2"}})
	rest(t, m)
	server.Plant("top", "X", "another's")
	server.OnCall(always(toy.Refused(outbound.Network, 0)))
	m.Delete(aSync, data{"purge": true})
	m.Clock.Advance(syncs.Window)
	m.Settle()
	has(t, m.Read(aSync+"/status"), data{"state": "RETRYING", "purging": true, "owned": 2})
	expect(t, m.Refuse(logical.UpdateOperation, aSync, data{"description": "x"}), 409, "conflict", "purge=false")
	m = m.Restart()
	server.OnCall(nil)
	m.Clock.Advance(10 * time.Second)
	m.Settle()
	expect(t, m.Refuse(logical.ReadOperation, aSync, nil), 404, "not_found")
	wantShelf(t, server, map[string]string{"X": "another's"})
	nothingLeft(t, m)
}

// A run with many changes writes to storage once per batch.
func TestARunOfManyChangesStoresLittle(t *testing.T) {
	m, server := synced(t, nil)
	rest(t, m)
	many := make(data)
	for i := range 100 {
		many["S"+strings.Repeat("x", i%10)+string(rune('A'+i/10))] = "1"
	}
	m.Write("import/acme/api/development", data{"secrets": many})
	m.Backend.Settle()
	m.Storage.Reset()
	m.Clock.Advance(syncs.Window)
	m.Settle()
	if n := len(server.Truth("top")); n != 100 {
		t.Fatalf("%d have arrived", n)
	}
	// Batches of ten: one write for each batch, one for the last results, one for the state.
	if c := m.Storage.Counts(); c.Puts > 12 {
		t.Errorf("it took %+v", c)
	}
}
