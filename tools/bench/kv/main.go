// Kv serves the code of Vault's own KV version 2 as an external plugin. The comparison with the
// engine is then fair, because both use the same plugin protocol.
package main

import (
	"context"
	"maps"
	"os"

	"github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"
)

func main() {
	if err := serve(os.Args[1:]); err != nil {
		hclog.Default().Error("the plugin ends", "error", err)
		os.Exit(1)
	}
}

func serve(args []string) error {
	meta := &api.PluginAPIClientMeta{}
	if err := meta.FlagSet().Parse(args); err != nil {
		return err
	}
	return plugin.ServeMultiplex(&plugin.ServeOpts{
		BackendFactoryFunc: factory, TLSProviderFunc: api.VaultPluginTLSProvider(meta.GetTLSConfig()),
	})
}

// factory wraps KV's own factory, which uses storage. When Vault only probes the plugin, as at
// registration, it passes neither storage nor a UUID.
func factory(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
	if conf.BackendUUID == "" {
		bare := &framework.Backend{BackendType: logical.TypeLogical}
		return bare, bare.Setup(ctx, conf)
	}
	versioned := *conf
	versioned.Config = maps.Clone(conf.Config)
	if versioned.Config == nil {
		versioned.Config = make(map[string]string, 1)
	}
	versioned.Config["version"] = "2"
	// KV's upgrade check continues after this call, and the call's context ends with the call.
	return kv.Factory(context.WithoutCancel(ctx), &versioned)
}
