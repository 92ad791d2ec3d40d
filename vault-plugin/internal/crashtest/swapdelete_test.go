package crashtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// misplaced is a way in which the record of one object can come to the place of another. The object
// at the second key is then deleted, as the error of a damaged definition advises.
type misplaced struct {
	name  string
	place func(s *enginetest.Storage, one, two string)
}

func misplacements() []misplaced {
	return []misplaced{
		{"swapped", func(s *enginetest.Storage, one, two string) {
			a, b := s.Raw(one), s.Raw(two)
			s.SetRaw(one, b)
			s.SetRaw(two, a)
		}},
		{"moved", func(s *enginetest.Storage, one, two string) {
			s.SetRaw(two, s.Raw(one))
			s.SetRaw(one, nil)
		}},
		{"copied", func(s *enginetest.Storage, one, two string) { s.SetRaw(two, s.Raw(one)) }},
	}
}

// beneath returns the entries of storage that deletions sweep.
func beneath(s *enginetest.Storage) map[string]string {
	all := make(map[string]string)
	for _, key := range s.Keys() {
		if strings.HasPrefix(key, "ledger/") || strings.HasPrefix(key, "cred/") {
			all[key] = string(s.Raw(key))
		}
	}
	return all
}

// recordOf returns the storage key of the record of a sync or an integration of the world.
func recordOf(t *testing.T, s *enginetest.Storage, path string) string {
	t.Helper()
	environments, keys := keysOf(t, s)
	family, names, _ := strings.Cut(path, "/")
	segments := strings.Split(names, "/")
	key := "int/" + strings.TrimPrefix(keys[segments[0]], "keys/") + "/" + strings.Join(segments[1:], "/")
	if family == "syncs" {
		key = "sync/" + string(environments[strings.Join(segments[:3], "/")]) + "/" + strings.Join(segments[3:], "/")
	}
	if s.Raw(key) == nil {
		t.Fatalf("%s has no record", path)
	}
	return key
}

// TestDeletingAMisplacedSyncKeepsTheOthersLedger deletes a sync whose record came from another
// sync, and so has the id of the other. The ledger beneath the id must stay. After the records are
// restored, the other sync must own what it owned, and change nothing at its destination.
func TestDeletingAMisplacedSyncKeepsTheOthersLedger(t *testing.T) {
	m := swapWorld(t)
	clean, clock := m.Storage.Clone(), m.Clock
	end(m)
	for _, pair := range [][2]string{{"swap-ran", "swap-one"}, {"swap-ran", "swap-ran-too"}, {"swap-ran", "swap-ran-elsewhere"}} {
		of, deleted := swapSyncs[pair[0]], swapSyncs[pair[1]]
		for _, c := range misplacements() {
			t.Run(c.name+" "+of+" and "+deleted, func(t *testing.T) {
				s := clean.Clone()
				one, two := recordOf(t, clean, "syncs/"+of), recordOf(t, clean, "syncs/"+deleted)
				c.place(s, one, two)
				before := beneath(s)
				m := start(t, s, clock)
				m.Delete("syncs/"+deleted, data{"purge": false})
				m.Settle()
				tick(t, m)
				m.Settle()
				checkBeneath(t, before, beneath(s))
				if c.name == "copied" {
					// The original works without a restart.
					m.Write("syncs/"+of+"/run", data{"wait": "10s"})
					checkRan(t, m, of, pair[0])
				}
				end(m)
				s.SetRaw(one, clean.Raw(one))
				s.SetRaw(two, clean.Raw(two))
				m = start(t, s, clock)
				m.Write("syncs/"+of+"/run", data{"wait": "10s"})
				checkRan(t, m, of, pair[0])
				end(m)
			})
		}
	}
}

func checkBeneath(t *testing.T, before, after map[string]string) {
	t.Helper()
	for key, entry := range before {
		if after[key] != entry {
			t.Errorf("%s was changed or removed", key)
		}
	}
}

// checkRan checks that a sync owns its two entries after a run.
func checkRan(t *testing.T, m *mount, path, shelf string) {
	t.Helper()
	m.Settle()
	status := m.Read("syncs/" + path + "/status")
	if status["state"] != "SYNCED" || status["owned"] != 2.0 || len(toys.server.Truth(shelf)) != 2 {
		t.Errorf("the status is %v, and the shelf has %v", status, toys.server.Truth(shelf))
	}
}

// TestDeletingAMisplacedIntegrationKeepsTheOthersCredential is the same for integrations: the
// credential beneath the id must stay, and work after the records are restored.
func TestDeletingAMisplacedIntegrationKeepsTheOthersCredential(t *testing.T) {
	m := world(t)
	clean, clock := m.Storage.Clone(), m.Clock
	end(m)
	for _, deleted := range integrations[1:] {
		for _, c := range misplacements() {
			t.Run(fmt.Sprintf("%s, %s", c.name, deleted), func(t *testing.T) {
				s := clean.Clone()
				one, two := recordOf(t, clean, integrations[0]), recordOf(t, clean, deleted)
				c.place(s, one, two)
				before := beneath(s)
				m := start(t, s, clock)
				m.Delete(deleted, nil)
				m.Settle()
				tick(t, m)
				m.Settle()
				checkBeneath(t, before, beneath(s))
				if c.name == "copied" {
					m.Write(integrations[0]+"/verify", nil)
				}
				end(m)
				s.SetRaw(one, clean.Raw(one))
				s.SetRaw(two, clean.Raw(two))
				m = start(t, s, clock)
				m.Write(integrations[0]+"/verify", nil)
				m.Write(deleted+"/verify", nil)
				end(m)
			})
		}
	}
}
