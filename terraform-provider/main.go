// Terraform-provider-stashbase is the Terraform provider for Stashbase for Vault. Terraform, or OpenTofu, starts it.
package main

import (
	"context"
	"flag"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/stashbase/vault-stashbase/shared/catalog"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/provider"
)

// version is set by the linker.
var version = "v0.0.0-dev"

func main() {
	if err := serve(os.Args); err != nil {
		hclog.New(&hclog.LoggerOptions{}).Error("the provider could not be served", "error", err)
		os.Exit(1)
	}
}

func serve(args []string) error {
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	debug := flags.Bool("debug", false, "serve to a debugger: print what to set TF_REATTACH_PROVIDERS to")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	providers, err := catalog.All()
	if err != nil {
		return err
	}
	return providerserver.Serve(context.Background(), provider.New(version, providers), providerserver.ServeOpts{
		Address: provider.Address, Debug: *debug, ProtocolVersion: 6,
	})
}
