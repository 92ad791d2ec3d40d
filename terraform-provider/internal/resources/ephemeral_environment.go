package resources

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

type loadedEnvironment struct {
	base.ConfiguredEphemeral
}

var _ ephemeral.EphemeralResourceWithConfigure = &loadedEnvironment{}

type loadedModel struct {
	Namespace   types.String `tfsdk:"engine_namespace"`
	Workspace   types.String `tfsdk:"workspace"`
	Project     types.String `tfsdk:"project"`
	Environment types.String `tfsdk:"environment"`
	Include     types.List   `tfsdk:"include"`
	Exclude     types.List   `tfsdk:"exclude"`
	After       types.List   `tfsdk:"after"`
	Values      types.Map    `tfsdk:"values"`
}

// LoadedEnvironment returns the ephemeral resource stashbase_environment.
func LoadedEnvironment() ephemeral.EphemeralResource { return &loadedEnvironment{} }

// Metadata sets the name of the type.
func (e *loadedEnvironment) Metadata(_ context.Context, _ ephemeral.MetadataRequest, response *ephemeral.MetadataResponse) {
	response.TypeName = base.TypePrefix + "environment"
}

// Schema returns the schema.
func (e *loadedEnvironment) Schema(_ context.Context, _ ephemeral.SchemaRequest, response *ephemeral.SchemaResponse) {
	response.Schema = schema.Schema{
		MarkdownDescription: "Names and values of all secrets of an environment, as a workload receives them: with inherited secrets, and with references resolved. Neither the state nor a plan contains them.",
		Attributes: map[string]schema.Attribute{
			"engine_namespace": schema.StringAttribute{Optional: true, MarkdownDescription: "Vault namespace (Enterprise) of the engine, if it is not the provider's."},
			"workspace":        schema.StringAttribute{Required: true, MarkdownDescription: base.Workspace().Help, Validators: base.Workspace().Validators()},
			"project":          schema.StringAttribute{Required: true, MarkdownDescription: base.Project().Help, Validators: base.Project().Validators()},
			"environment":      schema.StringAttribute{Required: true, MarkdownDescription: base.Environment().Help, Validators: base.Environment().Validators()},
			"include":          schema.ListAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Patterns of the names to load, such as `DB_*`. Default: all."},
			"exclude":          schema.ListAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Patterns of the names to leave out."},
			"after": schema.ListAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Values that are known only after apply, such as `stashbase_secret.x.version`. " +
				"Terraform opens an ephemeral resource during the plan unless one of its arguments is unknown. List attributes of the resources that the same apply creates, to open it after them."},
			"values": schema.MapAttribute{Computed: true, Sensitive: true, ElementType: types.StringType, MarkdownDescription: "The values by name. A value that was written with `encoding = \"base64\"` is returned in base64."},
		},
	}
}

// Open loads the environment.
func (e *loadedEnvironment) Open(ctx context.Context, request ephemeral.OpenRequest, response *ephemeral.OpenResponse) {
	var m loadedModel
	response.Diagnostics.Append(request.Config.Get(ctx, &m)...)
	if response.Diagnostics.HasError() {
		return
	}
	err := m.load(ctx, &e.Configured)
	if err != nil {
		subject := diagnose.Subject{Name: "environment " + m.Workspace.ValueString() + "/" + m.Project.ValueString() + "/" + m.Environment.ValueString()}
		diagnose.Report(&response.Diagnostics, "load", subject, diagnose.Hint(err, client.NotFound,
			"If the same apply creates it, list one of its attributes in `after` of this ephemeral resource."))
		return
	}
	response.Diagnostics.Append(response.Result.Set(ctx, &m)...)
}

func (m *loadedModel) load(ctx context.Context, configured *base.Configured) error {
	vault, err := configured.Connection.Client(ctx, m.Namespace.ValueString())
	if err != nil {
		return err
	}
	include, err := list(ctx, m.Include)
	if err != nil {
		return err
	}
	exclude, err := list(ctx, m.Exclude)
	if err != nil {
		return err
	}
	at := client.Place{Workspace: m.Workspace.ValueString(), Project: m.Project.ValueString(), Environment: m.Environment.ValueString()}
	values, err := vault.Load(ctx, at, include, exclude)
	if err != nil {
		return err
	}
	loaded, diags := types.MapValueFrom(ctx, types.StringType, values)
	m.Values = loaded
	return diagnose.Unexpected(diags)
}

func list(ctx context.Context, l types.List) ([]string, error) {
	if l.IsNull() || l.IsUnknown() {
		return nil, nil
	}
	var all []string
	diags := l.ElementsAs(ctx, &all, false)
	return all, diagnose.Unexpected(diags)
}
