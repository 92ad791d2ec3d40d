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

// shelf is an engine with a sync, and the shelf that the sync writes to. The shelf also has entries
// of others.
type shelf struct {
	t      *testing.T
	m      *mount
	server *toy.Server
	setup  enginetest.Setup
}

// steady returns secrets that no run of the tests changes. They outnumber the secrets that change.
func steady() map[string]string {
	return map[string]string{"S1": "s", "S2": "s", "S3": "s", "S4": "s", "S5": "s"}
}

// source returns an import of the given secrets and the steady ones.
func source(secrets map[string]string) data {
	all := data{}
	for _, some := range []map[string]string{secrets, steady()} {
		for name, value := range some {
			all[name] = value
		}
	}
	return data{"mode": "replace", "secrets": all}
}

// foreign returns the entries of others on the shelf. F is also the name of a secret.
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

// change prepares creations, an update and deletions for the sync, but does not start the run.
func (s *shelf) change() {
	s.m.Write("import/acme/api/dev", source(map[string]string{"A": "1, changed", "C": "3", "D": "4", "E": "5", "F": "ours"}))
	s.m.Backend.Settle()
}

// begin starts the run and waits until it has ended.
func (s *shelf) begin() {
	s.m.Clock.Advance(syncs.Window)
	s.m.Settle()
}

// restart stops the process and starts another on the same storage.
func (s *shelf) restart() {
	s.m = s.m.Restart()
	s.m.Settle()
}

// rest advances the clock until the state of the sync is final.
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
	s.t.Fatalf("the sync does not come to rest: %v", status)
	return nil
}

// changed returns the expected entries of the shelf after the change.
func (s *shelf) changed() map[string]string {
	want := foreign()
	maps.Copy(want, steady())
	maps.Copy(want, map[string]string{"A": "1, changed", "C": "3", "D": "4", "E": "5"})
	return want
}

func (s *shelf) checkShelf(want map[string]string) {
	s.t.Helper()
	if got := s.server.Truth("top"); !maps.Equal(got, want) {
		s.t.Errorf("the shelf holds %v, want %v", got, want)
	}
}

// checkConverges checks that the shelf reaches the wanted state after a restart. The sync must
// recognize its own entries and change no others.
func (s *shelf) checkConverges() {
	s.t.Helper()
	s.server.OnCall(nil)
	s.restart()
	want := s.changed()
	if status := s.rest(); status["state"] != "CONFLICT" { // F belongs to others
		s.t.Errorf("the status is %v", status)
	}
	s.adoptOwn()
	s.checkShelf(want)
	s.m.Write("import/acme/api/dev", data{"mode": "replace", "secrets": data{}, "confirm": "dev"})
	if status := s.rest(); status["state"] != "SYNCED" || status["owned"] != 0.0 {
		s.t.Errorf("the status is %v", status)
	}
	s.checkShelf(foreign())
	for _, key := range s.m.Storage.Keys() {
		if len(key) > 7 && key[:7] == "ledger/" {
			s.t.Errorf("%s is left", key)
		}
	}
}

// adoptOwn adopts entries that the sync could not recognize as its own. This may only happen if
// values cannot be read from the shelf.
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
	if s.readsValues() {
		s.t.Errorf("%v are not recognized as owned", own)
	}
	s.m.Write(theSync+"/adopt", data{"keys": own})
	s.rest()
}

func (s *shelf) readsValues() bool {
	declared, _, _ := s.setup.Providers.Destination(toy.Destination)
	return declared.ReadBack == provider.ReadBackValue
}

func shelves() map[string]toy.Options {
	return map[string]toy.Options{
		"values can be read back": {Batch: 2},
		"single entries are read": {Batch: 2, Limits: &provider.Limits{}},
		"only times can be read":  {Batch: 2, ReadBack: provider.ReadBackTimestamp, Incomparable: true},
		"only names can be read":  {Batch: 100, ReadBack: provider.ReadBackNone, Incomparable: true},
	}
}

// calls returns the number of storage and provider calls of a run without faults.
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
		t.Errorf("the run reads single entries: %t", single)
	}
	s.checkConverges()
	end(s.m)
	if storage < 4 || other < 5 {
		t.Fatalf("%d storage calls and %d provider calls are too few for the test", storage, other)
	}
	return storage, other
}

func TestRunCrashAtAnyStorageCall(t *testing.T) {
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
						s.checkConverges()
						end(s.m)
					})
				}
			}
		})
	}
}

func TestRunCrashAtAnyProviderCall(t *testing.T) {
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
									// The process dies during the call.
									s.m.Storage.FailFrom(1, false)
								}
								return toy.From(first+n, toy.Lost(effect))(c)
							})
							s.begin()
							s.checkConverges()
							end(s.m)
						})
					}
				}
			}
		})
	}
}

// TestForeignEntryAfterLostChangeIsNotOwned writes a foreign entry at the moment when the change of
// the sync to the same entry is lost. The sync must not treat this entry as its own.
func TestForeignEntryAfterLostChangeIsNotOwned(t *testing.T) {
	for name, o := range shelves() {
		for _, victim := range []string{"B", "D"} { // B is deleted, D is created
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
				s.checkShelf(want)
				end(s.m)
			})
		}
	}
}
