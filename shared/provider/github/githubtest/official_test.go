package githubtest_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-github/v89/github"
	"golang.org/x/crypto/nacl/box"

	"github.com/stashbase/vault-stashbase/shared/provider/github/githubtest"
)

// official returns a go-github client with the given token.
func official(t *testing.T, s *githubtest.Server, token string) *github.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(s.CAPEM))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	base := s.URL + "/"
	c, err := github.NewClient(github.WithTransport(transport), github.WithAuthToken(token), github.WithURLs(&base, nil))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sealed(t *testing.T, key *github.PublicKey, value string) github.SecretRequest {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(key.GetKey())
	if err != nil || len(raw) != 32 {
		t.Fatalf("a key of %d bytes: %v", len(raw), err)
	}
	made, err := box.SealAnonymous(nil, []byte(value), (*[32]byte)(raw), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return github.SecretRequest{KeyID: key.GetKeyID(), EncryptedValue: base64.StdEncoding.EncodeToString(made)}
}

// secrets holds the methods of go-github for the secrets of one scope.
type secrets struct {
	key    func(ctx context.Context) (*github.PublicKey, *github.Response, error)
	put    func(ctx context.Context, name string, r github.SecretRequest) (*github.Response, error)
	get    func(ctx context.Context, name string) (*github.Secret, *github.Response, error)
	list   func(ctx context.Context, o *github.ListOptions) (*github.Secrets, *github.Response, error)
	remove func(ctx context.Context, name string) (*github.Response, error)
}

func secretsOf(c *github.Client, place githubtest.Place) secrets {
	a, env := c.Actions, url.PathEscape(place.Environment)
	if env == "" {
		return secrets{
			func(ctx context.Context) (*github.PublicKey, *github.Response, error) {
				return a.GetRepoPublicKey(ctx, place.Owner, place.Repository)
			},
			func(ctx context.Context, name string, r github.SecretRequest) (*github.Response, error) {
				return a.CreateOrUpdateRepoSecret(ctx, place.Owner, place.Repository, name, r)
			},
			func(ctx context.Context, name string) (*github.Secret, *github.Response, error) {
				return a.GetRepoSecret(ctx, place.Owner, place.Repository, name)
			},
			func(ctx context.Context, o *github.ListOptions) (*github.Secrets, *github.Response, error) {
				return a.ListRepoSecrets(ctx, place.Owner, place.Repository, o)
			},
			func(ctx context.Context, name string) (*github.Response, error) {
				return a.DeleteRepoSecret(ctx, place.Owner, place.Repository, name)
			},
		}
	}
	return secrets{
		func(ctx context.Context) (*github.PublicKey, *github.Response, error) {
			return a.GetEnvPublicKey(ctx, place.Owner, place.Repository, env)
		},
		func(ctx context.Context, name string, r github.SecretRequest) (*github.Response, error) {
			return a.CreateOrUpdateEnvSecret(ctx, place.Owner, place.Repository, env, name, r)
		},
		func(ctx context.Context, name string) (*github.Secret, *github.Response, error) {
			return a.GetEnvSecret(ctx, place.Owner, place.Repository, env, name)
		},
		func(ctx context.Context, o *github.ListOptions) (*github.Secrets, *github.Response, error) {
			return a.ListEnvSecrets(ctx, place.Owner, place.Repository, env, o)
		},
		func(ctx context.Context, name string) (*github.Response, error) {
			return a.DeleteEnvSecret(ctx, place.Owner, place.Repository, env, name)
		},
	}
}

var places = map[string]githubtest.Place{
	"repository":  {Owner: "acme", Repository: "api"},
	"environment": {Owner: "acme", Repository: "api", Environment: "production/eu west"},
}

func TestOfficialClientWorks(t *testing.T) {
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			s := githubtest.New(t, githubtest.Options{})
			s.Add(place)
			client := official(t, s, s.Issue(githubtest.Token{Login: "ada", Secrets: githubtest.Write, Environments: githubtest.Write}))
			do := secretsOf(client, place)
			key, _, err := do.key(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []int{http.StatusCreated, http.StatusNoContent} {
				r, err := do.put(t.Context(), "token_1", sealed(t, key, fmt.Sprint("value ", want)))
				if err != nil || r.StatusCode != want {
					t.Fatalf("put returned %v, want %d: %v", r, want, err)
				}
			}
			if truth := s.Truth(place); truth["TOKEN_1"] != "value 204" {
				t.Errorf("the server has %q", truth)
			}
			got, _, err := do.get(t.Context(), "Token_1")
			if err != nil || got.Name != "TOKEN_1" || !got.UpdatedAt.Time.Equal(s.Updated(place, "TOKEN_1")) {
				t.Errorf("get returned %+v: %v", got, err)
			}
			if _, err := do.remove(t.Context(), "TOKEN_1"); err != nil || len(s.Truth(place)) != 0 {
				t.Errorf("after delete the server has %v: %v", s.Truth(place), err)
			}
			if r, err := do.remove(t.Context(), "TOKEN_1"); err == nil || r.StatusCode != http.StatusNotFound {
				t.Errorf("deleting a deleted secret returned %v: %v", r, err)
			}
		})
	}
}

func TestOfficialClientReadsAllPages(t *testing.T) {
	s, place := githubtest.New(t, githubtest.Options{}), places["repository"]
	s.Add(place)
	var want []string
	for i := range 95 {
		want = append(want, fmt.Sprintf("NAME_%03d", i))
		s.Plant(place, want[i], "value")
	}
	do := secretsOf(official(t, s, s.Issue(githubtest.Token{Login: "ada", Scope: []string{"repo"}})), place)
	var got []string
	pages := 0
	for page := 1; page != 0; pages++ {
		list, r, err := do.list(t.Context(), &github.ListOptions{PerPage: 40, Page: page})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range list.Secrets {
			got = append(got, one.Name)
		}
		page = r.NextPage
	}
	if pages != 3 || !slices.Equal(got, want) {
		t.Errorf("%d pages have %q", pages, got)
	}
}

func TestOfficialClientReceivesErrors(t *testing.T) {
	place := places["repository"]
	tests := []struct {
		name  string
		token githubtest.Token
		set   func(s *githubtest.Server)
		is    func(r *github.Response, err error) bool
	}{
		{"a secondary limit", githubtest.Token{Login: "ada", Secrets: githubtest.Write}, func(s *githubtest.Server) {
			s.Refuse(&githubtest.Refusal{Status: 403, Message: "You have exceeded a secondary rate limit.", Header: map[string]string{"Retry-After": "30"}})
		}, func(_ *github.Response, err error) bool {
			var abuse *github.AbuseRateLimitError
			return errors.As(err, &abuse) && abuse.GetRetryAfter() == 30*time.Second
		}},
		{"a primary limit", githubtest.Token{Login: "ada", Secrets: githubtest.Write}, func(s *githubtest.Server) {
			s.Refuse(&githubtest.Refusal{Status: 403, Message: "API rate limit exceeded for user ID 1.", Header: map[string]string{"X-Ratelimit-Remaining": "0"}})
		}, func(_ *github.Response, err error) bool {
			var limited *github.RateLimitError
			return errors.As(err, &limited)
		}},
		{"a token that may only read", githubtest.Token{Login: "ada", Secrets: githubtest.Read}, nil, func(r *github.Response, err error) bool {
			return err != nil && r.StatusCode == http.StatusForbidden
		}},
		{"a token for other repositories", githubtest.Token{Login: "ada", Secrets: githubtest.Write, Repositories: []string{"acme/web"}}, nil,
			func(r *github.Response, err error) bool { return err != nil && r.StatusCode == http.StatusNotFound }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := githubtest.New(t, githubtest.Options{})
			s.Add(place)
			key, _, err := secretsOf(official(t, s, s.Issue(githubtest.Token{Login: "root", Scope: []string{"repo"}})), place).key(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if tt.set != nil {
				tt.set(s)
			}
			r, err := secretsOf(official(t, s, s.Issue(tt.token)), place).put(t.Context(), "A", sealed(t, key, "one"))
			if !tt.is(r, err) {
				t.Errorf("put returned %v: %v", r, err)
			}
		})
	}
}

func TestOfficialClientSeesAccounts(t *testing.T) {
	s := githubtest.New(t, githubtest.Options{})
	s.Add(places["environment"])
	user, r, err := official(t, s, s.Issue(githubtest.Token{Login: "ada", Scope: []string{"repo", "read:org"}})).Users.Get(t.Context(), "")
	if err != nil || user.GetLogin() != "ada" || r.Header.Get("X-Oauth-Scopes") != "repo, read:org" {
		t.Errorf("the user is %v: %v", user, err)
	}
	repos, _, err := official(t, s, s.Issue(githubtest.Token{Secrets: githubtest.Write})).Apps.ListRepos(t.Context(), nil)
	if err != nil || repos.GetTotalCount() != 1 {
		t.Errorf("the installation has the repositories %v: %v", repos, err)
	}
}
