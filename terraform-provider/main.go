// Terraform-provider-stashbase is the Terraform provider for Stashbase for Vault. Terraform or
// OpenTofu starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	framework "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/stashbase/vault-stashbase/shared/catalog"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/provider"
)

// version is set by the linker.
var version = "v0.0.0-dev"

// closeTimeout is less than the two seconds after which Terraform kills a provider.
const closeTimeout = 1500 * time.Millisecond

// frameworkLog is the environment variable for the level of the framework's log.
const frameworkLog = "TF_LOG_SDK"

// spareHeap is a block that the garbage collector counts as in use, and that never becomes resident
// because nothing touches it. Without it, a provider that holds a few MiB collects garbage for
// every 4 MiB that requests allocate.
const spareHeap = 32 << 20

func main() {
	if err := serve(os.Args); err != nil {
		hclog.New(&hclog.LoggerOptions{}).Error("cannot serve the provider", "error", err)
		os.Exit(1)
	}
}

// quiet turns off the log of the framework, unless the user has asked for a log of providers.
// Terraform discards that log, but writing it takes 40 % of a provider's processor time. The
// environment of Terraform is also that of the provider.
func quiet(environ []string) error {
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		// TF_LOG_PROVIDER and TF_LOG_SDK are prefixes, as of TF_LOG_SDK_PROTO.
		asks := name == "TF_LOG" || strings.HasPrefix(name, "TF_LOG_PROVIDER") || strings.HasPrefix(name, frameworkLog)
		if asks && value != "" && !strings.EqualFold(value, "OFF") {
			return nil
		}
	}
	return os.Setenv(frameworkLog, "OFF")
}

func serve(args []string) error {
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	debug := flags.Bool("debug", false, "serve to a debugger, and print the value for TF_REATTACH_PROVIDERS")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if err := quiet(os.Environ()); err != nil {
		return err
	}
	defer runtime.KeepAlive(make([]byte, spareHeap))
	providers, err := catalog.All()
	if err != nil {
		return err
	}
	stashbase := provider.New(version, providers)
	err = providerserver.Serve(context.Background(), func() framework.Provider { return stashbase }, providerserver.ServeOpts{
		Address: provider.Address, Debug: *debug, ProtocolVersion: 6,
	})
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return errors.Join(err, stashbase.Close(ctx))
}
