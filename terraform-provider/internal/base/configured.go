// Package base owns what all resources of the provider share: taking over the connection, ids and identities, import, the order
// of calls around create, read, update and delete, and what becomes of their errors. A resource declares a Kind and writes the
// calls that only it knows.
package base

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/stashbase/vault-stashbase/terraform-provider/internal/connect"
)

// TypePrefix begins the name of every type of the provider.
const TypePrefix = "stashbase_"

// Configured is embedded by resources. Connection is nil while Terraform only validates.
type Configured struct{ Connection *connect.Connection }

// Configure takes over the provider's connection.
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

// Configure takes over the provider's connection.
func (c *ConfiguredData) Configure(_ context.Context, request datasource.ConfigureRequest, _ *datasource.ConfigureResponse) {
	c.take(request.ProviderData)
}

// ConfiguredEphemeral is embedded by ephemeral resources.
type ConfiguredEphemeral struct{ Configured }

// Configure takes over the provider's connection.
func (c *ConfiguredEphemeral) Configure(_ context.Context, request ephemeral.ConfigureRequest, _ *ephemeral.ConfigureResponse) {
	c.take(request.ProviderData)
}
