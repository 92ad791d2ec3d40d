package derived

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// ValidateString checks a Text.
func (c check) ValidateString(_ context.Context, request validator.StringRequest, response *validator.StringResponse) {
	if !request.ConfigValue.IsNull() && !request.ConfigValue.IsUnknown() {
		c.refuse(request.Path, request.ConfigValue.ValueString(), &response.Diagnostics)
	}
}

// ValidateInt64 checks a Whole.
func (c check) ValidateInt64(_ context.Context, request validator.Int64Request, response *validator.Int64Response) {
	if !request.ConfigValue.IsNull() && !request.ConfigValue.IsUnknown() {
		c.refuse(request.Path, int(request.ConfigValue.ValueInt64()), &response.Diagnostics)
	}
}

// ValidateSet checks a Words.
func (c check) ValidateSet(ctx context.Context, request validator.SetRequest, response *validator.SetResponse) {
	if request.ConfigValue.IsNull() || request.ConfigValue.IsUnknown() {
		return
	}
	for _, element := range request.ConfigValue.Elements() {
		if element.IsUnknown() {
			return
		}
	}
	var all []string
	response.Diagnostics.Append(request.ConfigValue.ElementsAs(ctx, &all, false)...)
	if !response.Diagnostics.HasError() {
		c.refuse(request.Path, all, &response.Diagnostics)
	}
}

// refuse reports what a legal value is. The message contains nothing of the given value.
func (c check) refuse(at path.Path, value any, diags *diag.Diagnostics) {
	_, err := provider.Complete([]provider.Field{c.field}, provider.Values{c.field.Name: value})
	var wrong *provider.FieldError
	if errors.As(err, &wrong) {
		diagnose.Invalid(diags, at, wrong.Field+" "+wrong.Want)
	}
}
