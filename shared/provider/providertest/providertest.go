// Package providertest holds a provider to the contract of package provider: one check for each behaviour, by area one file. Every
// check runs, unless the provider's declaration or the party under test rules it out; what is skipped says which line of it does.
//
// A provider's own test opens a party and runs the suite:
//
//	func TestConformance(t *testing.T) {
//		providertest.Run(t, func(t testing.TB) providertest.Party { ... })
//	}
//
// Between the provider and a party that is reached over HTTP stands a server of the suite's own, which counts requests, and for some
// checks answers as no honest party would.
package providertest

import (
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

// Party is the other side, running, with an empty place for one check.
type Party struct {
	Provider    provider.Provider
	Destination string
	Granularity provider.Granularity // "" for the destination's default

	Settings   provider.Values   // of the integration
	Auth       string            // "" for the provider's default
	Credential map[string]string // secret fields that are accepted
	Refused    map[string]string // secret fields that are well formed and not accepted

	Place     provider.Values   // the destination's settings: a place that exists, and holds nothing
	Elsewhere []provider.Values // places that do not exist, or cannot hold entries

	// Address is the setting that holds the party's URL. Empty for a party that is not reached over HTTP.
	Address string

	// Racy says why two calls at once may undo each other's changes at this place, where the declaration cannot. Empty for a place where
	// they may not.
	Racy string

	// Weak is the integration's settings and a credential that may look at the place and change nothing there; nil where there is no such
	// thing, or nobody could tell.
	Weak func() (settings provider.Values, credential map[string]string)

	// Plant puts an entry there, or a new value in one, as somebody else would. Remove takes one away. Truth answers the values of all
	// entries there, by a way that is not the provider's.
	Plant  func(name, value string)
	Remove func(name string)
	Truth  func() map[string]string
}

// check is one behaviour. unless answers the line that rules it out; "" for none.
type check struct {
	name   string
	unless func(r *rig) string
	run    func(t testing.TB, r *rig)
}

func allChecks() []check {
	var all []check
	for _, area := range [][]check{
		declarationChecks, endpointChecks, verifyChecks, listChecks, applyChecks, compareChecks, limitChecks, readChecks, rightChecks, cancelChecks, hostileChecks, refusalChecks,
	} {
		all = append(all, area...)
	}
	return all
}

// Run holds a provider to the contract. open is called for each check, and answers a party with an empty place each time.
func Run(t *testing.T, open func(t testing.TB) Party) {
	t.Helper()
	for _, c := range allChecks() {
		t.Run(c.name, func(t *testing.T) { c.try(t, open) })
	}
}

func (c check) try(t testing.TB, open func(t testing.TB) Party) {
	r := newRig(t, open(t))
	if c.unless != nil {
		if why := c.unless(r); why != "" {
			t.Skip(why)
		}
	}
	c.run(t, r)
}

// The lines that rule checks out.

func overHTTP(r *rig) string {
	if r.Address == "" {
		return "Party.Address is empty: it is not reached over HTTP"
	}
	return ""
}

var (
	compares = declares("Compares", func(d provider.Destination) bool { return d.Compares })
	looks    = declares("Looks", func(d provider.Destination) bool { return d.Looks })
	checks   = declares("Checks", func(d provider.Destination) bool { return d.Checks })
)

func declares(capability string, has func(provider.Destination) bool) func(r *rig) string {
	return func(r *rig) string {
		if !has(r.destination) {
			return "Destination." + capability + " is false"
		}
		return ""
	}
}

func readsBack(kind provider.ReadBack) func(r *rig) string {
	return func(r *rig) string {
		if r.destination.ReadBack != kind {
			return "Destination.ReadBack is " + string(r.destination.ReadBack)
		}
		return ""
	}
}
