package resources

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

type environmentMetadata struct {
	base.ConfiguredData
}

var _ datasource.DataSourceWithConfigure = &environmentMetadata{}

type environmentMetadataModel struct {
	base.Model
	Workspace   types.String               `tfsdk:"workspace"`
	Project     types.String               `tfsdk:"project"`
	Environment types.String               `tfsdk:"environment"`
	Secrets     map[string]secretKnowledge `tfsdk:"secrets"`
}

type secretKnowledge struct {
	Version     types.Int64  `tfsdk:"version"`
	State       types.String `tfsdk:"state"`
	CreatedTime types.String `tfsdk:"created_time"`
	Encoding    types.String `tfsdk:"encoding"`
	Size        types.Int64  `tfsdk:"size"`
	Tags        []string     `tfsdk:"tags"`
}

// EnvironmentMetadata returns the data source stashbase_environment_metadata.
func EnvironmentMetadata() datasource.DataSource { return &environmentMetadata{} }

// Metadata sets the name of the type.
func (d *environmentMetadata) Metadata(_ context.Context, _ datasource.MetadataRequest, response *datasource.MetadataResponse) {
	response.TypeName = base.TypePrefix + "environment_metadata"
}

// Schema returns the schema.
func (d *environmentMetadata) Schema(_ context.Context, _ datasource.SchemaRequest, response *datasource.SchemaResponse) {
	response.Schema = schema.Schema{
		MarkdownDescription: "Metadata of the secrets of an environment, without values. Use a secret's `version` as the `*_wo_version` of another resource to update that resource whenever the secret changes.",
		Attributes: map[string]schema.Attribute{
			"id":               schema.StringAttribute{Computed: true, MarkdownDescription: "`<workspace>/<project>/<environment>`"},
			"engine_namespace": schema.StringAttribute{Optional: true, MarkdownDescription: "Vault namespace (Enterprise) of the engine, if it is not the provider's."},
			"workspace":        schema.StringAttribute{Required: true, MarkdownDescription: base.Workspace().Help, Validators: base.Workspace().Validators()},
			"project":          schema.StringAttribute{Required: true, MarkdownDescription: base.Project().Help, Validators: base.Project().Validators()},
			"environment":      schema.StringAttribute{Required: true, MarkdownDescription: base.Environment().Help, Validators: base.Environment().Validators()},
			"secrets": schema.MapNestedAttribute{Computed: true, MarkdownDescription: "The secrets by name, including deleted ones.", NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"version":      schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of the newest version."},
				"state":        schema.StringAttribute{Computed: true, MarkdownDescription: "`live`, `deleted`, `destroyed` or `damaged`."},
				"created_time": schema.StringAttribute{Computed: true, MarkdownDescription: "When the newest version was written, RFC 3339 in UTC."},
				"encoding":     schema.StringAttribute{Computed: true, MarkdownDescription: "Encoding of the value: `text` or `base64`."},
				"size":         schema.Int64Attribute{Computed: true, MarkdownDescription: "Size of the value in bytes."},
				"tags":         schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "Tags of the secret."},
			}}},
		},
	}
}

// Read requests the metadata of all secrets at once.
func (d *environmentMetadata) Read(ctx context.Context, request datasource.ReadRequest, response *datasource.ReadResponse) {
	var m environmentMetadataModel
	response.Diagnostics.Append(request.Config.Get(ctx, &m)...)
	if response.Diagnostics.HasError() {
		return
	}
	at := client.Place{Workspace: m.Workspace.ValueString(), Project: m.Project.ValueString(), Environment: m.Environment.ValueString()}
	id := fmt.Sprintf("%s/%s/%s", at.Workspace, at.Project, at.Environment)
	vault, err := d.Connection.Client(ctx, m.Namespace.ValueString())
	var all map[string]client.Version
	if err == nil {
		all, err = d.Connection.AllMetadata(ctx, vault, at)
	}
	if err != nil {
		diagnose.Report(&response.Diagnostics, "read the metadata of", diagnose.Subject{Name: "environment " + id}, err)
		return
	}
	m.ID, m.Secrets = types.StringValue(id), map[string]secretKnowledge{}
	for name, v := range all {
		m.Secrets[name] = secretKnowledge{
			Version: types.Int64Value(v.Version), State: types.StringValue(v.State), CreatedTime: types.StringValue(v.CreatedTime),
			Encoding: types.StringValue(v.Encoding), Size: types.Int64Value(v.Size), Tags: append([]string{}, v.Tags...),
		}
	}
	response.Diagnostics.Append(response.State.Set(ctx, &m)...)
}
