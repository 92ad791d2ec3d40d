package providertest

import (
	"maps"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

var rightChecks = []check{
	{"a sufficient credential lacks nothing", checks, lackNothing},
	{"a missing permission is reported and does prevent changes", func(r *rig) string {
		if r.Weak == nil {
			return "Party.Weak is nil"
		}
		return checks(r)
	}, lackSomething},
	{"a missing place is an error and not a missing permission", checks, lackElsewhere},
}

// lacks calls Lacks of a provider whose destination declares Checks.
func (r *rig) lacks(t testing.TB, s *provider.Session, place provider.Place) ([]string, error) {
	t.Helper()
	checker, ok := r.Provider.(provider.Checker)
	if !ok {
		t.Fatal("Destination.Checks is true, but the provider does not implement Checker")
	}
	return checker.Lacks(t.Context(), s, place, r.names(t, 1)[0])
}

func lackNothing(t testing.TB, r *rig) {
	r.Plant(r.names(t, 1)[0], "foreign")
	before := r.Truth()
	lacks, err := r.lacks(t, r.session, r.place)
	if err != nil || len(lacks) != 0 {
		t.Errorf("Lacks returned %q and the error %v", lacks, err)
	}
	if after := r.Truth(); !maps.Equal(before, after) {
		t.Errorf("Lacks changed %v to %v", before, after)
	}
}

func lackSomething(t testing.TB, r *rig) {
	given, credential := r.Weak()
	settings := maps.Clone(r.session.Settings)
	maps.Copy(settings, given)
	weak := r.newSession(t, settings, credential, patience)
	lacks, err := r.lacks(t, weak, r.place)
	if err != nil || len(lacks) == 0 {
		t.Errorf("Lacks returned %q and the error %v", lacks, err)
	}
	for _, phrase := range lacks {
		if phrase == "" || strings.ContainsAny(phrase, "\n") || strings.HasSuffix(phrase, ".") {
			t.Errorf("%q is not a phrase that can follow \"lacks\"", phrase)
		}
	}
	result := r.applyAs(t.Context(), t, weak, r.place, provider.Change{Name: r.names(t, 1)[0], Value: []byte("one")})[0]
	if result.Outcome == provider.Done {
		t.Error("the change is done although Lacks reports a missing permission")
	}
}

func lackElsewhere(t testing.TB, r *rig) {
	for _, settings := range r.Elsewhere {
		_, err := r.lacks(t, r.session, r.newPlace(t, settings))
		classIn(t, "Lacks", err, outbound.NotFound, outbound.Invalid)
		hinted(t, "Lacks", err)
	}
}
