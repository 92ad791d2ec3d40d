package backend

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

const (
	fieldMaxVersions         = "max_versions"
	fieldCASRequired         = "cas_required"
	fieldMaxValueBytes       = "max_value_bytes"
	fieldMaxSecrets          = "max_secrets"
	fieldMaxEnvironmentBytes = "max_environment_bytes"
	fieldDeleteVersionAfter  = "delete_version_after"
	fieldMaxProjects         = "max_projects"
	fieldMaxEnvironments     = "max_environments"
	fieldMaxSyncs            = "max_syncs"
	fieldKeyringCacheSize    = "keyring_cache_size"
	fieldKeyringCacheTTL     = "keyring_cache_ttl"
	fieldSecretCacheBytes    = "secret_cache_bytes"
	fieldEgressAllow         = "egress_allow"
	fieldProxyURL            = "proxy_url"
	fieldPaused              = "paused"
)

// settingsFields are the fields that config sets for all workspaces and a workspace may set for itself.
func settingsFields() fields {
	return fields{
		fieldDeleteVersionAfter:  durationField("How long after it was written a version is deleted, up to 3650 days; 0 is never. Answered in seconds."),
		fieldMaxVersions:         intField("How many versions of a secret are kept, 1 to 100."),
		fieldCASRequired:         boolField("Whether every write of a secret must carry `cas`."),
		fieldMaxValueBytes:       intField("The largest value of a secret in bytes, 1 to 393216 (384 KiB)."),
		fieldMaxSecrets:          intField("The most secrets in one environment, 1 to 100000."),
		fieldMaxEnvironmentBytes: intField("The most bytes of names and newest values in one environment, 1 to 25165824 (24 MiB)."),
	}
}

func configFields() fields {
	all := settingsFields()
	all[fieldMaxProjects] = intField("The most projects in one workspace, 1 to 10000.")
	all[fieldMaxEnvironments] = intField("The most environments in one workspace, over all its projects, 1 to 10000.")
	all[fieldMaxSyncs] = intField("The most syncs in one workspace, over all its environments, 1 to 10000.")
	all[fieldKeyringCacheSize] = intField("How many workspaces' keys are kept unwrapped in memory, 1 to 100000.")
	all[fieldKeyringCacheTTL] = durationField("How long a workspace's keys stay unwrapped in memory, 1s to 24h. Answered in seconds.")
	all[fieldSecretCacheBytes] = intField("How many bytes of sealed secrets are kept in memory, 0 to 4294967296.")
	all[fieldEgressAllow] = wordsField("Special-purpose addresses that providers may have, as rules [workspace=]CIDR[:port][+http]: private networks, loopback. +http allows plain http, of loopback only. Empty: public addresses alone.")
	all[fieldProxyURL] = stringField("URL of an HTTP proxy that everything to providers goes through; empty for none. Nothing is taken from Vault's environment.")
	all[fieldPaused] = boolField("Whether nothing goes out to providers, of any workspace.")
	return all
}

func (b *Backend) configPaths() []*framework.Path {
	answers := response("The configuration in force.", configFields())
	return []*framework.Path{{
		Pattern:         "config",
		DisplayAttrs:    display(),
		Fields:          configFields(),
		ExistenceCheck:  b.exists(func(*call) bool { return true }), // there is always one in force
		HelpSynopsis:    "Read or change the defaults and bounds of the mount.",
		HelpDescription: configHelp,
		Operations: operations{
			logical.ReadOperation:   operation(b.handle(readConfig), "Read the configuration in force.", "read", "configuration", answers),
			logical.UpdateOperation: changing(operation(b.handle(writeConfig), "Change the fields given, keep the others.", "configure", "", answers)),
			logical.PatchOperation:  changing(operation(b.handle(writeConfig), "Change the fields given; null resets one to its default.", "patch", "configuration", answers)),
		},
	}}
}

func readConfig(_ context.Context, c *call) (*logical.Response, error) {
	return answer(describeConfig(c.Settings.Config()))
}

func writeConfig(ctx context.Context, c *call) (*logical.Response, error) {
	next, err := c.Settings.Change(ctx, c.request(), func(config *store.Config) {
		reset := settings.Default()
		assignSettings(c, &config.Settings, reset.Settings)
		assign(c, fieldMaxProjects, &config.MaxProjects, reset.MaxProjects)
		assign(c, fieldMaxEnvironments, &config.MaxEnvironments, reset.MaxEnvironments)
		assign(c, fieldMaxSyncs, &config.MaxSyncs, reset.MaxSyncs)
		assign(c, fieldKeyringCacheSize, &config.KeyringCacheSize, reset.KeyringCacheSize)
		assignSeconds(c, fieldKeyringCacheTTL, &config.KeyringCacheTTL, reset.KeyringCacheTTL)
		assign(c, fieldSecretCacheBytes, &config.SecretCacheBytes, reset.SecretCacheBytes)
		assign(c, fieldEgressAllow, &config.EgressAllow, nil)
		assign(c, fieldProxyURL, &config.ProxyURL, "")
		assign(c, fieldPaused, &config.Paused, false)
	})
	if err != nil {
		return nil, err
	}
	return answer(describeConfig(next))
}

func assignSettings(c *call, to *store.Settings, reset store.Settings) {
	assignSeconds(c, fieldDeleteVersionAfter, &to.DeleteVersionAfter, reset.DeleteVersionAfter)
	assign(c, fieldMaxVersions, &to.MaxVersions, reset.MaxVersions)
	assign(c, fieldCASRequired, &to.CASRequired, reset.CASRequired)
	assign(c, fieldMaxValueBytes, &to.MaxValueBytes, reset.MaxValueBytes)
	assign(c, fieldMaxSecrets, &to.MaxSecrets, reset.MaxSecrets)
	assign(c, fieldMaxEnvironmentBytes, &to.MaxEnvironmentBytes, reset.MaxEnvironmentBytes)
}

func describeConfig(config store.Config) map[string]any {
	all := describeSettings(config.Settings)
	all[fieldMaxProjects] = config.MaxProjects
	all[fieldMaxEnvironments] = config.MaxEnvironments
	all[fieldMaxSyncs] = config.MaxSyncs
	all[fieldKeyringCacheSize] = config.KeyringCacheSize
	all[fieldKeyringCacheTTL] = int(config.KeyringCacheTTL / time.Second)
	all[fieldSecretCacheBytes] = config.SecretCacheBytes
	all[fieldEgressAllow] = append([]string{}, config.EgressAllow...)
	all[fieldProxyURL] = config.ProxyURL
	all[fieldPaused] = config.Paused
	return all
}

func describeSettings(s store.Settings) map[string]any {
	return map[string]any{
		fieldDeleteVersionAfter:  int(s.DeleteVersionAfter / time.Second),
		fieldMaxVersions:         s.MaxVersions,
		fieldCASRequired:         s.CASRequired,
		fieldMaxValueBytes:       s.MaxValueBytes,
		fieldMaxSecrets:          s.MaxSecrets,
		fieldMaxEnvironmentBytes: s.MaxEnvironmentBytes,
	}
}

const configHelp = `
The fields of the first half are defaults for every workspace: a workspace may set its own within the same bounds. max_projects
and max_environments hold for each workspace. The caches hold nothing readable for long: keyrings are wiped after
keyring_cache_ttl, secrets are cached sealed.

egress_allow, proxy_url and paused rule what goes out to providers. Without a rule only public addresses are reached, however a name
resolves; a rule of a wide range does not cover link-local and metadata addresses, which need one of their own.

A write changes the fields it carries and keeps the others; in a patch, null resets a field to its default.

    $ vault read stashbase/config
    $ vault write stashbase/config max_versions=20 cas_required=true
    $ vault write stashbase/config egress_allow=10.1.0.0/16:443,acme=192.168.7.5/32:8200
`
