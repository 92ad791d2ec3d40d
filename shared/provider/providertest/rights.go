package providertest

import (
	"maps"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

var rightChecks = []check{
	{"a credential that may do all lacks nothing", checks, lackNothing},
	{"what a credential lacks is told, and it does lack it", func(r *rig) string {
		if r.Weak == nil {
			return "Party.Weak is nil"
		}
		return checks(r)
	}, lackSomething},
	{"of a place that is not there nothing is said to be lacking", checks, lackElsewhere},
}

// lacks is Lacks, of a provider that declares it.
func (r *rig) lacks(t testing.TB, s *provider.Session, at provider.Place) ([]string, error) {
	t.Helper()
	checker, ok := r.Provider.(provider.Checker)
	if !ok {
		t.Fatal("Destination.Checks is true, and the provider is no Checker")
	}
	return checker.Lacks(t.Context(), s, at, r.names(t, 1)[0])
}

func lackNothing(t testing.TB, r *rig) {
	r.Plant(r.names(t, 1)[0], "foreign")
	before := r.Truth()
	lacks, err := r.lacks(t, r.session, r.at)
	if err != nil || len(lacks) != 0 {
		t.Errorf("Lacks answers %q and the error %v", lacks, err)
	}
	if after := r.Truth(); !maps.Equal(before, after) {
		t.Errorf("Lacks has changed %v to %v", before, after)
	}
}

func lackSomething(t testing.TB, r *rig) {
	given, credential := r.Weak()
	settings := maps.Clone(r.session.Settings)
	maps.Copy(settings, given)
	weak := r.newSession(t, settings, credential, patience)
	lacks, err := r.lacks(t, weak, r.at)
	if err != nil || len(lacks) == 0 {
		t.Errorf("Lacks answers %q and the error %v", lacks, err)
	}
	for _, phrase := range lacks {
		if phrase == "" || strings.ContainsAny(phrase, "\n") || strings.HasSuffix(phrase, ".") {
			t.Errorf("%q is no phrase that follows \"lacks\"", phrase)
		}
	}
	result := r.applyAs(t.Context(), t, weak, r.at, provider.Change{Name: r.names(t, 1)[0], Value: []byte("one")})[0]
	if result.Outcome == provider.Done {
		t.Error("what is said to be lacking is not: the change is made")
	}
}

func lackElsewhere(t testing.TB, r *rig) {
	for _, settings := range r.Elsewhere {
		_, err := r.lacks(t, r.session, r.place(t, settings))
		classIn(t, "Lacks", err, outbound.NotFound, outbound.Invalid)
		hinted(t, "Lacks", err)
	}
}
