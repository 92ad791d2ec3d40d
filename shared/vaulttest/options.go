package vaulttest

import "github.com/hashicorp/vault/api"

// Storage says where a server keeps its data.
type Storage int

const (
	// Dev keeps data in memory, as `vault server -dev` does. It is the fastest, and loses everything when killed.
	Dev Storage = iota
	// Raft keeps data in integrated storage on disk, as one node. It survives Kill and Restart.
	Raft
)

// The plugin and mount of this project, and the version a test build of the plugin carries.
const (
	PluginName    = "vault-plugin-secrets-stashbase"
	PluginPackage = "./vault-plugin"
	MountPath     = "stashbase"
	testVersion   = "v0.1.0-test"
)

// Options describe a server. The zero value is an in-memory server with the project's plugin mounted at stashbase/.
type Options struct {
	Storage Storage

	// PluginName, PluginPackage and MountPath replace the constants of the same names. PluginPackage is relative to the root of
	// the checkout.
	PluginName    string
	PluginPackage string
	MountPath     string

	// PluginBinary is used as it is instead of a build; PluginVersion is what it answers as its running version. An empty version
	// registers the plugin without one, as `vault plugin register` does by default.
	PluginBinary  string
	PluginVersion string

	// PlainHTTP starts a server without TLS. By default a server has a certificate of an authority of its own: see
	// Server.CACertFile.
	PlainHTTP bool

	// NoPlugin starts a server with nothing registered and nothing mounted.
	NoPlugin bool

	// MountOptions and MountConfig go into the mount request as they are: options and config of `vault secrets enable`.
	MountOptions map[string]string
	MountConfig  api.MountConfigInput

	// Env is added to the environment of Vault, and so of the plugin, as KEY=value. They inherit nothing else from the test but
	// what names the temporary folder, so that no credential of the machine can reach a provider.
	Env []string

	// LogLevel is Vault's; trace when empty.
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
