// Package provider puts the provider together: its configuration and the types it has. It knows nothing of how they work.
package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/stashbase/vault-stashbase/terraform-provider/internal/connect"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/resources"
)

// Address is where the provider is published.
const Address = "registry.terraform.io/stashbase/stashbase"

type stashbase struct{ version string }

var (
	_ provider.ProviderWithEphemeralResources = &stashbase{}
	_ provider.ProviderWithConfigValidators   = &stashbase{}
)

// New makes the provider of a version.
func New(version string) func() provider.Provider {
	return func() provider.Provider { return &stashbase{version: version} }
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
	return []func() resource.Resource{
		resources.Config, resources.Workspace, resources.Project, resources.Environment, resources.Secret, resources.Secrets,
	}
}

// DataSources are those that it reads.
func (p *stashbase) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{resources.EnvironmentMetadata, resources.Policy}
}

// EphemeralResources are those that leave no trace.
func (p *stashbase) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{resources.LoadedEnvironment}
}
