// Package resources owns the resources, data sources and ephemeral resources whose schemas are
// written by hand, one file per type. It knows nothing of the protocol, which package base owns.
package resources

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/shared/names"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

type workspace struct {
	base.Model
	Name            types.String `tfsdk:"name"`
	Description     types.String `tfsdk:"description"`
	Metadata        types.Map    `tfsdk:"metadata"`
	DeletionAllowed types.Bool   `tfsdk:"deletion_allowed"`

	MaxVersions         types.Int64 `tfsdk:"max_versions"`
	CASRequired         types.Bool  `tfsdk:"cas_required"`
	DeleteVersionAfter  types.Int64 `tfsdk:"delete_version_after"`
	MaxValueBytes       types.Int64 `tfsdk:"max_value_bytes"`
	MaxSecrets          types.Int64 `tfsdk:"max_secrets"`
	MaxEnvironmentBytes types.Int64 `tfsdk:"max_environment_bytes"`
}

// Workspace returns the resource stashbase_workspace.
func Workspace() resource.Resource {
	const engines = " Default: `0`, which means the value in the engine's configuration."
	return base.New(base.Kind[workspace]{
		Name: "workspace",
		Help: "A workspace: a tenant with its own encryption keys.\n\n" +
			"Destroying a workspace destroys its keys, which makes its content permanently unreadable. It is possible only after `deletion_allowed = true` was applied.",
		Keys: []base.Key{{Name: "name", Help: "Name of the workspace.", Kind: names.Workspace}},
		Attributes: map[string]schema.Attribute{
			"description":           textWithDefault("What the workspace is for."),
			"metadata":              textsByNameWithDefault("Your own names and values. Not encrypted by the workspace's keys."),
			"deletion_allowed":      boolWithDefault("Whether the workspace may be destroyed together with its content."),
			"max_versions":          numberWithDefault("Number of versions to keep of each secret."+engines, 100),
			"cas_required":          boolWithDefault("Whether every write of a secret must name the version it replaces. The writes of this provider always do."),
			"delete_version_after":  numberWithDefault("Number of seconds after which a version is deleted."+engines, 3650*24*3600),
			"max_value_bytes":       numberWithDefault("Maximum size of a secret's value in bytes."+engines, 393216),
			"max_secrets":           numberWithDefault("Maximum number of secrets in one environment."+engines, 100000),
			"max_environment_bytes": numberWithDefault("Maximum size in bytes of all names, newest values, tags, comments and custom metadata in one environment."+engines, 25165824),
		},
		Create: createWorkspace, Adopt: adoptWorkspace, Read: readWorkspace, Update: putWorkspace, Delete: deleteWorkspace, Plan: planWorkspace,
	})()
}

func createWorkspace(ctx context.Context, c *base.Call[workspace]) error {
	_, err := c.Client.Workspace(ctx, c.Names[0])
	if err := c.MustNotExist(err); err != nil {
		return err
	}
	return putWorkspace(ctx, c)
}

func adoptWorkspace(ctx context.Context, c *base.Call[workspace]) (bool, error) {
	w, err := c.Client.Workspace(ctx, c.Names[0])
	if err != nil || w.Projects > 0 {
		return false, err
	}
	integrations, err := c.Client.Integrations(ctx, c.Names[0])
	if err != nil || len(integrations) > 0 {
		return false, err
	}
	if err := c.Model.fill(ctx, w); err != nil {
		return false, err
	}
	return c.AsPlanned(ctx)
}

func readWorkspace(ctx context.Context, c *base.Call[workspace]) error {
	w, err := c.Client.Workspace(ctx, c.Names[0])
	if err != nil {
		return err
	}
	return c.Model.fill(ctx, w)
}

func putWorkspace(ctx context.Context, c *base.Call[workspace]) error {
	m := &c.Model
	metadata, err := texts(ctx, m.Metadata)
	if err != nil {
		return err
	}
	w, err := c.Client.PutWorkspace(ctx, client.Workspace{
		Name: c.Names[0], Description: m.Description.ValueString(), Metadata: metadata, DeletionAllowed: m.DeletionAllowed.ValueBool(),
		MaxVersions: m.MaxVersions.ValueInt64(), CASRequired: m.CASRequired.ValueBool(), DeleteVersionAfter: m.DeleteVersionAfter.ValueInt64(),
		MaxValueBytes: m.MaxValueBytes.ValueInt64(), MaxSecrets: m.MaxSecrets.ValueInt64(), MaxEnvironmentBytes: m.MaxEnvironmentBytes.ValueInt64(),
	})
	if err != nil {
		return err
	}
	return m.fill(ctx, w)
}

func deleteWorkspace(ctx context.Context, c *base.Call[workspace]) error {
	if !c.Model.DeletionAllowed.ValueBool() {
		return diagnose.At("deletion_allowed", "Destroying the workspace makes its content permanently unreadable. If you want that, apply deletion_allowed = true first.")
	}
	return c.Client.DeleteWorkspace(ctx, c.Names[0])
}

func (m *workspace) fill(ctx context.Context, w *client.Workspace) error {
	m.Description, m.DeletionAllowed = types.StringValue(w.Description), types.BoolValue(w.DeletionAllowed)
	m.MaxVersions, m.CASRequired = types.Int64Value(w.MaxVersions), types.BoolValue(w.CASRequired)
	m.DeleteVersionAfter, m.MaxValueBytes = types.Int64Value(w.DeleteVersionAfter), types.Int64Value(w.MaxValueBytes)
	m.MaxSecrets, m.MaxEnvironmentBytes = types.Int64Value(w.MaxSecrets), types.Int64Value(w.MaxEnvironmentBytes)
	metadata, diags := types.MapValueFrom(ctx, types.StringType, orEmpty(w.Metadata))
	m.Metadata = metadata
	return diagnose.Unexpected(diags)
}
