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

// official is GitHub's own client for Go, with a token.
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

// secrets are the calls of GitHub's client for the secrets of one scope.
type secrets struct {
	key    func(ctx context.Context) (*github.PublicKey, *github.Response, error)
	put    func(ctx context.Context, name string, r github.SecretRequest) (*github.Response, error)
	get    func(ctx context.Context, name string) (*github.Secret, *github.Response, error)
	list   func(ctx context.Context, o *github.ListOptions) (*github.Secrets, *github.Response, error)
	remove func(ctx context.Context, name string) (*github.Response, error)
}

func secretsOf(c *github.Client, at githubtest.Place) secrets {
	a, env := c.Actions, url.PathEscape(at.Environment)
	if env == "" {
		return secrets{
			func(ctx context.Context) (*github.PublicKey, *github.Response, error) {
				return a.GetRepoPublicKey(ctx, at.Owner, at.Repository)
			},
			func(ctx context.Context, name string, r github.SecretRequest) (*github.Response, error) {
				return a.CreateOrUpdateRepoSecret(ctx, at.Owner, at.Repository, name, r)
			},
			func(ctx context.Context, name string) (*github.Secret, *github.Response, error) {
				return a.GetRepoSecret(ctx, at.Owner, at.Repository, name)
			},
			func(ctx context.Context, o *github.ListOptions) (*github.Secrets, *github.Response, error) {
				return a.ListRepoSecrets(ctx, at.Owner, at.Repository, o)
			},
			func(ctx context.Context, name string) (*github.Response, error) {
				return a.DeleteRepoSecret(ctx, at.Owner, at.Repository, name)
			},
		}
	}
	return secrets{
		func(ctx context.Context) (*github.PublicKey, *github.Response, error) {
			return a.GetEnvPublicKey(ctx, at.Owner, at.Repository, env)
		},
		func(ctx context.Context, name string, r github.SecretRequest) (*github.Response, error) {
			return a.CreateOrUpdateEnvSecret(ctx, at.Owner, at.Repository, env, name, r)
		},
		func(ctx context.Context, name string) (*github.Secret, *github.Response, error) {
			return a.GetEnvSecret(ctx, at.Owner, at.Repository, env, name)
		},
		func(ctx context.Context, o *github.ListOptions) (*github.Secrets, *github.Response, error) {
			return a.ListEnvSecrets(ctx, at.Owner, at.Repository, env, o)
		},
		func(ctx context.Context, name string) (*github.Response, error) {
			return a.DeleteEnvSecret(ctx, at.Owner, at.Repository, env, name)
		},
	}
}

var places = map[string]githubtest.Place{
	"repository":  {Owner: "acme", Repository: "api"},
	"environment": {Owner: "acme", Repository: "api", Environment: "production/eu west"},
}

func TestOfficialClientWorks(t *testing.T) {
	for name, at := range places {
		t.Run(name, func(t *testing.T) {
			s := githubtest.New(t, githubtest.Options{})
			s.Add(at)
			client := official(t, s, s.Issue(githubtest.Token{Login: "ada", Secrets: githubtest.Write, Environments: githubtest.Write}))
			do := secretsOf(client, at)
			key, _, err := do.key(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []int{http.StatusCreated, http.StatusNoContent} {
				r, err := do.put(t.Context(), "token_1", sealed(t, key, fmt.Sprint("value ", want)))
				if err != nil || r.StatusCode != want {
					t.Fatalf("put answers %v, want %d: %v", r, want, err)
				}
			}
			if truth := s.Truth(at); truth["TOKEN_1"] != "value 204" {
				t.Errorf("the server holds %q", truth)
			}
			got, _, err := do.get(t.Context(), "Token_1")
			if err != nil || got.Name != "TOKEN_1" || !got.UpdatedAt.Time.Equal(s.Updated(at, "TOKEN_1")) {
				t.Errorf("get answers %+v: %v", got, err)
			}
			if _, err := do.remove(t.Context(), "TOKEN_1"); err != nil || len(s.Truth(at)) != 0 {
				t.Errorf("delete leaves %v: %v", s.Truth(at), err)
			}
			if r, err := do.remove(t.Context(), "TOKEN_1"); err == nil || r.StatusCode != http.StatusNotFound {
				t.Errorf("deleting what is gone answers %v: %v", r, err)
			}
		})
	}
}

func TestOfficialClientTurnsPages(t *testing.T) {
	s, at := githubtest.New(t, githubtest.Options{}), places["repository"]
	s.Add(at)
	var want []string
	for i := range 95 {
		want = append(want, fmt.Sprintf("NAME_%03d", i))
		s.Plant(at, want[i], "value")
	}
	do := secretsOf(official(t, s, s.Issue(githubtest.Token{Login: "ada", Scope: []string{"repo"}})), at)
	var got []string
	pages := 0
	for page := 1; page != 0; pages++ {
		answer, r, err := do.list(t.Context(), &github.ListOptions{PerPage: 40, Page: page})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range answer.Secrets {
			got = append(got, one.Name)
		}
		page = r.NextPage
	}
	if pages != 3 || !slices.Equal(got, want) {
		t.Errorf("%d pages hold %q", pages, got)
	}
}

func TestOfficialClientSeesRefusals(t *testing.T) {
	at := places["repository"]
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
		{"a token of other repositories", githubtest.Token{Login: "ada", Secrets: githubtest.Write, Repositories: []string{"acme/web"}}, nil,
			func(r *github.Response, err error) bool { return err != nil && r.StatusCode == http.StatusNotFound }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := githubtest.New(t, githubtest.Options{})
			s.Add(at)
			key, _, err := secretsOf(official(t, s, s.Issue(githubtest.Token{Login: "root", Scope: []string{"repo"}})), at).key(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if tt.set != nil {
				tt.set(s)
			}
			r, err := secretsOf(official(t, s, s.Issue(tt.token)), at).put(t.Context(), "A", sealed(t, key, "one"))
			if !tt.is(r, err) {
				t.Errorf("put answers %v: %v", r, err)
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
		t.Errorf("the installation reaches %v: %v", repos, err)
	}
}
