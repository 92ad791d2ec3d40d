package base

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// ModifyPlan plans the id as soon as it is known, and calls Plan of the Kind.
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
