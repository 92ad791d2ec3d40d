package base

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// ImportState parses an id or reads an identity. Terraform then reads the resource.
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
	for i, key := range r.kind.Keys {
		set(key.Name, at.names[i])
	}
	r.identify(ctx, response.Identity, at)
}

func (r *managed[M]) imported(ctx context.Context, request resource.ImportStateRequest, diags *diag.Diagnostics) (place, bool) {
	if request.ID != "" || request.Identity == nil {
		at, err := parseID(request.ID, r.kind.Keys)
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
	for _, key := range r.kind.Keys {
		at.names = append(at.names, get(key.Name))
	}
	if !diags.HasError() {
		diagnose.Report(diags, "import", diagnose.Subject{Name: TypePrefix + r.kind.Name}, at.check(r.kind.Keys))
	}
	return at, !diags.HasError()
}
