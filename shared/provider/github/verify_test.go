package github_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/github"
	"github.com/stashbase/vault-stashbase/shared/provider/github/githubtest"
)

func TestVerifyIdentifiesTheToken(t *testing.T) {
	expires := newClock().Now().Add(30 * 24 * time.Hour)
	tests := []struct {
		name  string
		token githubtest.Token
		want  provider.Identity
	}{
		{"classic", githubtest.Token{Login: "ada", Scope: []string{"repo", "read:org"}}, provider.Identity{
			Account: "ada", Scopes: []string{"repo", "read:org"}, Detail: map[string]string{"token_type": "classic", "account_type": "User"},
		}},
		{"classic without scopes", githubtest.Token{Login: "ada", Scope: []string{}}, provider.Identity{
			Account: "ada", Scopes: []string{}, Detail: map[string]string{"token_type": "classic", "account_type": "User"},
		}},
		{"fine-grained, expires", githubtest.Token{Login: "ada", Secrets: githubtest.Write, Expires: expires}, provider.Identity{
			Account: "ada", Expires: expires, Detail: map[string]string{"token_type": "fine-grained", "account_type": "User"},
		}},
		{"fine-grained, does not", githubtest.Token{Login: "ada"}, provider.Identity{
			Account: "ada", Detail: map[string]string{"token_type": "fine-grained", "account_type": "User"},
		}},
		{"installation", githubtest.Token{Secrets: githubtest.Write}, provider.Identity{
			Account: "installation of a GitHub App", Detail: map[string]string{"token_type": "installation", "repositories": "1"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newFixture(t, githubtest.Options{})
			got, err := github.New().Verify(t.Context(), s.open(t, tt.token))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%+v, want %+v: %v", got, tt.want, err)
			}
		})
	}
}

func TestVerifyReportsARateLimit(t *testing.T) {
	s := newFixture(t, githubtest.Options{})
	s.Refuse(&githubtest.Refusal{Status: 403, Message: "You have exceeded a secondary rate limit."})
	_, err := github.New().Verify(t.Context(), s.session)
	fails(t, err, outbound.RateLimited)
	if asked := s.Asked(); len(asked) != 1 {
		t.Errorf("requests: %q", asked)
	}
}

func TestInvalidSettingsAreRejected(t *testing.T) {
	d := github.New().Declare()
	integration := func(field, value string) error {
		_, err := provider.Complete(d.Fields, provider.Values{field: value})
		return err
	}
	destination := func(field, value string) error {
		settings := place(inRepository)
		settings[field] = value
		_, err := provider.Complete(d.Destinations[0].Fields, settings)
		return err
	}
	refused := map[string][]error{
		"base_url": {
			integration("base_url", "https://github.com"), integration("base_url", "https://www.github.com/"), integration("base_url", "api.github.com"),
			integration("base_url", "https://a@api.github.com"), integration("base_url", "https://api.github.com?x=1"),
		},
		"owner":              {destination("owner", ""), destination("owner", "acme/api"), destination("owner", ".."), destination("owner", "-acme"), destination("owner", "a b")},
		"repository":         {destination("repository", ""), destination("repository", ".."), destination("repository", "acme/api"), destination("repository", "api.git")},
		"github_environment": {destination("github_environment", ".."), destination("github_environment", "a\nb"), destination("github_environment", "\xff")},
	}
	for field, errs := range refused {
		for i, err := range errs {
			if err == nil {
				t.Errorf("invalid value %[2]d of %[1]s is accepted", field, i)
			}
		}
	}
	for i, err := range []error{
		integration("base_url", "https://ghe.example.com/api/v3"), integration("base_url", "https://api.acme.ghe.com"), destination("owner", "ada_acme"),
		destination("repository", ".github"), destination("github_environment", "production/eu west 1 (blue) ü"),
	} {
		if err != nil {
			t.Errorf("valid setting %d: %v", i, err)
		}
	}
}
