// Package provider puts the provider together: its configuration and the types it has. It knows nothing of how they work.
package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	integrations "github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/connect"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/derived"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/resources"
)

// Address is where the provider is published.
const Address = "registry.terraform.io/stashbase/stashbase"

type stashbase struct {
	version   string
	providers *integrations.Registry
}

var (
	_ provider.ProviderWithEphemeralResources = &stashbase{}
	_ provider.ProviderWithConfigValidators   = &stashbase{}
)

// New makes the provider of a version, with resources for the integrations and syncs of the providers that the engine has.
func New(version string, providers *integrations.Registry) func() provider.Provider {
	return func() provider.Provider { return &stashbase{version: version, providers: providers} }
}

// Metadata names the provider.
func (p *stashbase) Metadata(_ context.Context, _ provider.MetadataRequest, response *provider.MetadataResponse) {
	response.TypeName, response.Version = "stashbase", p.version
}

// Schema is that of the provider block.
func (p *stashbase) Schema(_ context.Context, _ provider.SchemaRequest, response *provider.SchemaResponse) {
	response.Schema = connect.Schema()
}

// ConfigValidators hold that there is one way to log in.
func (p *stashbase) ConfigValidators(context.Context) []provider.ConfigValidator {
	return connect.Validators()
}

// Configure takes the configuration and makes no request: see package connect.
func (p *stashbase) Configure(_ context.Context, request provider.ConfigureRequest, response *provider.ConfigureResponse) {
	connection, err := connect.Open(request.Config)
	if err != nil {
		diagnose.Report(&response.Diagnostics, "configure", diagnose.Subject{Name: "the provider"}, err)
		return
	}
	response.ResourceData, response.DataSourceData, response.EphemeralResourceData = connection, connection, connection
}

// Resources are those that the provider manages.
func (p *stashbase) Resources(context.Context) []func() resource.Resource {
	all := []func() resource.Resource{
		resources.Config, resources.Workspace, resources.Project, resources.Environment, resources.Secret, resources.Secrets,
	}
	for _, name := range p.providers.Names() {
		all = append(all, derived.Integration(p.providers.Provider(name).Declare()))
	}
	for _, name := range p.providers.Destinations() {
		if destination, _, ok := p.providers.Destination(name); ok {
			all = append(all, derived.Sync(destination))
		}
	}
	return all
}

// DataSources are those that it reads.
func (p *stashbase) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		resources.EnvironmentMetadata, resources.Policy, derived.SyncStatus(p.providers.Destinations()),
	}
}

// EphemeralResources are those that leave no trace.
func (p *stashbase) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{resources.LoadedEnvironment}
}
