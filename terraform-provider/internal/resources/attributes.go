package resources

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/setdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// An attribute with a default is fully managed. If the configuration omits it, the engine's field
// is reset to the default.

func textWithDefault(help string) schema.StringAttribute {
	return schema.StringAttribute{Optional: true, Computed: true, Default: stringdefault.StaticString(""), MarkdownDescription: help + " Default: empty."}
}

func boolWithDefault(help string) schema.BoolAttribute {
	return schema.BoolAttribute{Optional: true, Computed: true, Default: booldefault.StaticBool(false), MarkdownDescription: help + " Default: `false`."}
}

func numberWithDefault(help string, most int64) schema.Int64Attribute {
	return schema.Int64Attribute{
		Optional: true, Computed: true, Default: int64default.StaticInt64(0), MarkdownDescription: help,
		Validators: []validator.Int64{int64validator.Between(0, most)},
	}
}

func textsByNameWithDefault(help string) schema.MapAttribute {
	return schema.MapAttribute{
		Optional: true, Computed: true, ElementType: types.StringType, MarkdownDescription: help + " Default: none.",
		Default: mapdefault.StaticValue(types.MapValueMust(types.StringType, map[string]attr.Value{})),
	}
}

func textsWithDefault(help string) schema.SetAttribute {
	return schema.SetAttribute{
		Optional: true, Computed: true, ElementType: types.StringType, MarkdownDescription: help + " Default: none.",
		Default: setdefault.StaticValue(types.SetValueMust(types.StringType, []attr.Value{})),
	}
}

// choice makes an attribute with a closed list of values. The check, the documentation and the
// error use the same list.
func choice(help string, values ...string) schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, MarkdownDescription: base.WithChoices(help, values...), Validators: []validator.String{stringvalidator.OneOf(values...)},
	}
}

func choiceWithDefault(help string, values ...string) schema.StringAttribute {
	attribute := choice(help, values...)
	attribute.Computed, attribute.Default = true, stringdefault.StaticString(values[0])
	attribute.MarkdownDescription += " Default: `" + values[0] + "`."
	return attribute
}

// createdTime changes only if the object is recreated, so the plan of an update keeps the value.
func createdTime(what string) schema.StringAttribute {
	return schema.StringAttribute{
		Computed: true, MarkdownDescription: "When " + what + " was created, RFC 3339 in UTC.",
		PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
	}
}

func texts(ctx context.Context, m types.Map) (map[string]string, error) {
	all := map[string]string{}
	if m.IsNull() || m.IsUnknown() {
		return all, nil
	}
	diags := m.ElementsAs(ctx, &all, false)
	return all, diagnose.Unexpected(diags)
}

// words returns the elements of a set, sorted; nil if the set is null.
func words(ctx context.Context, s types.Set) ([]string, error) {
	if s.IsNull() || s.IsUnknown() {
		return nil, nil
	}
	all := []string{}
	diags := s.ElementsAs(ctx, &all, false)
	slices.Sort(all)
	return all, diagnose.Unexpected(diags)
}

func set(ctx context.Context, all []string) (types.Set, error) {
	if all == nil {
		all = []string{}
	}
	s, diags := types.SetValueFrom(ctx, types.StringType, all)
	return s, diagnose.Unexpected(diags)
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
