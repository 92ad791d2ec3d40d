package backend_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// looked counts the lists of entries and the reads of single entries that f makes.
func looked(server *toy.Server, f func()) (lists, looks int) {
	before := len(server.Calls())
	f()
	for _, c := range server.Calls()[before:] {
		switch c.Operation {
		case toy.List:
			lists++
		case toy.Look:
			looks++
		}
	}
	return lists, looks
}

// crowded returns a mount with a settled sync of 20 secrets. By default, its shelf can read single
// entries and has no limit on their number.
func crowded(t *testing.T, limits provider.Limits) (*enginetest.Mount, *toy.Server) {
	t.Helper()
	m, server := syncedAs(t, toy.Options{Limits: &limits}, nil)
	secrets := data{}
	for i := range 20 {
		secrets[fmt.Sprintf("S%d", i)] = "1"
	}
	m.Write("import/acme/api/development", data{"secrets": secrets})
	if lists, looks := looked(server, func() { has(t, rest(t, m), data{"state": "SYNCED", "owned": 20}) }); lists != 1 || looks != 0 {
		t.Errorf("the first run makes %d lists and %d looks", lists, looks)
	}
	return m, server
}

func TestARunReadsOnlyTheEntriesItChanges(t *testing.T) {
	m, server := crowded(t, provider.Limits{})
	server.Plant("top", "THEIRS", "another's")
	server.Remove("top", "S7")
	lists, looks := looked(server, func() {
		m.Write("import/acme/api/development", data{"secrets": data{"S1": "2", "NEW": "1", "THEIRS": "ours"}})
		m.Delete(source+"S2", nil)
		status := rest(t, m)
		has(t, status, data{"state": "CONFLICT", "owned": 20})
		has(t, keyed(t, status, "THEIRS"), data{"state": "CONFLICT"})
	})
	if lists != 0 || looks != 1 {
		t.Errorf("the run makes %d lists and %d looks", lists, looks)
	}
	truth := server.Truth("top")
	if _, there := truth["S2"]; there || truth["S1"] != "2" || truth["NEW"] != "1" || truth["THEIRS"] != "another's" {
		t.Errorf("the shelf has %v", truth)
	}

	// A plan and a requested run read every entry.
	lists, looks = looked(server, func() {
		plan := m.Read(aSync + "/plan")
		if actions, _ := plan["actions"].([]any); !slices.ContainsFunc(actions, func(a any) bool { one, _ := a.(data); return one["name"] == "S7" }) {
			t.Errorf("the plan does not see what is missing: %v", plan)
		}
		m.Write(aSync+"/run", data{"wait": "5s"})
	})
	if lists != 2 || looks != 0 {
		t.Errorf("a plan and a run make %d lists and %d looks", lists, looks)
	}
	if server.Truth("top")["S7"] != "1" {
		t.Error("what is missing is not written again")
	}
}

func TestARunListsWhenThatIsCheaperOrRequired(t *testing.T) {
	for name, c := range map[string]struct {
		limits  provider.Limits
		changed int
	}{
		"much has changed":                 {provider.Limits{}, 11},
		"the number of entries is bounded": {provider.Limits{MaxEntries: 1000}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			m, server := crowded(t, c.limits)
			secrets := data{}
			for i := range c.changed {
				secrets[fmt.Sprintf("S%d", i)] = "2"
			}
			lists, looks := looked(server, func() {
				m.Write("import/acme/api/development", data{"secrets": secrets})
				has(t, rest(t, m), data{"state": "SYNCED"})
			})
			if lists != 1 || looks != 0 {
				t.Errorf("the run makes %d lists and %d looks", lists, looks)
			}
		})
	}
}
