package settings_test

import (
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

func TestTheDefaultsAreWithinTheBounds(t *testing.T) {
	if err := settings.CheckConfig(settings.Default()); err != nil {
		t.Error(err)
	}
	for name, r := range map[string]settings.Range{
		"max_versions": settings.MaxVersions, "max_value_bytes": settings.MaxValueBytes, "max_secrets": settings.MaxSecrets,
		"max_environment_bytes": settings.MaxEnvironmentBytes, "max_projects": settings.MaxProjects, "max_environments": settings.MaxEnvironments,
		"keyring_cache_size": settings.KeyringCacheSize, "keyring_cache_ttl": settings.KeyringCacheTTL, "secret_cache_bytes": settings.SecretCacheBytes,
	} {
		for v, legal := range map[int]bool{r.Min - 1: false, r.Min: true, r.Default: true, r.Max: true, r.Max + 1: false} {
			if err := r.Check(name, v); (err == nil) != legal || err != nil && !fault.Is(err, fault.Invalid) {
				t.Errorf("%s %d: %v", name, v, err)
			}
		}
	}
}

func TestUnsetSettingsAreAcceptedOfAWorkspaceOnly(t *testing.T) {
	if err := settings.Check(store.Settings{}); err != nil {
		t.Error(err)
	}
	if err := settings.Check(store.Settings{MaxVersions: -1}); err == nil {
		t.Error("a negative setting is accepted")
	}
	if err := settings.CheckConfig(store.Config{}); err == nil {
		t.Error("an empty configuration is accepted")
	}
}
