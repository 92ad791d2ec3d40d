// Noop is an external plugin that does nothing: it has one path with one field and returns an empty
// response. A request to it takes the time of the plugin protocol, and no engine can be faster.
package main

import (
	"context"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/consts"
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

func factory(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
	response := &logical.Response{Data: map[string]any{"value": ""}}
	nothing := &framework.PathOperation{
		Callback: func(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
			return response, nil
		},
	}
	b := &framework.Backend{
		BackendType: logical.TypeLogical,
		Paths: []*framework.Path{{
			Pattern:    "(?P<name>.+)",
			Fields:     map[string]*framework.FieldSchema{"name": {Type: framework.TypeString}},
			Operations: map[logical.Operation]framework.OperationHandler{logical.ReadOperation: nothing},
		}},
	}
	cached := *conf
	if conf.System != nil {
		cached.System = &view{conf.System, sync.OnceValue(conf.System.ReplicationState)}
	}
	return b, b.Setup(ctx, &cached)
}

// view requests the replication state once, as the engine does. The framework would request it for
// every request.
type view struct {
	logical.SystemView
	replication func() consts.ReplicationState
}

func (v *view) ReplicationState() consts.ReplicationState { return v.replication() }
