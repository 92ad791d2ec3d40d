// Kv serves the code of Vault's own KV version 2 as an external plugin, so that the engine is compared with it on equal terms:
// behind the same plugin protocol.
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

// factory stands before KV's own, which uses storage. Vault gives it none, and no UUID, when it only asks what the plugin is, as
// it does at registration.
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
	// KV's upgrade check goes on after this call, whose context ends with it.
	return kv.Factory(context.WithoutCancel(ctx), &versioned)
}
