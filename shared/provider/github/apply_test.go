package github_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/github"
	"github.com/stashbase/vault-stashbase/shared/provider/github/githubtest"
)

// A key that was truncated or padded to 32 bytes belongs to nobody or to someone else. A value that
// is sealed with a key of low order can be opened by anyone.
func TestInvalidPublicKeysAreRejected(t *testing.T) {
	of := func(n int, b byte) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(b), n)))
	}
	for name, shown := range map[string]string{
		"31 bytes": of(31, 'k'), "33 bytes": of(33, 'k'), "64 bytes": of(64, 'k'), "no base64": "!", "all zero": of(32, 0),
		"of order 2": base64.StdEncoding.EncodeToString(append([]byte{1}, make([]byte, 31)...)),
	} {
		for _, place := range []githubtest.Place{inRepository, inEnvironment} {
			t.Run(name+"/"+place.Environment, func(t *testing.T) {
				s := newFixture(t, githubtest.Options{})
				s.ShowKey(place, shown)
				s.Plant(place, "B", "old")
				for _, result := range s.apply(t, place, write("A", "one"), provider.Change{Name: "B", Delete: true}) {
					if result.Outcome != provider.Skipped {
						t.Errorf("a change is %s", result.Outcome)
					}
					fails(t, result.Err, outbound.Provider, "32 bytes")
				}
				if truth := s.Truth(place); s.puts() != 0 || len(truth) != 1 {
					t.Errorf("%d writes were sent and the place has %d secrets", s.puts(), len(truth))
				}
			})
		}
	}
}

// github.com/cli/cli issue 3831: the key of the repository was used for its environment, and the
// secret was unusable.
func TestEachPlaceUsesItsOwnKey(t *testing.T) {
	s := newFixture(t, githubtest.Options{})
	for _, place := range []githubtest.Place{inRepository, inEnvironment} {
		if r := s.apply(t, place, write("A", "of "+place.Environment))[0]; r.Outcome != provider.Done {
			t.Fatalf("%s: %v", r.Outcome, r.Err)
		}
		if truth := s.Truth(place); truth["A"] != "of "+place.Environment || len(truth) != 1 {
			t.Errorf("the place has %q", truth)
		}
	}
}

func TestNamesThatDifferOnlyInCaseAreRejected(t *testing.T) {
	s := newFixture(t, githubtest.Options{})
	s.Plant(inRepository, "Token", "foreign")
	results := s.apply(t, inRepository, write("token", "one"), write("OTHER", "two"), write("Token", "three"))
	for _, i := range []int{0, 2} {
		if results[i].Outcome != provider.Failed {
			t.Errorf("change %d is %s", i, results[i].Outcome)
		}
		fails(t, results[i].Err, outbound.Invalid, "case")
	}
	if truth := s.Truth(inRepository); results[1].Outcome != provider.Done || truth["TOKEN"] != "foreign" || truth["OTHER"] != "two" {
		t.Errorf("the place has %q", truth)
	}
}

func TestFoldChangesOnlyASCII(t *testing.T) {
	d := github.New().Declare().Destinations[0]
	for name, want := range map[string]string{"aZ_9": "AZ_9", "ſecret": "ſECRET", "ı": "ı", "\u212a": "\u212a", "ß": "ß", "": ""} {
		folded := d.Fold(name)
		if folded != want {
			t.Errorf("%q folds to %q, want %q", name, folded, want)
		}
		if ascii := name == "aZ_9"; d.Limits.Name.MatchString(folded) != ascii {
			t.Errorf("%q is a valid name: %t", folded, !ascii)
		}
	}
}

func TestARotatedKeyIsFetchedAgainOnce(t *testing.T) {
	for _, rotations := range []int{1, 2} {
		var s *fixture
		left := rotations
		s = newFixture(t, githubtest.Options{Before: func(r *http.Request) {
			if r.Method == http.MethodPut && left > 0 {
				left--
				s.RotateKey(inRepository)
			}
		}})
		results := s.apply(t, inRepository, write("A", "one"), write("B", "two"))
		// The second rotation happens before the repetition, so A fails. By then B is sealed for an
		// old key too.
		wantOutcome, wantPuts := provider.Done, 3
		if rotations == 2 {
			wantOutcome, wantPuts = provider.Failed, 3
			fails(t, results[0].Err, outbound.Invalid)
		}
		if results[0].Outcome != wantOutcome || s.puts() != wantPuts {
			t.Errorf("after %d rotations: %s with %d writes: %v", rotations, results[0].Outcome, s.puts(), results[0].Err)
		}
		if rotations == 1 && s.Truth(inRepository)["A"] != "one" {
			t.Errorf("the place has %q", s.Truth(inRepository))
		}
	}
}

func TestARejectedWriteIsNotRepeatedWithTheSameKey(t *testing.T) {
	s := newFixture(t, githubtest.Options{})
	s.Refuse(&githubtest.Refusal{Status: 422, Message: "no", WritesOnly: true})
	results := s.apply(t, inRepository, write("A", "one"), write("B", "two"))
	fails(t, results[0].Err, outbound.Invalid)
	fails(t, results[1].Err, outbound.Invalid)
	if s.puts() != 2 {
		t.Errorf("got %d writes, want 2", s.puts())
	}
}

func TestUpdatedIsTheTimeOfGitHub(t *testing.T) {
	s := newFixture(t, githubtest.Options{})
	var last time.Time
	for i, value := range []string{"one", "two", "two"} {
		s.clock.now = s.clock.now.Add(90*time.Second + 123*time.Millisecond)
		entry := s.apply(t, inEnvironment, write("a", value))[0].Entry
		if want := s.Updated(inEnvironment, "A"); !entry.Updated.Equal(want) || entry.Name != "A" || !want.After(last) {
			t.Errorf("write %d: got %+v, want the time %v", i, entry, want)
		}
		last = entry.Updated
	}
	s.clock.now = s.clock.now.Add(time.Minute)
	s.Plant(inEnvironment, "A", "foreign")
	entries, err := github.New().List(t.Context(), s.session, at(inEnvironment))
	if err != nil || len(entries) != 1 || !entries[0].Updated.After(last) {
		t.Errorf("a later write by others is not listed: %+v, %v", entries, err)
	}
}

func TestAWriteWithoutATimeIsUnknown(t *testing.T) {
	var s *fixture
	s = newFixture(t, githubtest.Options{Before: func(r *http.Request) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/secrets/A") {
			s.Remove(inRepository, "A")
		}
	}})
	results := s.apply(t, inRepository, write("A", "one"))
	if results[0].Outcome != provider.Unknown {
		t.Errorf("%s: %v", results[0].Outcome, results[0].Err)
	}
	fails(t, results[0].Err, outbound.NotFound)
}

func TestSecretsAreListedOverPages(t *testing.T) {
	s := newFixture(t, githubtest.Options{})
	const many = 250
	for i := range many {
		s.Plant(inRepository, "NAME_"+strings.Repeat("X", i), "value")
	}
	entries, err := github.New().List(t.Context(), s.session, at(inRepository))
	if err != nil || len(entries) != many {
		t.Errorf("got %d secrets, want %d: %v", len(entries), many, err)
	}
	if asked := s.Asked(); len(asked) != 3 {
		t.Errorf("got %d requests, want 3, one per page", len(asked))
	}
}

func TestTargetsAreNotCaseSensitive(t *testing.T) {
	d := github.New().Declare()
	target := func(base, owner, repository, environment string) provider.Target {
		return d.Destinations[0].Target(provider.Values{"base_url": base}, place(githubtest.Place{Owner: owner, Repository: repository, Environment: environment}))
	}
	const public = "https://api.github.com"
	want := provider.Target{Host: "https://api.github.com:443", Path: "acme/api/environments/production/eu"}
	if got := target("HTTPS://API.github.com:443/", "ACME", "Api", "Production/EU"); got != want || got != target(public, "acme", "api", "production/eu") {
		t.Errorf("the target is %+v, want %+v", got, want)
	}
	if got := target(public, "Acme", "API", ""); got.Path != "acme/api" {
		t.Errorf("the path of a repository is %q", got.Path)
	}
	if target("https://ghe.example.com/api/v3", "acme", "api", "") == target(public, "acme", "api", "") {
		t.Error("places of two servers have the same target")
	}
}

func TestAServerWithABasePath(t *testing.T) {
	s := newFixture(t, githubtest.Options{BasePath: "/api/v3"})
	if r := s.apply(t, inEnvironment, write("A", "one"))[0]; r.Outcome != provider.Done || s.Truth(inEnvironment)["A"] != "one" {
		t.Errorf("%s: %v", r.Outcome, r.Err)
	}
}
