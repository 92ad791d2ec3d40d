// Package derived has the resources that follow from what providers declare: stashbase_integration_<provider> and
// stashbase_sync_<destination>. A field is declared once, in shared/provider; its attribute, default, checks and documentation are
// made of that here, and no provider is known by name.
package derived

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

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

// column is a field of the engine with its attribute, which has the same name.
type column struct {
	provider.Field
	// sometimes is a field that only some auth kinds have: where it is left out, the attribute is null and nothing is sent.
	sometimes bool
}

// words is what a Words field is in Terraform: their order means nothing.
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

// fallback is the field where none is given, as encoding/json decodes it.
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

// attribute makes the attribute. What is neither required nor of one auth kind alone has its default in the plan, so that leaving it
// out of a configuration brings the default back.
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
			fallback, _ := c.Default.(int) // zero where there is no default
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
		a.PlanModifiers = []planmodifier.String{stringplanmodifier.RequiresReplace()}
	}
	return a
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
	help := c.Help
	if len(c.Choices) > 0 {
		help += " One of: `" + strings.Join(c.Choices, "`, `") + "`."
	}
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
		help += " A credential opens only under the endpoint it was supplied with: a change supplies it again."
	}
	if c.Fixed {
		help += " Another one makes another object."
	}
	return help
}

// sent are the columns of a plan as the engine takes them. One that is null in the plan and was not before is reset.
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

// fill brings a model to what the engine answers. A column that is null in the state stays so while the engine has its default.
func fill(columns []column, model *base.Object, answer map[string]any) error {
	for _, c := range columns {
		value := answer[c.Name]
		if c.sometimes && !model.Given(c.Name) && (value == nil || equal(value, c.fallback())) {
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

// check holds a value against the provider's own rule while Terraform plans.
type check struct{ field provider.Field }

var (
	_ validator.String = check{}
	_ validator.Int64  = check{}
	_ validator.Set    = check{}
)

// Description says what the rule is about.
func (c check) Description(context.Context) string { return provider.Short(c.field.Help) }

// MarkdownDescription is Description.
func (c check) MarkdownDescription(ctx context.Context) string { return c.Description(ctx) }
