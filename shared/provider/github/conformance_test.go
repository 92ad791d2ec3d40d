package github_test

import (
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/github"
	"github.com/stashbase/vault-stashbase/shared/provider/github/githubtest"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest"
)

var (
	inRepository  = githubtest.Place{Owner: "Acme", Repository: "Api"}
	inEnvironment = githubtest.Place{Owner: "Acme", Repository: "Api", Environment: "Production/eu west"}
)

func TestConformance(t *testing.T) {
	for name, at := range map[string]githubtest.Place{"repository": inRepository, "environment": inEnvironment} {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, func(t testing.TB) providertest.Party { return party(t, at) })
		})
	}
}

func party(t testing.TB, at githubtest.Place) providertest.Party {
	s := githubtest.New(t, githubtest.Options{})
	s.Add(at)
	other := s.Issue(githubtest.Token{Login: "eve", Secrets: githubtest.Write, Environments: githubtest.Write})
	s.Revoke(other)
	elsewhere := []provider.Values{place(githubtest.Place{Owner: "acme", Repository: "nowhere"})}
	elsewhere = append(elsewhere, place(githubtest.Place{Owner: "acme", Repository: "api", Environment: "nowhere"}))
	return providertest.Party{
		Provider: github.New(), Destination: "github-actions",
		Settings:   provider.Values{"base_url": s.URL, "ca_pem": s.CAPEM},
		Credential: map[string]string{"token": s.Issue(githubtest.Token{Login: "ada", Secrets: githubtest.Write, Environments: githubtest.Write})},
		Refused:    map[string]string{"token": other},
		Place:      place(at), Elsewhere: elsewhere, Address: "base_url",
		Plant:  func(name, value string) { s.Plant(at, name, value) },
		Remove: func(name string) { s.Remove(at, name) },
		Truth:  func() map[string]string { return s.Truth(at) },
		Objects: func() []string {
			folder := strings.ToLower(at.Owner + "/" + at.Repository)
			if at.Environment != "" {
				folder += "/environments/" + strings.ToLower(at.Environment)
			}
			var paths []string
			for name := range s.Truth(at) {
				paths = append(paths, folder+"/"+name)
			}
			return paths
		},
	}
}

func place(at githubtest.Place) provider.Values {
	return provider.Values{"owner": at.Owner, "repository": at.Repository, "github_environment": at.Environment}
}
