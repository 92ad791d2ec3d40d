package base

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/attr"
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

// load fills a model from the value of a plan, state or configuration. Of a null value, it leaves
// the model as it is.
func load[M any](ctx context.Context, value tftypes.Value, schema shape, into *M) diag.Diagnostics {
	var diags diag.Diagnostics
	var err error
	if raw, ok := any(into).(Raw); ok {
		err = raw.FromTerraform(value)
	} else {
		err = fromTerraform(ctx, value, schema, reflect.ValueOf(into).Elem())
	}
	diagnose.Report(&diags, "read", diagnose.Subject{Name: "the data that Terraform sent"}, err)
	return diags
}

// keep stores a model in a state.
func keep[M any](ctx context.Context, to *tfsdk.State, model *M) diag.Diagnostics {
	var diags diag.Diagnostics
	var value tftypes.Value
	var err error
	if raw, ok := any(model).(Raw); ok {
		value, err = raw.ToTerraform(to.Schema.Type().TerraformType(ctx))
	} else {
		value, err = toTerraform(ctx, to.Schema.Type().TerraformType(ctx), reflect.ValueOf(model).Elem())
	}
	diagnose.Report(&diags, "store", diagnose.Subject{Name: "the response of the engine"}, err)
	if err == nil {
		to.Raw = value
	}
	return diags
}

// The framework can fill a struct too, but it compiles a regular expression for each field each
// time. For a plan over many resources, that was a sixth of the provider's processor time.

// shape is the schema of a plan, state or configuration.
type shape interface{ Type() attr.Type }

// fields caches the index of each field by its attribute, for each type of model.
var fields sync.Map // reflect.Type to map[string][]int

// fieldsOf returns the fields of a model by the name in their `tfsdk` tag.
func fieldsOf(model reflect.Type) map[string][]int {
	if known, ok := fields.Load(model); ok {
		return known.(map[string][]int) //nolint:forcetypeassert // No other type is stored.
	}
	all := map[string][]int{}
	for _, field := range reflect.VisibleFields(model) {
		if name := field.Tag.Get("tfsdk"); name != "" {
			all[name] = field.Index
		}
	}
	fields.Store(model, all)
	return all
}

func fromTerraform(ctx context.Context, value tftypes.Value, schema shape, model reflect.Value) error {
	object, ok := schema.Type().(attr.TypeWithAttributeTypes)
	if !ok {
		return errors.New("the schema is not an object")
	}
	if value.IsNull() {
		return nil
	}
	attributes := map[string]tftypes.Value{}
	if err := value.As(&attributes); err != nil {
		return err
	}
	kinds := object.AttributeTypes()
	for name, index := range fieldsOf(model.Type()) {
		kind, ok := kinds[name]
		if !ok {
			return fmt.Errorf("the schema has no attribute %s", name)
		}
		decoded, err := kind.ValueFromTerraform(ctx, attributes[name])
		if err != nil {
			return fmt.Errorf("%s: not a value of the attribute's type", name) // the error may contain the value
		}
		model.FieldByIndex(index).Set(reflect.ValueOf(decoded))
	}
	return nil
}

func toTerraform(ctx context.Context, t tftypes.Type, model reflect.Value) (tftypes.Value, error) {
	object, ok := t.(tftypes.Object)
	if !ok {
		return tftypes.Value{}, errors.New("the schema is not an object")
	}
	indexes, all := fieldsOf(model.Type()), make(map[string]tftypes.Value, len(object.AttributeTypes))
	for name, kind := range object.AttributeTypes {
		index, ok := indexes[name]
		if !ok {
			return tftypes.Value{}, fmt.Errorf("the model has no attribute %s", name)
		}
		value, ok := model.FieldByIndex(index).Interface().(attr.Value)
		switch {
		case !ok:
			return tftypes.Value{}, fmt.Errorf("the model's attribute %s is no value of the framework", name)
		case value.IsNull():
			all[name] = tftypes.NewValue(kind, nil)
		default:
			encoded, err := value.ToTerraformValue(ctx)
			if err != nil || !encoded.Type().Equal(kind) {
				return tftypes.Value{}, fmt.Errorf("%s: not a value of the attribute's type", name) // the error may contain the value
			}
			all[name] = encoded
		}
	}
	return tftypes.NewValue(object, all), nil
}
