// Terraform-provider-stashbase is the Terraform provider for Stashbase for Vault. Terraform or
// OpenTofu starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"os"
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

func main() {
	if err := serve(os.Args); err != nil {
		hclog.New(&hclog.LoggerOptions{}).Error("cannot serve the provider", "error", err)
		os.Exit(1)
	}
}

func serve(args []string) error {
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	debug := flags.Bool("debug", false, "serve to a debugger, and print the value for TF_REATTACH_PROVIDERS")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
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
