package syncs_test

import (
	"maps"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/provider/github/githubtest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

const (
	hub      = "syncs/acme/api/production/github-actions/main"
	account  = "integrations/acme/github/main"
	atGitHub = "secrets/acme/api/production/"
)

var production = githubtest.Place{Owner: "Acme", Repository: "Api", Environment: "Production"}

// hubbed is a mount with a GitHub by the same clock, and a sync of acme/api/production to an environment there.
func hubbed(t *testing.T, may githubtest.Token) (*enginetest.Mount, *githubtest.Server) {
	t.Helper()
	m := enginetest.New(t)
	server := githubtest.New(t, githubtest.Options{Now: m.Clock.Now})
	server.Add(production)
	m.Write("config", enginetest.Data{"egress_allow": "127.0.0.0/8"})
	m.Write("workspaces/acme", nil)
	m.Write("projects/acme/api", nil)
	m.Write("environments/acme/api/production", nil)
	m.Write(account, enginetest.Data{
		"token": server.Issue(may), "base_url": server.URL, "ca_pem": server.CAPEM,
		"allowed_environments": "api/production", "allowed_targets": "acme/api/environments/*",
	})
	m.Write(hub, enginetest.Data{"integration": "main", "owner": "acme", "repository": "api", "github_environment": "production"})
	return m, server
}

// untilGitHubHas turns the clock second by second, for GitHub takes one write in each.
func untilGitHubHas(t *testing.T, m *enginetest.Mount, server *githubtest.Server, want map[string]string) enginetest.Data {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		m.Clock.Advance(max(syncs.Window, time.Second))
		m.Clock.Fired()
		status := m.Read(hub + "/status")
		if maps.Equal(server.Truth(production), want) && status["state"] == "SYNCED" {
			return status
		}
	}
	t.Fatalf("GitHub has %d secrets, and the sync is %v", len(server.Truth(production)), m.Read(hub+"/status"))
	return nil
}

func TestSyncsToGitHubConverge(t *testing.T) {
	m, server := hubbed(t, githubtest.Token{Login: "ada", Environments: githubtest.Write})
	server.Plant(production, "FOREIGN", "theirs")
	m.Write(atGitHub+"DATABASE_URL", enginetest.Data{"value": "one"})
	m.Write(atGitHub+"log_level", enginetest.Data{"value": "debug"})
	untilGitHubHas(t, m, server, map[string]string{"FOREIGN": "theirs", "DATABASE_URL": "one", "LOG_LEVEL": "debug"})

	asked := len(server.Asked())
	m.Write(atGitHub+"DATABASE_URL", enginetest.Data{"value": "two"})
	m.Delete(atGitHub+"log_level", nil)
	untilGitHubHas(t, m, server, map[string]string{"FOREIGN": "theirs", "DATABASE_URL": "two"})
	if more := len(server.Asked()) - asked; more > 10 {
		t.Errorf("%d requests for one write and one deletion", more)
	}
	if server.Over() != 0 {
		t.Errorf("%d writes were over GitHub's limits", server.Over())
	}
}

func TestVerifyOfGitHubTellsTheAccount(t *testing.T) {
	m, _ := hubbed(t, githubtest.Token{Login: "ada", Scope: []string{"repo"}})
	if who := m.Write(account+"/verify", nil); who["account"] != "ada" {
		t.Errorf("it is %v", who)
	}
}

func TestSyncsToGitHubRefuseWhatItWouldNotTake(t *testing.T) {
	m, server := hubbed(t, githubtest.Token{Login: "ada", Environments: githubtest.Write})
	m.Write(atGitHub+"token", enginetest.Data{"value": "one"})
	m.Write(atGitHub+"TOKEN", enginetest.Data{"value": "two"})
	m.Write(atGitHub+"GOOD", enginetest.Data{"value": "three"})
	m.Clock.Advance(max(syncs.Window, time.Second))
	m.Settle()
	if status := m.Read(hub + "/status"); status["state"] == "SYNCED" || status["error_class"] == "" {
		t.Errorf("two names that are one for GitHub: %v", status)
	}
	if truth := server.Truth(production); len(truth) != 0 {
		t.Errorf("GitHub has %d secrets", len(truth))
	}
}

func TestSyncsToGitHubSayWhatTheTokenLacks(t *testing.T) {
	m, server := hubbed(t, githubtest.Token{Login: "ada", Secrets: githubtest.Write})
	m.Write(atGitHub+"A", enginetest.Data{"value": "one"})
	m.Clock.Advance(max(syncs.Window, time.Second))
	m.Settle()
	if status := m.Read(hub + "/status"); status["error_class"] != "permission" {
		t.Errorf("without the permission: %v", status)
	}
	if len(server.Truth(production)) != 0 {
		t.Error("GitHub has secrets")
	}
}
