// Package derived owns the resources that derive from declarations:
// stashbase_integration_<provider>, stashbase_sync_<destination> and stashbase_sync_status. A field
// is declared once, in shared/provider. Its attribute, default, checks and documentation are made
// from that declaration. The package knows no provider by name.
package derived

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/boolplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/setdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/setplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
)

// column is a field of the engine together with its attribute, which has the same name.
type column struct {
	provider.Field
	// sometimes is set for a field that only some auth kinds have. If the configuration omits it,
	// the attribute is null and nothing is sent.
	sometimes bool
}

// words is the Terraform type of a Words field, whose order has no meaning.
func words() tftypes.Type { return tftypes.Set{ElementType: tftypes.String} }

func (c column) kind() tftypes.Type {
	switch c.Type {
	case provider.Flag:
		return tftypes.Bool
	case provider.Whole:
		return tftypes.Number
	case provider.Words:
		return words()
	default:
		return tftypes.String
	}
}

// fallback returns the field's value if none is given, as encoding/json decodes it.
func (c column) fallback() any {
	switch value := c.Default.(type) {
	case string, bool:
		return value
	case int:
		return json.Number(strconv.Itoa(value))
	case []string:
		all := make([]any, len(value))
		for i, word := range value {
			all[i] = word
		}
		return all
	}
	switch c.Type {
	case provider.Flag:
		return false
	case provider.Whole:
		return json.Number("0")
	case provider.Words:
		return []any{}
	default:
		return ""
	}
}

// attribute makes the attribute. A field that is not required and exists for every auth kind has
// its default in the plan. Omitting it from the configuration therefore restores the default.
func (c column) attribute() schema.Attribute {
	required, computed, help := c.Required && !c.sometimes, !c.Required && !c.sometimes, c.help()
	switch c.Type {
	case provider.Flag:
		a := schema.BoolAttribute{Required: required, Optional: !required, Computed: computed, MarkdownDescription: help}
		if fallback, ok := c.fallback().(bool); ok && computed {
			a.Default = booldefault.StaticBool(fallback)
		}
		if c.Fixed {
			a.PlanModifiers = []planmodifier.Bool{boolplanmodifier.RequiresReplace()}
		}
		return a
	case provider.Whole:
		a := schema.Int64Attribute{Required: required, Optional: !required, Computed: computed, MarkdownDescription: help, Validators: []validator.Int64{check{c.Field}}}
		if computed {
			fallback, _ := c.Default.(int) // 0 without a default
			a.Default = int64default.StaticInt64(int64(fallback))
		}
		if c.Fixed {
			a.PlanModifiers = []planmodifier.Int64{int64planmodifier.RequiresReplace()}
		}
		return a
	case provider.Words:
		a := schema.SetAttribute{Required: required, Optional: !required, Computed: computed, ElementType: types.StringType, MarkdownDescription: help, Validators: []validator.Set{check{c.Field}}}
		if computed {
			a.Default = setdefault.StaticValue(c.fallbackSet())
		}
		if c.Fixed {
			a.PlanModifiers = []planmodifier.Set{setplanmodifier.RequiresReplace()}
		}
		return a
	default:
		return c.text(required, computed, help)
	}
}

func (c column) text(required, computed bool, help string) schema.Attribute {
	a := schema.StringAttribute{Required: required, Optional: !required, Computed: computed, MarkdownDescription: help, Validators: []validator.String{check{c.Field}}}
	if len(c.Choices) > 0 {
		a.Validators = append(a.Validators, stringvalidator.OneOf(c.Choices...))
	}
	if fallback, ok := c.fallback().(string); ok && computed {
		a.Default = stringdefault.StaticString(fallback)
	}
	if c.Fixed {
		a.PlanModifiers = []planmodifier.String{c.replaces()}
	}
	return a
}

// replaces replaces the resource if a fixed text changes. Another form of the same text, such as
// "team/" for "team", changes nothing in the engine.
func (c column) replaces() planmodifier.String {
	const help = "Changing it replaces the resource."
	return stringplanmodifier.RequiresReplaceIf(func(_ context.Context, r planmodifier.StringRequest, to *stringplanmodifier.RequiresReplaceIfFuncResponse) {
		to.RequiresReplace = r.PlanValue.IsUnknown() || c.Stored(r.PlanValue.ValueString()) != c.Stored(r.StateValue.ValueString())
	}, help, help)
}

// changed reports whether a plan changes the column, apart from the form in which it is given.
func (c column) changed(plan, prior *base.Object) bool {
	now, then := (*plan)[c.Name], (*prior)[c.Name]
	if now.Equal(then) {
		return false
	}
	a, errA := plan.JSON(c.Name)
	b, errB := prior.JSON(c.Name)
	return errA != nil || errB != nil || !equal(c.Stored(a), c.Stored(b))
}

func (c column) fallbackSet() types.Set {
	all := []attr.Value{}
	if value, ok := c.Default.([]string); ok {
		for _, word := range value {
			all = append(all, types.StringValue(word))
		}
	}
	return types.SetValueMust(types.StringType, all)
}

func (c column) help() string {
	help := base.WithChoices(c.Help, c.Choices...)
	switch value := c.Default.(type) {
	case string:
		help += " Default: `" + value + "`."
	case int:
		help += " Default: `" + strconv.Itoa(value) + "`."
	case bool:
		help += " Default: `" + strconv.FormatBool(value) + "`."
	}
	if c.Example != "" {
		help += " Example: `" + c.Example + "`."
	}
	if c.Endpoint != provider.NotEndpoint {
		help += " A credential works only with the endpoint it was supplied for; changing this attribute supplies the credential again."
	}
	if c.Fixed {
		help += " Changing it replaces the resource."
	}
	return help
}

// sent returns the columns of a plan in the form in which the engine accepts them. A column that is
// null in the plan but not in the prior state is reset.
func sent(columns []column, plan, prior *base.Object) (map[string]any, error) {
	body := map[string]any{}
	for _, c := range columns {
		if !plan.Given(c.Name) && !prior.Given(c.Name) {
			continue
		}
		value, err := plan.JSON(c.Name)
		if err != nil {
			return nil, err
		}
		body[c.Name] = value
	}
	return body, nil
}

// fill sets the columns of a model from the engine's response. A column that is null in the state
// stays null while the engine has its default.
func fill(columns []column, model *base.Object, response map[string]any) error {
	for _, c := range columns {
		value := response[c.Name]
		if c.sometimes && !model.Given(c.Name) && (value == nil || equal(value, c.fallback())) {
			continue
		}
		// The engine returns the normal form. The state keeps the form of the configuration, so
		// that the next plan is empty.
		if given, err := model.JSON(c.Name); c.Normal != nil && err == nil && given != nil && equal(c.Stored(given), value) {
			continue
		}
		if value == nil && !c.sometimes {
			value = c.fallback()
		}
		if err := model.SetJSON(c.Name, c.kind(), value); err != nil {
			return err
		}
	}
	return nil
}

func equal(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// check checks a value against the provider's own rule during the plan.
type check struct{ field provider.Field }

var (
	_ validator.String = check{}
	_ validator.Int64  = check{}
	_ validator.Set    = check{}
)

// Description returns the short help of the field.
func (c check) Description(context.Context) string { return provider.Short(c.field.Help) }

// MarkdownDescription returns the same as Description.
func (c check) MarkdownDescription(ctx context.Context) string { return c.Description(ctx) }
