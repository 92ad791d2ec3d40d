// The plugin of vaulttest's own tests. It stores values, has a cache that a reload empties, and
// returns its environment.
package main

import (
	"context"
	"crypto/rand"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"
)

// version is set by the linker.
var version string

func main() {
	meta := &api.PluginAPIClientMeta{}
	if err := meta.FlagSet().Parse(os.Args[1:]); err != nil {
		os.Exit(2)
	}
	err := plugin.ServeMultiplex(&plugin.ServeOpts{
		BackendFactoryFunc: factory, TLSProviderFunc: api.VaultPluginTLSProvider(meta.GetTLSConfig()),
	})
	if err != nil {
		hclog.Default().Error("the plugin ends", "error", err)
		os.Exit(1)
	}
}

func factory(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
	// id identifies the instance of the backend. A reload makes a new one.
	id := rand.Text()
	var cache sync.Map
	b := &framework.Backend{BackendType: logical.TypeLogical, RunningVersion: version}
	read := func(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
		value, hit := cache.Load(req.Path)
		if !hit {
			entry, err := req.Storage.Get(ctx, req.Path)
			if err != nil || entry == nil {
				return nil, err
			}
			value = string(entry.Value)
			cache.Store(req.Path, value)
		}
		b.Logger().Trace("read", "path", req.Path)
		return &logical.Response{Data: map[string]any{
			"value": value, "instance": id, "environment": os.Environ(), "pid": os.Getpid(),
		}}, nil
	}
	write := func(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
		value, _ := d.Get("value").(string)
		if req.Path == "race" {
			race()
		}
		cache.Delete(req.Path)
		return nil, req.Storage.Put(ctx, &logical.StorageEntry{Key: req.Path, Value: []byte(value)})
	}
	b.Paths = []*framework.Path{{
		Pattern: framework.MatchAllRegex("path"),
		Fields:  map[string]*framework.FieldSchema{"path": {Type: framework.TypeString}, "value": {Type: framework.TypeString}},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation:   &framework.PathOperation{Callback: read},
			logical.UpdateOperation: &framework.PathOperation{Callback: write},
		},
	}}
	return b, b.Setup(ctx, conf)
}

// race is a data race that the race detector reports.
func race() {
	var shared int
	done := make(chan struct{})
	go func() {
		shared++
		close(done)
	}()
	shared++
	<-done
}
