package vaulttest

import "github.com/hashicorp/vault/api"

// Storage is where a server stores its data.
type Storage int

const (
	// Dev stores data in memory, as `vault server -dev` does. It is the fastest, and loses
	// everything when Vault is killed.
	Dev Storage = iota
	// Raft stores data in integrated storage on disk, as a single node. The data survives Kill and
	// Restart.
	Raft
)

// The plugin and the mount of this project, and the version of a plugin that is built for tests.
const (
	PluginName    = "vault-plugin-secrets-stashbase"
	PluginPackage = "./vault-plugin"
	MountPath     = "stashbase"
	testVersion   = "v0.1.0-test"
)

// Options describe a server. The zero value is an in-memory server with the project's plugin
// mounted at stashbase/.
type Options struct {
	Storage Storage

	// PluginName, PluginPackage and MountPath replace the constants of the same names.
	// PluginPackage is relative to the root of the checkout.
	PluginName    string
	PluginPackage string
	MountPath     string

	// PluginBinary is the path of a plugin that is used instead of a build. PluginVersion is the
	// version that this plugin reports as its running version. With an empty version the plugin is
	// registered without one, as `vault plugin register` does by default.
	PluginBinary  string
	PluginVersion string

	// PlainHTTP starts a server without TLS.
	PlainHTTP bool

	// NoPlugin starts a server without a registered or mounted plugin.
	NoPlugin bool

	// MountOptions and MountConfig are the options and the config of `vault secrets enable`.
	MountOptions map[string]string
	MountConfig  api.MountConfigInput

	// Env is added to the environment of Vault, and so of the plugin, as KEY=value. Vault inherits
	// no other variable of the test, so that no credential of the machine reaches a provider.
	Env []string

	// LogLevel is Vault's log level; empty means trace.
	LogLevel string

	// Config is appended to Vault's configuration file (HCL).
	Config string
}

func (o Options) withDefaults() Options {
	o.PluginName = or(o.PluginName, PluginName)
	o.PluginPackage = or(o.PluginPackage, PluginPackage)
	o.MountPath = or(o.MountPath, MountPath)
	o.LogLevel = or(o.LogLevel, "trace")
	return o
}

func or(value, otherwise string) string {
	if value != "" {
		return value
	}
	return otherwise
}
