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

// newGitHubSync returns a mount and a GitHub server with the same clock. The mount has a sync of
// acme/api/production to an environment of that server.
func newGitHubSync(t *testing.T, may githubtest.Token) (*enginetest.Mount, *githubtest.Server) {
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

// untilGitHubHas waits until GitHub has exactly the wanted secrets and the sync is SYNCED. It
// advances the clock by a second at a time, because GitHub accepts one write per second.
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
	t.Fatalf("GitHub has %d secrets; sync status: %v", len(server.Truth(production)), m.Read(hub+"/status"))
	return nil
}

func TestSyncsToGitHubConverge(t *testing.T) {
	m, server := newGitHubSync(t, githubtest.Token{Login: "ada", Environments: githubtest.Write})
	server.Plant(production, "FOREIGN", "theirs")
	m.Write(atGitHub+"DATABASE_URL", enginetest.Data{"value": "one"})
	m.Write(atGitHub+"log_level", enginetest.Data{"value": "debug"})
	untilGitHubHas(t, m, server, map[string]string{"FOREIGN": "theirs", "DATABASE_URL": "one", "LOG_LEVEL": "debug"})

	before := len(server.Asked())
	m.Write(atGitHub+"DATABASE_URL", enginetest.Data{"value": "two"})
	m.Delete(atGitHub+"log_level", nil)
	untilGitHubHas(t, m, server, map[string]string{"FOREIGN": "theirs", "DATABASE_URL": "two"})
	if more := len(server.Asked()) - before; more > 10 {
		t.Errorf("%d requests for one write and one deletion, want at most 10", more)
	}
	if server.Over() != 0 {
		t.Errorf("%d writes exceeded GitHub's limits", server.Over())
	}
}

func TestVerifyOfGitHubReturnsTheAccount(t *testing.T) {
	m, _ := newGitHubSync(t, githubtest.Token{Login: "ada", Scope: []string{"repo"}})
	if who := m.Write(account+"/verify", nil); who["account"] != "ada" {
		t.Errorf("account = %v, want ada", who["account"])
	}
}

func TestSyncsToGitHubRejectNamesThatGitHubFolds(t *testing.T) {
	m, server := newGitHubSync(t, githubtest.Token{Login: "ada", Environments: githubtest.Write})
	m.Write(atGitHub+"token", enginetest.Data{"value": "one"})
	m.Write(atGitHub+"TOKEN", enginetest.Data{"value": "two"})
	m.Write(atGitHub+"GOOD", enginetest.Data{"value": "three"})
	m.Clock.Advance(max(syncs.Window, time.Second))
	m.Settle()
	if status := m.Read(hub + "/status"); status["state"] == "SYNCED" || status["error_class"] == "" {
		t.Errorf("two names that GitHub folds to one: status %v", status)
	}
	if truth := server.Truth(production); len(truth) != 0 {
		t.Errorf("GitHub has %d secrets, want none", len(truth))
	}
}

func TestSyncsToGitHubReportAMissingPermission(t *testing.T) {
	m, server := newGitHubSync(t, githubtest.Token{Login: "ada", Secrets: githubtest.Write})
	m.Write(atGitHub+"A", enginetest.Data{"value": "one"})
	m.Clock.Advance(max(syncs.Window, time.Second))
	m.Settle()
	if status := m.Read(hub + "/status"); status["error_class"] != "permission" {
		t.Errorf("error_class = %v, want permission", status["error_class"])
	}
	if len(server.Truth(production)) != 0 {
		t.Error("GitHub has secrets, want none")
	}
}
