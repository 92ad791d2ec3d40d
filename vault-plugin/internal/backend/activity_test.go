package backend_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

// serverLog collects the lines that a mount writes to the server log.
type serverLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *serverLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// events returns the events since the last call, each as "event name: from -> to (class)!". The
// mark ! shows that a person must act. An event of deletions is "event name: entries".
func (l *serverLog) events(t *testing.T) []string {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for line := range strings.Lines(l.text.String()) {
		var one data
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		event := fmt.Sprintf("%v %v: ", one["event"], one["name"])
		if one["event"] == "sync-deletions" {
			event += fmt.Sprint(one["entries"])
		} else {
			event += fmt.Sprintf("%v -> %v (%v)", one["from"], one["to"], one["error_class"])
		}
		if urgent := one["@level"] == "warn"; urgent {
			event += "!"
		}
		all = append(all, event)
	}
	l.text.Reset()
	return all
}

// logged returns a mount with a sync, like synced, and the log of the mount.
func logged(t *testing.T) (*enginetest.Mount, *toy.Server, *serverLog) {
	t.Helper()
	p, server := toy.New()
	registry, err := provider.NewRegistry(p)
	if err != nil {
		t.Fatal(err)
	}
	log := &serverLog{}
	m := enginetest.Setup{Providers: registry, Logger: hclog.New(&hclog.LoggerOptions{JSONFormat: true, Output: log})}.Open(t)
	m.Populate("acme", "api", "development")
	m.Write(integration, data{"key": server.Key(), "allowed_environments": "*", "allowed_targets": "*"})
	m.Write(aSync, data{"integration": "main", "shelf": "top"})
	return m, server, log
}

func wantEvents(t *testing.T, log *serverLog, want ...string) {
	t.Helper()
	if got := log.events(t); !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

// The log has one line for each change of a state and for the deletions of each run, and none for a
// run that changes no state.
func TestTheLogShowsTheLifeOfASync(t *testing.T) {
	m, server, log := logged(t)
	value := planted()
	m.Write(source+"A", data{"value": value})
	m.Write(source+"B", data{"value": value})
	rest(t, m)
	wantEvents(t, log, "integration-state main:  -> ready ()", "sync-state main:  -> SYNCED ()")
	m.Write(source+"A", data{"value": value + "2"})
	rest(t, m)
	m = m.Restart()
	rest(t, m)
	wantEvents(t, log)

	server.OnCall(always(toy.Refused(outbound.Network, 0)))
	m.Delete(source+"A", nil)
	rest(t, m)
	m.Write(aSync+"/run", data{"wait": "1s"}) // fails in the same way
	wantEvents(t, log, "sync-state main: SYNCED -> RETRYING (network)")
	server.OnCall(nil)
	m.Write(aSync+"/run", data{"wait": "1s"})
	wantEvents(t, log, "sync-deletions main: [A]", "sync-state main: RETRYING -> SYNCED ()")

	server.Plant("top", "C", "another's")
	m.Write(source+"C", data{"value": value})
	rest(t, m)
	wantEvents(t, log, "sync-state main: SYNCED -> CONFLICT (conflict)!")
	m.Write(aSync+"/pause", nil)
	rest(t, m)
	m.Write(aSync+"/resume", nil)
	m.Delete(source+"C", nil)
	rest(t, m)
	wantEvents(t, log, "sync-state main: CONFLICT -> PAUSED ()", "sync-state main: PAUSED -> SYNCED ()")

	m.Delete(aSync, data{"purge": true})
	m.Clock.Advance(syncs.Window)
	m.Settle()
	wantEvents(t, log, "sync-deletions main: [B]", "sync-state main: SYNCED -> DELETED ()")
	m.Delete(integration, nil)
	wantEvents(t, log, "integration-state main: ready -> DELETED ()")
}

// A refused or unreadable credential needs a person. Any other failure may concern a single target,
// and is a state of the sync only.
func TestTheLogShowsTheStateOfAnIntegration(t *testing.T) {
	m, server, log := logged(t)
	m.Write(source+"A", data{"value": "1"})
	rest(t, m)
	log.events(t)
	server.OnCall(always(toy.Refused(outbound.Permission, 0)))
	m.Write(source+"A", data{"value": "2"})
	rest(t, m)
	wantEvents(t, log, "sync-state main: SYNCED -> BLOCKED (permission)!")
	server.OnCall(nil)
	server.ChangeKey()
	m.Write(aSync+"/run", data{"wait": "1s"})
	m.Settle()
	got := log.events(t)
	if slices.Sort(got); !slices.Equal(got, []string{"integration-state main: ready -> ready (auth)!", "sync-state main: BLOCKED -> FAILED (auth)!"}) {
		t.Errorf("got %q", got)
	}
	has(t, m.Read("info"), data{"attention": 2, "healthy": true, "attention_first": []string{
		"sync acme/api/development/toy-shelf/main is FAILED (auth)", "integration acme/toy/main: the provider refused its credential",
	}})
	has(t, m.Read("status/acme"), data{"needs_person": 2})
	m.Write(integration, data{"key": server.Key()})
	rest(t, m)
	wantEvents(t, log, "integration-state main: ready -> ready ()", "sync-state main: FAILED -> SYNCED ()")
	has(t, m.Read("info"), data{"attention": 0, "attention_first": []string{}})

	var key string
	for _, k := range m.Storage.Keys() {
		if strings.HasPrefix(k, "cred/") {
			key = k
		}
	}
	m.Storage.SetRaw(key, []byte("no record"))
	m = m.Restart()
	m.Settle()
	if got := log.events(t); !slices.Contains(got, "integration-state main:  -> unreadable ()!") {
		t.Errorf("after the credential was damaged, the log has %q", got)
	}
	m.Write(integration, data{"key": server.Key()})
	if got := log.events(t); !slices.Contains(got, "integration-state main: unreadable -> ready ()") {
		t.Errorf("after the credential was supplied again, the log has %q", got)
	}
}

// A deletion whose response is lost is logged when a later run finds that the entry is gone.
func TestALostDeletionIsLogged(t *testing.T) {
	m, server, log := logged(t)
	m.Write(source+"A", data{"value": "1"})
	m.Write(source+"B", data{"value": "1"})
	rest(t, m)
	log.events(t)
	server.OnCall(func(c toy.Call) toy.Fault {
		if c.Operation == toy.Delete {
			return toy.Lost(true)
		}
		return toy.Fault{}
	})
	m.Delete(source+"A", nil)
	rest(t, m)
	wantEvents(t, log, "sync-state main: SYNCED -> RETRYING (network)")
	server.OnCall(nil)
	m = m.Restart()
	m.Clock.Advance(time.Minute)
	rest(t, m)
	wantEvents(t, log, "sync-deletions main: [A]", "sync-state main: RETRYING -> SYNCED ()")
}

// info names the first 100 of what needs a person in all workspaces, and counts all. It names
// nothing that does not need a person.
func TestInfoCountsWhatNeedsAPerson(t *testing.T) {
	m, server := synced(t, nil)
	m.Populate("beta", "web", "production")
	m.Write("integrations/beta/toy/main", data{"key": server.Key(), "allowed_environments": "*", "allowed_targets": "*"})
	server.Plant("top", "A", "another's")
	server.Plant("low", "A", "another's")
	m.Write(source+"A", data{"value": "1"})
	m.Write("secrets/beta/web/production/TOY_RESERVED", data{"value": "1"})
	m.Write("syncs/beta/web/production/toy-shelf/main", data{"integration": "main", "shelf": "low"})
	rest(t, m)
	m.Settle()
	has(t, m.Read("info"), data{"attention": 2, "healthy": true, "health": []string{}, "attention_first": []string{
		"sync beta/web/production/toy-shelf/main is BLOCKED (invalid)", "sync acme/api/development/toy-shelf/main is CONFLICT (conflict)",
	}})
	m.Write("environments/acme/api/many", nil)
	m.Write("secrets/acme/api/many/TOY_RESERVED", data{"value": "1"})
	for i := range 105 {
		m.Write(fmt.Sprintf("syncs/acme/api/many/toy-shelf/s%03d", i), data{"integration": "main", "shelf": fmt.Sprintf("s%03d", i)})
	}
	m.Clock.Advance(time.Minute)
	m.Settle()
	info := m.Read("info")
	first, _ := info["attention_first"].([]any)
	if info["attention"] != 107.0 || len(first) != 100 || first[0] != "sync acme/api/many/toy-shelf/s000 is BLOCKED (invalid)" {
		t.Errorf("info counts %v, and names %d: %.200v", info["attention"], len(first), first)
	}
	has(t, m.Write(aSync+"/pause", nil), data{"state": "PAUSED"})
	has(t, m.Read("info"), data{"attention": 106})
}
