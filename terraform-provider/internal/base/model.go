package base

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// Raw is a model whose attributes are known only at run time.
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
		diagnose.Report(&diags, "read", diagnose.Subject{Name: "the data that Terraform sent"}, raw.FromTerraform(value))
		return diags
	}
	return from.Get(ctx, into)
}

// keep stores a model in a state.
func keep[M any](ctx context.Context, to *tfsdk.State, model *M) diag.Diagnostics {
	raw, ok := any(model).(Raw)
	if !ok {
		return to.Set(ctx, model)
	}
	var diags diag.Diagnostics
	value, err := raw.ToTerraform(to.Schema.Type().TerraformType(ctx))
	diagnose.Report(&diags, "store", diagnose.Subject{Name: "the response of the engine"}, err)
	if err == nil {
		to.Raw = value
	}
	return diags
}
