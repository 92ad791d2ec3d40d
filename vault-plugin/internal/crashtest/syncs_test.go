package crashtest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

const theSync = "syncs/acme/api/dev/toy-shelf/main"

// shelf is an engine with a sync, and the shelf it writes to, on which others have put something too.
type shelf struct {
	t      *testing.T
	m      *mount
	server *toy.Server
	setup  enginetest.Setup
}

// steady are secrets that no run of the tests changes, more than it does change.
func steady() map[string]string {
	return map[string]string{"S1": "s", "S2": "s", "S3": "s", "S4": "s", "S5": "s"}
}

// source is the environment that has secrets beside the steady ones.
func source(secrets map[string]string) data {
	all := data{}
	for _, some := range []map[string]string{secrets, steady()} {
		for name, value := range some {
			all[name] = value
		}
	}
	return data{"mode": "replace", "secrets": all}
}

// foreign is what others have put on the shelf. F is also the name of a secret.
func foreign() map[string]string { return map[string]string{"X": "another's", "F": "another's too"} }

func newShelf(t *testing.T, o toy.Options) *shelf {
	t.Helper()
	p, server := o.New()
	registry, err := provider.NewRegistry(p)
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{t: t, server: server, setup: enginetest.Setup{Providers: registry, Clock: enginetest.NewClock()}}
	s.m = s.setup.Open(t)
	s.m.Populate("acme", "api", "dev")
	s.m.Write("integrations/acme/toy/main", data{"key": server.Key(), "allowed_environments": "*", "allowed_targets": "*"})
	s.m.Write("import/acme/api/dev", source(map[string]string{"A": "1", "B": "2", "C": "3"}))
	s.m.Write(theSync, data{"integration": "main", "shelf": "top"})
	s.rest()
	for name, value := range foreign() {
		server.Plant("top", name, value)
	}
	return s
}

// change gives the sync creations, an update and deletions to do, and does not let it begin.
func (s *shelf) change() {
	s.m.Write("import/acme/api/dev", source(map[string]string{"A": "1, changed", "C": "3", "D": "4", "E": "5", "F": "ours"}))
	s.m.Backend.Settle()
}

// begin lets the run begin, and waits until it has ended.
func (s *shelf) begin() {
	s.m.Clock.Advance(syncs.Window)
	s.m.Settle()
}

// restart ends the process, and opens another on what is stored.
func (s *shelf) restart() {
	s.m = s.m.Restart()
	s.m.Settle()
}

// rest turns the clock until the sync has come to a state that lasts.
func (s *shelf) rest() data {
	s.t.Helper()
	var status data
	for range 40 {
		s.m.Settle()
		status = s.m.Read(theSync + "/status")
		switch status["state"] {
		case "PENDING", "PLANNING", "RUNNING", "RETRYING":
		default:
			return status
		}
		wait, waits := s.m.Clock.Next()
		if !waits {
			wait = syncs.Window
		}
		s.m.Clock.Advance(max(wait, time.Millisecond))
	}
	s.t.Fatalf("it does not come to rest: %v", status)
	return nil
}

// changed is what the shelf has after the change.
func (s *shelf) changed() map[string]string {
	want := foreign()
	maps.Copy(want, steady())
	maps.Copy(want, map[string]string{"A": "1, changed", "C": "3", "D": "4", "E": "5"})
	return want
}

func (s *shelf) holds(want map[string]string) {
	s.t.Helper()
	if got := s.server.Truth("top"); !maps.Equal(got, want) {
		s.t.Errorf("the shelf has %v, want %v", got, want)
	}
}

// converges holds that the shelf comes to what it should be after a restart, that what is the sync's own is known as such, and that
// nothing of others is touched.
func (s *shelf) converges() {
	s.t.Helper()
	s.server.OnCall(nil)
	s.restart()
	want := s.changed()
	if status := s.rest(); status["state"] != "CONFLICT" { // F is another's
		s.t.Errorf("the status is %v", status)
	}
	s.adoptOwn()
	s.holds(want)
	s.m.Write("import/acme/api/dev", data{"mode": "replace", "secrets": data{}})
	if status := s.rest(); status["state"] != "SYNCED" || status["owned"] != 0.0 {
		s.t.Errorf("the status is %v", status)
	}
	s.holds(foreign())
	for _, key := range s.m.Storage.Keys() {
		if len(key) > 7 && key[:7] == "ledger/" {
			s.t.Errorf("%s is left", key)
		}
	}
}

// adoptOwn takes over what the sync could not know to be its own again: only where the shelf does not tell values.
func (s *shelf) adoptOwn() {
	s.t.Helper()
	keys, _ := s.m.Read(theSync + "/status")["keys"].([]any)
	var own []string
	for _, k := range keys {
		one, _ := k.(data)
		if name, _ := one["name"].(string); one["state"] == "CONFLICT" && name != "F" {
			own = append(own, name)
		}
	}
	if len(own) == 0 {
		return
	}
	if s.tells() {
		s.t.Errorf("%v are taken for another's", own)
	}
	s.m.Write(theSync+"/adopt", data{"keys": own})
	s.rest()
}

func (s *shelf) tells() bool {
	declared, _, _ := s.setup.Providers.Destination(toy.Destination)
	return declared.ReadBack == provider.ReadBackValue
}

func shelves() map[string]toy.Options {
	return map[string]toy.Options{
		"values can be read back":   {Batch: 2},
		"single entries are asked":  {Batch: 2, Limits: &provider.Limits{}},
		"only times can be read":    {Batch: 2, ReadBack: provider.ReadBackTimestamp, Incomparable: true},
		"nothing but names is told": {Batch: 100, ReadBack: provider.ReadBackNone, Incomparable: true},
	}
}

// calls counts the storage and provider calls of an undisturbed run.
func calls(t *testing.T, o toy.Options) (storage, other int) {
	t.Helper()
	s := newShelf(t, o)
	s.change()
	before := len(s.server.Calls())
	s.m.Storage.Reset()
	s.begin()
	storage, other = s.m.Storage.Calls(), len(s.server.Calls())-before
	single := slices.ContainsFunc(s.server.Calls()[before:], func(c toy.Call) bool { return c.Operation == toy.Look })
	if single != (o.Limits != nil) {
		t.Errorf("the run looks at single entries: %t", single)
	}
	s.converges()
	end(s.m)
	if storage < 4 || other < 5 {
		t.Fatalf("%d storage calls and %d provider calls: the test would show nothing", storage, other)
	}
	return storage, other
}

func TestACrashInARunAtAnyStorageCall(t *testing.T) {
	for name, o := range shelves() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storage, _ := calls(t, o)
			for n := 1; n <= storage; n++ {
				for _, stored := range []bool{false, true} {
					t.Run(fmt.Sprintf("call %d, stored %v", n, stored), func(t *testing.T) {
						s := newShelf(t, o)
						s.change()
						s.m.Storage.FailFrom(n, stored)
						s.begin()
						s.converges()
						end(s.m)
					})
				}
			}
		})
	}
}

func TestACrashInARunAtAnyProviderCall(t *testing.T) {
	for name, o := range shelves() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, other := calls(t, o)
			for n := 1; n <= other; n++ {
				for _, effect := range []bool{false, true} {
					for _, noted := range []bool{false, true} {
						t.Run(fmt.Sprintf("call %d, effect %v, outcome noted %v", n, effect, noted), func(t *testing.T) {
							s := newShelf(t, o)
							s.change()
							first := len(s.server.Calls())
							s.server.OnCall(func(c toy.Call) toy.Fault {
								if c.N == first+n && !noted {
									s.m.Storage.FailFrom(1, false) // the process dies with the call
								}
								return toy.From(first+n, toy.Lost(effect))(c)
							})
							s.begin()
							s.converges()
							end(s.m)
						})
					}
				}
			}
		})
	}
}

// TestWhatOthersPutInThePlaceOfALostChangeIsTheirs has somebody else write an entry at the moment at which the sync's own change of it is
// lost: what is found there afterwards must not be taken for its own.
func TestWhatOthersPutInThePlaceOfALostChangeIsTheirs(t *testing.T) {
	for name, o := range shelves() {
		for _, victim := range []string{"B", "D"} { // one is deleted, the other created
			t.Run(name+", "+victim, func(t *testing.T) {
				s := newShelf(t, o)
				s.change()
				s.server.OnCall(func(c toy.Call) toy.Fault {
					if c.Name != victim || !c.Changes() {
						return toy.Fault{}
					}
					s.server.Remove("top", victim)
					s.server.Plant("top", victim, "another's")
					return toy.Lost(false)
				})
				s.begin()
				s.server.OnCall(nil)
				s.restart()
				if status := s.rest(); status["state"] != "CONFLICT" {
					t.Errorf("the status is %v", status)
				}
				want := s.changed()
				want[victim] = "another's"
				s.holds(want)
				end(s.m)
			})
		}
	}
}
