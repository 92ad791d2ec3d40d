package backend_test

import (
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

func TestConfigHasDefaultsKeepsWhatAWriteLeavesOutAndResetsByNull(t *testing.T) {
	m := enginetest.New(t)
	defaults := data{
		"max_versions": 10, "cas_required": false, "max_value_bytes": 64 << 10, "max_secrets": 5000,
		"max_environment_bytes": 4 << 20, "max_projects": 1000, "max_environments": 1000,
		"keyring_cache_size": 1000, "keyring_cache_ttl": 300, "secret_cache_bytes": 64 << 20,
	}
	has(t, m.Read("config"), defaults)

	m.Write("config", data{"max_versions": 3, "cas_required": true, "keyring_cache_ttl": "2h"})
	changed := data{"max_versions": 3, "cas_required": true, "keyring_cache_ttl": 7200, "max_secrets": 5000}
	has(t, m.Write("config", data{"max_projects": "7"}), changed)
	has(t, m.Read("config"), data{"max_projects": 7})

	m = m.Restart()
	has(t, m.Read("config"), changed)
	has(t, m.Patch("config", data{"max_versions": nil, "cas_required": nil, "keyring_cache_ttl": nil, "max_projects": nil}), defaults)
	has(t, m.Read("config"), defaults)
}

func TestConfigAndWorkspacesRejectValuesOutOfBounds(t *testing.T) {
	m := populated(t)
	bounds := []struct {
		field     string
		min, max  int
		workspace bool // a workspace can set it for itself
	}{
		{"max_versions", 1, 100, true},
		{"max_value_bytes", 1, 384 << 10, true},
		{"max_secrets", 1, 100_000, true},
		{"max_environment_bytes", 1, 24 << 20, true},
		{"max_projects", 1, 10_000, false},
		{"max_environments", 1, 10_000, false},
		{"keyring_cache_size", 1, 100_000, false},
		{"keyring_cache_ttl", 1, 86_400, false},
		{"secret_cache_bytes", 0, 4 << 30, false},
	}
	for _, b := range bounds {
		paths := []string{"config"}
		if b.workspace {
			paths = append(paths, "workspaces/acme")
		}
		for _, path := range paths {
			t.Run(path+" "+b.field, func(t *testing.T) {
				for _, legal := range []int{b.min, b.max} {
					has(t, m.Write(path, data{b.field: legal}), data{b.field: legal})
				}
				before := m.Storage.Clone()
				for _, wrong := range []int{b.min - 1, b.max + 1} {
					if wrong == 0 && path != "config" {
						continue // not set
					}
					expect(t, m.Refuse(logical.UpdateOperation, path, data{b.field: wrong}), 400, "invalid", b.field+":")
				}
				if changed := before.Diff(m.Storage); changed != nil {
					t.Errorf("a refused write has changed %v", changed)
				}
			})
		}
	}
}

func TestAWorkspacesSettingsOverrideTheEngines(t *testing.T) {
	m := populated(t)
	m.Write("config", data{"max_versions": 5, "max_value_bytes": 1000})
	has(t, object(t, m.Read("workspaces/acme"), "effective"), data{"max_versions": 5, "max_value_bytes": 1000, "cas_required": false})

	has(t, object(t, m.Write("workspaces/acme", data{"max_versions": 2}), "effective"), data{"max_versions": 2, "max_value_bytes": 1000})
	has(t, m.Read("workspaces/acme"), data{"max_versions": 2, "max_value_bytes": 0})

	m.Write("config", data{"cas_required": true})
	has(t, object(t, m.Read("workspaces/acme"), "effective"), data{"cas_required": true})
	expect(t, m.Refuse(logical.UpdateOperation, secret, data{"value": planted()}), 400, "invalid", "cas:")
	m.Write("config", data{"cas_required": false})
	m.Write("workspaces/acme", data{"cas_required": true})
	expect(t, m.Refuse(logical.UpdateOperation, secret, data{"value": planted()}), 400, "invalid", "cas:", "acme")

	has(t, object(t, m.Patch("workspaces/acme", data{"max_versions": nil, "cas_required": nil}), "effective"), data{"max_versions": 5, "cas_required": false})
	m.Write(secret, data{"value": planted()})
}

func TestInfoReturnsVersionCountsAndHealth(t *testing.T) {
	m := populated(t)
	m.Write(secret, data{"value": planted()})
	m.Write("environments/acme/api/staging", nil)
	m.Write("projects/acme/web", nil)
	want := data{
		"version": "v0.0.0-test", "schema_version": 2, "workspaces": 1, "projects": 2, "environments": 2, "secrets": 1,
		"healthy": true, "health": []string{},
	}
	has(t, m.Read("info"), want)
	has(t, m.Restart().Read("info"), want)
}

func TestConfigLimitsProjectsAndEnvironmentsOfEachWorkspace(t *testing.T) {
	m := populated(t)
	m.Write("config", data{"max_projects": 2, "max_environments": 2})
	m.Write("projects/acme/web", nil)
	expect(t, m.Refuse(logical.UpdateOperation, "projects/acme/third", nil), 400, "limit", "acme", "2 projects", "max_projects")
	m.Write("projects/acme/web", data{"description": "an existing one can still be changed"})
	m.Write("environments/acme/web/production", nil)
	expect(t, m.Refuse(logical.UpdateOperation, "environments/acme/web/staging", nil), 400, "limit", "acme", "2 environments", "max_environments")
	m.Write("environments/acme/web/production", data{"description": "an existing one can still be changed"})
	m.Populate("other", "api", "development") // the limits apply to each workspace separately
	m.Delete("projects/acme/web", data{"confirm": "web"})
	m.Write("projects/acme/third", nil)
}
