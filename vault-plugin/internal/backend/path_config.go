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

// settingsFields returns the fields that config sets for all workspaces and that a workspace can
// set for itself.
func settingsFields() fields {
	return fields{
		fieldDeleteVersionAfter:  durationField("Age at which a version is deleted, at most 3650 days; 0 means never. Returned in seconds."),
		fieldMaxVersions:         intField("Number of versions of a secret to keep, 1 to 100."),
		fieldCASRequired:         boolField("Whether every write of a secret must include `cas`."),
		fieldMaxValueBytes:       intField("Maximum size of a secret's value in bytes, 1 to 393216 (384 KiB)."),
		fieldMaxSecrets:          intField("Maximum number of secrets in one environment, 1 to 100000."),
		fieldMaxEnvironmentBytes: intField("Maximum total size in one environment of the names, newest values, tags, comments and custom metadata, in bytes, 1 to 25165824 (24 MiB)."),
	}
}

func configFields() fields {
	all := settingsFields()
	all[fieldMaxProjects] = intField("Maximum number of projects in one workspace, 1 to 10000.")
	all[fieldMaxEnvironments] = intField("Maximum number of environments in one workspace, in all its projects, 1 to 10000.")
	all[fieldMaxSyncs] = intField("Maximum number of syncs in one workspace, in all its environments, 1 to 10000.")
	all[fieldKeyringCacheSize] = intField("Number of workspaces whose keys are kept unwrapped in memory, 1 to 100000.")
	all[fieldKeyringCacheTTL] = durationField("How long a workspace's keys stay unwrapped in memory, 1s to 24h. Returned in seconds.")
	all[fieldSecretCacheBytes] = intField("Maximum size of the cache of sealed secrets in memory, in bytes, 0 to 4294967296.")
	all[fieldEgressAllow] = wordsField("Special-purpose addresses that providers may have, such as private networks and loopback. Each rule has the form [workspace=]CIDR[:port][+http]; +http allows plain http and is valid only for loopback. Empty allows only public addresses.")
	all[fieldProxyURL] = stringField("URL of the HTTP proxy for all requests to providers; empty for none. Proxy variables in Vault's environment are ignored. Example: http://proxy.example.com:3128")
	all[fieldPaused] = boolField("Whether requests to providers are stopped for all workspaces.")
	return all
}

func (b *Backend) configPaths() []*framework.Path {
	returned := response("The current configuration.", configFields())
	return []*framework.Path{{
		Pattern:         "config",
		DisplayAttrs:    display(),
		Fields:          configFields(),
		ExistenceCheck:  b.exists(func(*call) bool { return true }), // a config always exists
		HelpSynopsis:    "Read or change the defaults and limits of the mount.",
		HelpDescription: configHelp,
		Operations: operations{
			logical.ReadOperation:   operation(b.handle(readConfig), "Read the current configuration.", "read", "configuration", returned),
			logical.UpdateOperation: changing(operation(b.handle(writeConfig), "Change the given fields and keep the others.", "configure", "", returned)),
			logical.PatchOperation:  changing(operation(b.handle(writeConfig), "Change the given fields; null resets a field to its default.", "patch", "configuration", returned)),
		},
	}}
}

func readConfig(_ context.Context, c *call) (*logical.Response, error) {
	return respond(describeConfig(c.Settings.Config()))
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
	return respond(describeConfig(next))
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
cas_required, delete_version_after, max_versions, max_value_bytes, max_secrets and
max_environment_bytes are defaults. A workspace can set its own values within the same limits. A
lower max_versions removes no version: a secret keeps the versions that it has, and each later write
removes the oldest one.

max_projects, max_environments and max_syncs apply to each workspace. Unwrapped keys are wiped from
memory after keyring_cache_ttl, and the cache of secrets holds only sealed secrets.

egress_allow, proxy_url and paused control the requests to providers. Without a rule, only public
addresses can be reached, whatever a host name resolves to. A rule for a wide range does not include
link-local and metadata addresses. Each of them needs its own rule.

A write changes the given fields and keeps the others. In a patch, null resets a field to its
default.

    $ vault read stashbase/config
    $ vault write stashbase/config max_versions=20 cas_required=true
    $ vault write stashbase/config egress_allow=10.1.0.0/16:443,acme=192.168.7.5/32:8200
`
