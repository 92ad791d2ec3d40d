// Vault-plugin-secrets-stashbase is the Stashbase secrets engine. Vault starts it as a plugin, and
// one process serves every mount of the plugin.
package main

import (
	"math"
	"os"
	"runtime"
	"strings"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/helper/pluginutil"
	"github.com/hashicorp/vault/sdk/plugin"
	"google.golang.org/grpc"

	"github.com/stashbase/vault-stashbase/shared/catalog"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/backend"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/clock"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/engine"
)

// version is set by the linker.
var version = "v0.0.0-dev"

// runningVersion returns the version that the plugin reports. It equals the -version with which the
// plugin is registered: Vault writes each version with a leading v, and rejects a plugin that reports
// it without.
func runningVersion() string { return "v" + strings.TrimPrefix(version, "v") }

func main() {
	if err := serve(os.Args[1:]); err != nil {
		hclog.New(&hclog.LoggerOptions{}).Error("cannot serve the plugin", "error", err)
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
	if err := pluginutil.OptionallyEnableMlock(); err != nil {
		return err
	}
	defer runtime.KeepAlive(make([]byte, spareHeap))
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: os.Stderr, JSONFormat: true})
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig,
		VersionedPlugins: map[int]goplugin.PluginSet{protocol: {plugin.BackendPluginName: &plugin.GRPCBackendPlugin{
			Factory:             backend.Factory(engine.Options{Version: runningVersion(), Clock: clock.System{}, Providers: providers}),
			MultiplexingSupport: true,
			Logger:              logger,
		}}},
		Logger:      logger,
		TLSProvider: api.VaultPluginTLSProvider(meta.GetTLSConfig()),
		GRPCServer:  newServer,
	})
	return nil
}

const (
	// protocol is the version of Vault's plugin protocol in which all mounts share one process.
	// Each supported version of Vault has it.
	protocol = 5
	// streamWorkers is the number of goroutines that serve requests again and again. A new
	// goroutine for each request would grow its stack several times on the way down to the keyring.
	streamWorkers = 16
	// spareHeap is a block that the garbage collector counts as in use, and that never becomes
	// resident because nothing touches it. Without it, a plugin that holds a few MiB collects
	// garbage every 4 MiB that requests allocate, which is a tenth of its work under load. The heap
	// grows by at most twice this size, whatever else it holds.
	spareHeap = 16 << 20
)

// newServer is the server that Vault's SDK makes, with streamWorkers.
func newServer(options []grpc.ServerOption) *grpc.Server {
	return goplugin.DefaultGRPCServer(append(options,
		grpc.MaxRecvMsgSize(math.MaxInt32), grpc.MaxSendMsgSize(math.MaxInt32), grpc.NumStreamWorkers(streamWorkers)))
}
