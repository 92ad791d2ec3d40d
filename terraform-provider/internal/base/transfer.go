package base

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// Raw is a model whose attributes are known at run time only.
type Raw interface {
	FromTerraform(tftypes.Value) error
	ToTerraform(tftypes.Type) (tftypes.Value, error)
}

type source interface {
	Get(ctx context.Context, target any) diag.Diagnostics
}

// load fills a model from a plan, state or configuration.
func load[M any](ctx context.Context, from source, value tftypes.Value, into *M) diag.Diagnostics {
	if raw, ok := any(into).(Raw); ok {
		var diags diag.Diagnostics
		diagnose.Report(&diags, "understand", diagnose.Subject{Name: "what Terraform sends"}, raw.FromTerraform(value))
		return diags
	}
	return from.Get(ctx, into)
}

// keep puts a model into a state.
func keep[M any](ctx context.Context, to *tfsdk.State, model *M) diag.Diagnostics {
	raw, ok := any(model).(Raw)
	if !ok {
		return to.Set(ctx, model)
	}
	var diags diag.Diagnostics
	value, err := raw.ToTerraform(to.Schema.Type().TerraformType(ctx))
	diagnose.Report(&diags, "store", diagnose.Subject{Name: "what the engine answers"}, err)
	if err == nil {
		to.Raw = value
	}
	return diags
}

// ImportState takes an id, or an identity, apart. Terraform reads the resource afterwards.
func (r *managed[M]) ImportState(ctx context.Context, request resource.ImportStateRequest, response *resource.ImportStateResponse) {
	at, ok := r.imported(ctx, request, &response.Diagnostics)
	if !ok {
		return
	}
	set := func(name, value string) {
		response.Diagnostics.Append(response.State.SetAttribute(ctx, path.Root(name), value)...)
	}
	set("id", at.id())
	if at.namespace != "" {
		set("engine_namespace", at.namespace)
	}
	for i, key := range r.keys() {
		set(key, at.names[i])
	}
	response.Diagnostics.Append(r.identify(ctx, response.Identity, at)...)
	if r.kind.Imported != nil {
		r.failed(&response.Diagnostics, "import", at, private{to: response.Private}.Keep(ctx, r.kind.Imported))
	}
}

func (r *managed[M]) imported(ctx context.Context, request resource.ImportStateRequest, diags *diag.Diagnostics) (place, bool) {
	if request.ID != "" || request.Identity == nil {
		at, err := parseID(request.ID, r.keys())
		diagnose.Report(diags, "import", diagnose.Subject{Name: TypePrefix + r.kind.Name}, err)
		return at, err == nil
	}
	var at place
	get := func(name string) string {
		var value types.String
		diags.Append(request.Identity.GetAttribute(ctx, path.Root(name), &value)...)
		return value.ValueString()
	}
	at.namespace = get("engine_namespace")
	for _, key := range r.keys() {
		at.names = append(at.names, get(key))
	}
	return at, !diags.HasError()
}

// ModifyPlan says what the id will be as soon as it is known, and lets the kind have its say.
func (r *managed[M]) ModifyPlan(ctx context.Context, request resource.ModifyPlanRequest, response *resource.ModifyPlanResponse) {
	if request.Plan.Raw.IsNull() {
		return
	}
	diags := &response.Diagnostics
	if r.kind.Plan != nil {
		at, _ := r.place(ctx, &tfsdk.State{Raw: request.Plan.Raw, Schema: request.Plan.Schema})
		call := &PlanCall[M]{
			Connection: r.Connection, Names: at.names, Creates: request.State.Raw.IsNull(),
			private: private{from: request.Private, to: response.Private}, namespace: at.namespace, diags: diags,
		}
		diags.Append(load(ctx, request.Plan, request.Plan.Raw, &call.Model)...)
		diags.Append(load(ctx, request.Config, request.Config.Raw, &call.Config)...)
		if !call.Creates {
			diags.Append(load(ctx, request.State, request.State.Raw, &call.Prior)...)
		}
		if diags.HasError() {
			return
		}
		if r.failed(diags, "plan", at, r.kind.Plan(ctx, call)) {
			return
		}
		planned := tfsdk.State{Raw: response.Plan.Raw, Schema: response.Plan.Schema}
		diags.Append(keep(ctx, &planned, &call.Model)...)
		response.Plan.Raw = planned.Raw
	}
	r.planID(ctx, response)
}

func (r *managed[M]) planID(ctx context.Context, response *resource.ModifyPlanResponse) {
	for _, name := range append(r.keys(), "engine_namespace") {
		var value types.String
		response.Diagnostics.Append(response.Plan.GetAttribute(ctx, path.Root(name), &value)...)
		if value.IsUnknown() {
			return
		}
	}
	at, diags := r.place(ctx, &tfsdk.State{Raw: response.Plan.Raw, Schema: response.Plan.Schema})
	response.Diagnostics.Append(diags...)
	response.Diagnostics.Append(response.Plan.SetAttribute(ctx, path.Root("id"), at.id())...)
}
