package resources

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/shared/names"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

type policyData struct {
	base.ConfiguredData
}

var _ datasource.DataSourceWithConfigure = &policyData{}

type policyModel struct {
	Namespace   types.String `tfsdk:"engine_namespace"`
	Role        types.String `tfsdk:"role"`
	Workspace   types.String `tfsdk:"workspace"`
	Project     types.String `tfsdk:"project"`
	Environment types.String `tfsdk:"environment"`
	Context     types.String `tfsdk:"context"`
	Description types.String `tfsdk:"description"`
	Policy      types.String `tfsdk:"policy"`
}

// Policy returns the data source stashbase_policy.
func Policy() datasource.DataSource { return &policyData{} }

// Metadata sets the name of the type.
func (d *policyData) Metadata(_ context.Context, _ datasource.MetadataRequest, response *datasource.MetadataResponse) {
	response.TypeName = base.TypePrefix + "policy"
}

// Schema returns the schema.
func (d *policyData) Schema(_ context.Context, _ datasource.SchemaRequest, response *datasource.SchemaResponse) {
	name := func(help string, kind names.Kind) schema.Attribute {
		return schema.StringAttribute{
			Optional: true, MarkdownDescription: help + " The role determines which names are required.", Validators: []validator.String{base.Name(kind)},
		}
	}
	response.Schema = schema.Schema{
		MarkdownDescription: "A Vault policy with the least rights that a role needs, for this mount and the given names.",
		Attributes: map[string]schema.Attribute{
			"engine_namespace": schema.StringAttribute{Optional: true, MarkdownDescription: "Vault namespace (Enterprise) of the engine, if it is not the provider's."},
			"role":             schema.StringAttribute{Required: true, MarkdownDescription: "Name of the role. `vault list stashbase/policies` lists all roles."},
			"workspace":        name("Name of a workspace.", names.Workspace),
			"project":          name("Name of a project.", names.Object),
			"environment":      name("Name of an environment.", names.Object),
			"context":          name("Name of the encryption context that a service uses.", names.Object),
			"description":      schema.StringAttribute{Computed: true, MarkdownDescription: "What the role is for."},
			"policy":           schema.StringAttribute{Computed: true, MarkdownDescription: "The policy in HCL, for the attribute `policy` of a `vault_policy`."},
		},
	}
}

// Read requests the policy.
func (d *policyData) Read(ctx context.Context, request datasource.ReadRequest, response *datasource.ReadResponse) {
	var m policyModel
	response.Diagnostics.Append(request.Config.Get(ctx, &m)...)
	if response.Diagnostics.HasError() {
		return
	}
	vault, err := d.Connection.Client(ctx, m.Namespace.ValueString())
	var policy *client.Policy
	if err == nil {
		policy, err = vault.Policy(ctx, m.Role.ValueString(), map[string]string{
			"workspace": m.Workspace.ValueString(), "project": m.Project.ValueString(),
			"environment": m.Environment.ValueString(), "context": m.Context.ValueString(),
		})
	}
	if err != nil {
		subject := diagnose.Subject{Name: "policy for " + m.Role.ValueString(), Attribute: func(field string) (path.Path, bool) {
			_, ok := request.Config.Schema.GetAttributes()[field]
			return path.Root(field), ok
		}}
		diagnose.Report(&response.Diagnostics, "read the", subject, err)
		return
	}
	m.Description, m.Policy = types.StringValue(policy.Description), types.StringValue(policy.Policy)
	response.Diagnostics.Append(response.State.Set(ctx, &m)...)
}
