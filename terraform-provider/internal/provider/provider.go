// Package provider assembles the provider: its configuration and its types. It knows nothing of how
// they work.
package provider

import (
	"context"
	"errors"
	"sync"

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

// Address is the address at which the provider is published.
const Address = "registry.terraform.io/stashbase/stashbase"

// Stashbase is the provider.
type Stashbase struct {
	version   string
	providers *integrations.Registry

	mu          sync.Mutex
	connections []*connect.Connection // one for each call of Configure
}

var (
	_ provider.ProviderWithEphemeralResources = &Stashbase{}
	_ provider.ProviderWithConfigValidators   = &Stashbase{}
)

// New makes the provider of the given version. It has resources for the integrations and syncs of
// the given providers of the engine.
func New(version string, providers *integrations.Registry) *Stashbase {
	return &Stashbase{version: version, providers: providers}
}

// Close revokes the tokens of the provider's logins. Terraform kills the process two seconds after
// it asks it to stop.
func (p *Stashbase) Close(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, connection := range p.connections {
		errs = append(errs, connection.Close(ctx))
	}
	p.connections = nil
	return errors.Join(errs...)
}

// Metadata sets the name of the provider and its version.
func (p *Stashbase) Metadata(_ context.Context, _ provider.MetadataRequest, response *provider.MetadataResponse) {
	response.TypeName, response.Version = "stashbase", p.version
}

// Schema returns the schema of the provider block.
func (p *Stashbase) Schema(_ context.Context, _ provider.SchemaRequest, response *provider.SchemaResponse) {
	response.Schema = connect.Schema()
}

// ConfigValidators returns the check that at most one login method is configured.
func (p *Stashbase) ConfigValidators(context.Context) []provider.ConfigValidator {
	return connect.Validators()
}

// Configure reads the configuration and makes no request; see package connect.
func (p *Stashbase) Configure(_ context.Context, request provider.ConfigureRequest, response *provider.ConfigureResponse) {
	connection, err := connect.Open(request.Config)
	if err != nil {
		diagnose.Report(&response.Diagnostics, "configure", diagnose.Subject{Name: "the provider"}, err)
		return
	}
	p.mu.Lock()
	p.connections = append(p.connections, connection)
	p.mu.Unlock()
	response.ResourceData, response.DataSourceData, response.EphemeralResourceData = connection, connection, connection
}

// Resources lists the resources that the provider manages.
func (p *Stashbase) Resources(context.Context) []func() resource.Resource {
	all := []func() resource.Resource{
		resources.Config, resources.Workspace, resources.Project, resources.Environment, resources.Secret, resources.Secrets,
	}
	for _, name := range p.providers.Names() {
		all = append(all, derived.Integration(p.providers.Provider(name).Declare()))
	}
	for _, name := range p.providers.Destinations() {
		if destination, owner, ok := p.providers.Destination(name); ok {
			all = append(all, derived.Sync(owner.Declare(), destination))
		}
	}
	return all
}

// DataSources lists the data sources.
func (p *Stashbase) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		resources.EnvironmentMetadata, resources.Policy, derived.SyncStatus(p.providers.Destinations()),
	}
}

// EphemeralResources lists the ephemeral resources, which leave nothing in state or plan.
func (p *Stashbase) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{resources.LoadedEnvironment}
}
