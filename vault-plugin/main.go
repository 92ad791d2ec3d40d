// Vault-plugin-secrets-stashbase is the Stashbase secrets engine. Vault starts it; it serves every mount of the plugin in one
// process.
package main

import (
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/plugin"

	"github.com/stashbase/vault-stashbase/shared/catalog"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/backend"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/clock"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/engine"
)

// version is set by the linker, and equal to the -version the plugin is registered with.
var version = "v0.0.0-dev"

func main() {
	if err := serve(os.Args[1:]); err != nil {
		hclog.New(&hclog.LoggerOptions{}).Error("the plugin could not be served", "error", err)
		os.Exit(1)
	}
}

func serve(args []string) error {
	meta := &api.PluginAPIClientMeta{}
	if err := meta.FlagSet().Parse(args); err != nil {
		return err
	}
	providers, err := catalog.All()
	if err != nil {
		return err
	}
	return plugin.ServeMultiplex(&plugin.ServeOpts{
		BackendFactoryFunc: backend.Factory(engine.Options{Version: version, Clock: clock.System{}, Providers: providers}),
		TLSProviderFunc:    api.VaultPluginTLSProvider(meta.GetTLSConfig()),
	})
}
