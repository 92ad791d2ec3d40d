// Noop is an external plugin that does nothing. It returns one empty field, or under secret/ a
// constant body with the fields of a secret. A write under stored/ puts one constant entry into
// storage. A request to it takes the time of the plugin protocol, and no engine can be faster.
package main

import (
	"context"
	"maps"
	"os"
	"strings"
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
	b := &framework.Backend{
		BackendType: logical.TypeLogical,
		Paths: []*framework.Path{
			constant("secret/(?P<name>.+)", secret),
			stored(),
			constant("(?P<name>.+)", map[string]any{"value": ""}),
		},
	}
	cached := *conf
	if conf.System != nil {
		cached.System = &view{conf.System, sync.OnceValue(conf.System.ReplicationState)}
	}
	return b, b.Setup(ctx, &cached)
}

// secret has the fields of a secret that the engine returns, and values of the same length.
var secret = map[string]any{
	"name": "KEY", "version": 12, "created_time": "2026-01-02T03:04:05.678901234Z", "comment": "", "encoding": "text",
	"size": 64, "deletion_time": "", "destroyed": false, "tags": []string{}, "references": false,
	"value": strings.Repeat("0", 64), "created_by": "root",
}

// constant returns a path whose read returns data.
func constant(pattern string, data map[string]any) *framework.Path {
	response := &logical.Response{Data: data}
	return &framework.Path{
		Pattern: pattern,
		Fields:  map[string]*framework.FieldSchema{"name": {Type: framework.TypeString}},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: func(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
					return response, nil
				},
			},
		},
	}
}

// stored returns the path of a write that needs what every write needs: an existence check, and one
// entry of storage. The entry is as large as that of a secret with ten short versions.
func stored() *framework.Path {
	entry := &logical.StorageEntry{Key: "one", Value: make([]byte, 3<<10)}
	response := maps.Clone(secret)
	delete(response, "value")
	write := &framework.PathOperation{
		Callback: func(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
			return &logical.Response{Data: response}, req.Storage.Put(ctx, entry)
		},
	}
	return &framework.Path{
		Pattern: "stored/(?P<name>.+)",
		Fields:  map[string]*framework.FieldSchema{"name": {Type: framework.TypeString}, "value": {Type: framework.TypeString}},
		ExistenceCheck: func(context.Context, *logical.Request, *framework.FieldData) (bool, error) {
			return true, nil
		},
		Operations: map[logical.Operation]framework.OperationHandler{logical.CreateOperation: write, logical.UpdateOperation: write},
	}
}

// view requests the replication state once, as the engine does. The framework would request it for
// every request.
type view struct {
	logical.SystemView
	replication func() consts.ReplicationState
}

func (v *view) ReplicationState() consts.ReplicationState { return v.replication() }
