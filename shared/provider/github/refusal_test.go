package github_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/github"
	"github.com/stashbase/vault-stashbase/shared/provider/github/githubtest"
)

func TestRateLimitsHaveAWait(t *testing.T) {
	const secondary = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
	start := newClock().Now()
	tests := []struct {
		name    string
		refusal githubtest.Refusal
		want    time.Duration
	}{
		{"403 that says how long", githubtest.Refusal{Status: 403, Message: secondary, Header: map[string]string{"Retry-After": "130"}}, 130 * time.Second},
		{"429 that says how long", githubtest.Refusal{Status: 429, Message: secondary, Header: map[string]string{"Retry-After": "130"}}, 130 * time.Second},
		{"403 that does not", githubtest.Refusal{Status: 403, Message: secondary}, time.Minute},
		{"429 that does not", githubtest.Refusal{Status: 429, Message: "slow down"}, time.Minute},
		{"403 of an older server", githubtest.Refusal{Status: 403, Message: "You have triggered an abuse detection mechanism."}, time.Minute},
		{"403 with nothing left", githubtest.Refusal{Status: 403, Message: "API rate limit exceeded for user ID 1.", Header: map[string]string{
			"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": strconv.FormatInt(start.Add(20*time.Minute).Unix(), 10),
		}}, 20 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newFixture(t, githubtest.Options{})
			tt.refusal.WritesOnly = true
			s.Refuse(&tt.refusal)
			results := s.apply(t, inRepository, write("A", "one"), write("B", "two"))
			for i, want := range []provider.Outcome{provider.Failed, provider.Skipped} {
				wait := fails(t, results[i].Err, outbound.RateLimited)
				if results[i].Outcome != want || wait < tt.want-2*time.Second || wait > tt.want+2*time.Second {
					t.Errorf("change %d is %s with the wait %v, want %v", i, results[i].Outcome, wait, tt.want)
				}
			}
			if s.puts() != 1 {
				t.Errorf("got %d writes during a rate limit, want 1", s.puts())
			}
			s.Refuse(nil)
			s.clock.now = s.clock.now.Add(tt.want + time.Second)
			if r := s.apply(t, inRepository, write("A", "one"))[0]; r.Outcome != provider.Done {
				t.Errorf("after the wait: %s: %v", r.Outcome, r.Err)
			}
		})
	}
}

func TestPausesGrowWithoutRetryAfter(t *testing.T) {
	s := newFixture(t, githubtest.Options{})
	s.Refuse(&githubtest.Refusal{Status: 403, Message: "You have exceeded a secondary rate limit."})
	for _, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute} {
		_, err := github.New().List(t.Context(), s.session, at(inRepository))
		if wait := fails(t, err, outbound.RateLimited); wait != want {
			t.Errorf("the pause is %v, want %v", wait, want)
		}
		s.clock.now = s.clock.now.Add(want + time.Second)
	}
}

func TestErrorsNameTheMissingPermission(t *testing.T) {
	tests := []struct {
		name  string
		token githubtest.Token
		place githubtest.Place
		class outbound.Class
		words []string
	}{
		{"read only", githubtest.Token{Login: "ada", Secrets: githubtest.Read}, inRepository, outbound.Permission, []string{`"Secrets" (read and write)`, "`repo`"}},
		{"no permission", githubtest.Token{Login: "ada"}, inRepository, outbound.Permission, []string{`"Secrets" (read)`}},
		{
			"only secrets of the repository", githubtest.Token{Login: "ada", Secrets: githubtest.Write}, inEnvironment, outbound.Permission,
			[]string{`"Environments" (read)`},
		},
		{
			"read only, environments", githubtest.Token{Login: "ada", Environments: githubtest.Read}, inEnvironment, outbound.Permission,
			[]string{`"Environments" (read and write)`},
		},
		{
			"only other repositories", githubtest.Token{Login: "ada", Secrets: githubtest.Write, Repositories: []string{"acme/web"}}, inRepository, outbound.NotFound,
			[]string{"repository does not exist", "access to the repository", `"Secrets"`},
		},
		{"classic without the scope", githubtest.Token{Login: "ada", Scope: []string{"gist"}}, inRepository, outbound.NotFound, []string{"scope `repo`"}},
		{
			"no such environment", githubtest.Token{Login: "ada", Environments: githubtest.Write},
			githubtest.Place{Owner: "acme", Repository: "api", Environment: "nowhere"}, outbound.NotFound, []string{"environment does not exist", `"Environments"`},
		},
		{"without single sign-on", githubtest.Token{Login: "ada", Secrets: githubtest.Write, SSO: true}, inRepository, outbound.Permission, []string{"single sign-on"}},
		{"an expired token", githubtest.Token{Login: "ada", Secrets: githubtest.Write, Expires: newClock().Now()}, inRepository, outbound.Auth, []string{"expired"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newFixture(t, githubtest.Options{})
			result := github.New().Apply(t.Context(), s.open(t, tt.token), at(tt.place), []provider.Change{write("A", "one")})[0]
			fails(t, result.Err, tt.class, tt.words...)
			if result.Outcome == provider.Done || result.Outcome == provider.Unknown {
				t.Errorf("the change has the outcome %s", result.Outcome)
			}
		})
	}
}

func TestForbiddenResponsesAreDistinguished(t *testing.T) {
	for message, word := range map[string]string{
		"Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled, and your IP address is not permitted": "IP allow list",
		"`acme` forbids access via a personal access token (classic). Please use a GitHub App":                                                                          "classic",
		"The 'acme' organization forbids access via a fine-grained personal access tokens if the token's lifetime is greater than 366 days.":                            "expires earlier",
		"Resource not accessible by personal access token":                                                                                                              `"Secrets"`,
	} {
		s := newFixture(t, githubtest.Options{})
		s.Refuse(&githubtest.Refusal{Status: 403, Message: message})
		_, err := github.New().List(t.Context(), s.session, at(inRepository))
		fails(t, err, outbound.Permission, word)
		if strings.Contains(err.Error(), "acme") {
			t.Errorf("the error contains a part of the response: %v", err)
		}
	}
}

// GitHub redirects from the old names of a renamed repository to the new ones. A followed redirect
// would send the token along.
func TestARenamedRepositoryHasAHint(t *testing.T) {
	s := newFixture(t, githubtest.Options{})
	s.Refuse(&githubtest.Refusal{Status: 301, Message: "Moved Permanently", Header: map[string]string{"Location": s.URL + "/repositories/1/actions/secrets"}})
	_, err := github.New().List(t.Context(), s.session, at(inRepository))
	fails(t, err, outbound.Invalid, "renamed")
}

// A thousand secrets take about as long as GitHub's limits require, and no write is rejected.
func TestAThousandSecretsUseTheWriteBudget(t *testing.T) {
	s := newFixture(t, githubtest.Options{})
	const repositories, each = 10, 100
	start := s.clock.Now()
	for i := range repositories {
		p := githubtest.Place{Owner: "acme", Repository: fmt.Sprintf("api-%d", i)}
		s.Add(p)
		var changes []provider.Change
		for k := range each {
			changes = append(changes, write(fmt.Sprintf("NAME_%d", k), "value"))
		}
		s.converge(t, p, changes)
		if n := len(s.Truth(p)); n != each {
			t.Fatalf("repository %d has %d secrets", i, n)
		}
	}
	const total = repositories * each
	if s.Over() != 0 || s.puts() != total {
		t.Errorf("%d writes for %d secrets, %d of them over GitHub's limits", s.puts(), total, s.Over())
	}
	// The first 500 writes fill the first hour. The other 500 start with the second hour and take 6
	// minutes at 80 per minute plus a part of the next minute.
	ideal := time.Hour + 6*time.Minute
	took := s.clock.Now().Sub(start)
	if used := ideal.Seconds() / took.Seconds(); used < 0.95 {
		t.Errorf("took %v, the limits allow %v: %.1f%%", took, ideal, 100*used)
	} else {
		t.Logf("%d secrets in %v, the limits allow %v: %.1f%%", total, took, ideal, 100*used)
	}
}

// converge applies changes in batches until all are done, as the engine does: skipped changes are
// repeated after the wait.
func (s *fixture) converge(t *testing.T, p githubtest.Place, changes []provider.Change) {
	t.Helper()
	batch := github.New().Declare().Destinations[0].Batch
	for len(changes) > 0 {
		now := changes[:min(batch, len(changes))]
		var left []provider.Change
		var wait time.Duration
		for i, result := range s.apply(t, p, now...) {
			if result.Outcome == provider.Done {
				continue
			}
			wait = max(wait, fails(t, result.Err, outbound.RateLimited))
			left = append(left, now[i])
		}
		s.clock.now = s.clock.now.Add(wait)
		changes = append(left, changes[len(now):]...)
	}
}
