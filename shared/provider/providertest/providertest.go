// Package providertest checks a provider against the contract of package provider. Each check
// covers one behaviour, and each file covers one area. Every check runs unless the declaration or
// the party excludes it. The message of a skipped check names the reason.
//
// A provider's test starts a party and runs the suite:
//
//	func TestConformance(t *testing.T) {
//		providertest.Run(t, func(t testing.TB) providertest.Party { ... })
//	}
//
// If the party is reached over HTTP, the suite puts its own server between the provider and the
// party. The server counts requests, and for some checks it sends responses that no honest party
// would send.
package providertest

import (
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

// Party is a running service with an empty place for one check.
type Party struct {
	Provider    provider.Provider
	Destination string
	Granularity provider.Granularity // "" for the destination's default

	Settings   provider.Values   // of the integration
	Auth       string            // "" for the provider's default
	Credential map[string]string // secret fields that the service accepts
	Refused    map[string]string // well-formed secret fields that the service rejects

	Place     provider.Values   // the destination's settings for a place that exists and is empty
	Elsewhere []provider.Values // places that do not exist or cannot hold entries

	// Address is the name of the setting with the party's URL. It is empty for a party that is not
	// reached over HTTP.
	Address string

	// Racy is the reason why two parallel calls may undo each other's changes at this place, if the
	// declaration cannot express it. It is empty for all other places.
	Racy string

	// Weak returns settings of the integration and a credential that can read the place but cannot
	// change it. It is nil if there is no such credential, or if a provider cannot detect it.
	Weak func() (settings provider.Values, credential map[string]string)

	// Plant writes an entry at the place as another client would, and Remove deletes one. Truth
	// returns the values of all entries at the place without using the provider.
	Plant  func(name, value string)
	Remove func(name string)
	Truth  func() map[string]string

	// Objects returns the paths of the objects at the service that hold the entries of the place,
	// in the form of provider.ServiceObject, without using the provider.
	Objects func() []string
	// Extend adds content to the object of an entry that is no part of any entry, as another client
	// would. It returns a function that reports whether the content is still there. Extend is nil
	// if an object holds nothing besides its entries.
	Extend func(name string) (kept func() bool)
}

// check is the check of one behaviour. unless returns the reason to skip it, or "" to run it.
type check struct {
	name   string
	unless func(r *rig) string
	run    func(t testing.TB, r *rig)
}

func allChecks() []check {
	var all []check
	for _, area := range [][]check{
		declarationChecks, endpointChecks, verifyChecks, listChecks, applyChecks, compareChecks, limitChecks, readChecks, rightChecks, cancelChecks, hostileChecks, refusalChecks, objectChecks,
	} {
		all = append(all, area...)
	}
	return all
}

// Run runs all checks. It calls open once for each check, which must return a party with an empty
// place.
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

// Reasons to skip a check.

func overHTTP(r *rig) string {
	if r.Address == "" {
		return "Party.Address is empty: the party is not reached over HTTP"
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
