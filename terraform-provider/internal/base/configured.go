// Package base owns what all resources of the provider share: the connection, ids and identities,
// import, and the handling of errors around create, read, update and delete. A resource declares a
// Kind and implements only its own calls. The package knows no type of resource.
package base

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/stashbase/vault-stashbase/terraform-provider/internal/connect"
)

// TypePrefix is the prefix of every type name of the provider.
const TypePrefix = "stashbase_"

// Configured is embedded by resources. Connection is nil while Terraform only validates.
type Configured struct{ Connection *connect.Connection }

// Configure stores the provider's connection.
func (c *Configured) Configure(_ context.Context, request resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	c.take(request.ProviderData)
}

func (c *Configured) take(data any) {
	if connection, ok := data.(*connect.Connection); ok {
		c.Connection = connection
	}
}

// ConfiguredData is embedded by data sources.
type ConfiguredData struct{ Configured }

// Configure stores the provider's connection.
func (c *ConfiguredData) Configure(_ context.Context, request datasource.ConfigureRequest, _ *datasource.ConfigureResponse) {
	c.take(request.ProviderData)
}

// ConfiguredEphemeral is embedded by ephemeral resources.
type ConfiguredEphemeral struct{ Configured }

// Configure stores the provider's connection.
func (c *ConfiguredEphemeral) Configure(_ context.Context, request ephemeral.ConfigureRequest, _ *ephemeral.ConfigureResponse) {
	c.take(request.ProviderData)
}
