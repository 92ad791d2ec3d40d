package base

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Object is the model of a Kind whose attributes are declared as data, by name.
type Object map[string]tftypes.Value

var _ Raw = &Object{}

// FromTerraform sets the attributes from an object value. A null value has no attributes.
func (o *Object) FromTerraform(value tftypes.Value) error {
	*o = Object{}
	if value.IsNull() || !value.IsKnown() {
		return nil
	}
	return value.As((*map[string]tftypes.Value)(o))
}

// ToTerraform returns a value of the given object type. Missing attributes are null.
func (o *Object) ToTerraform(t tftypes.Type) (tftypes.Value, error) {
	object, ok := t.(tftypes.Object)
	if !ok {
		return tftypes.Value{}, fmt.Errorf("%s is not an object type", t)
	}
	all := map[string]tftypes.Value{}
	for name, attribute := range object.AttributeTypes {
		all[name] = tftypes.NewValue(attribute, nil)
		if value, ok := (*o)[name]; ok {
			all[name] = value
		}
	}
	return tftypes.NewValue(object, all), nil
}

// Given reports whether an attribute is not null. An unknown value counts as given.
func (o *Object) Given(name string) bool {
	value, ok := (*o)[name]
	return ok && !value.IsNull()
}

// Known reports whether an attribute's value is completely known.
func (o *Object) Known(name string) bool { return (*o)[name].IsFullyKnown() }

// Unknown marks an attribute as known only after apply.
func (o *Object) Unknown(name string, t tftypes.Type) {
	(*o)[name] = tftypes.NewValue(t, tftypes.UnknownValue)
}

// JSON returns an attribute in the form in which encoding/json decodes it; nil if it is null.
func (o *Object) JSON(name string) (any, error) {
	return toJSON((*o)[name])
}

// SetJSON sets an attribute of type t from a value that encoding/json decoded. Numbers are
// json.Number or int64.
func (o *Object) SetJSON(name string, t tftypes.Type, decoded any) error {
	value, err := fromJSON(t, decoded)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	(*o)[name] = value
	return nil
}

func toJSON(value tftypes.Value) (any, error) {
	if value.Type() == nil || value.IsNull() {
		return nil, nil
	}
	t := value.Type()
	switch {
	case t.Is(tftypes.String):
		var text string
		err := value.As(&text)
		return text, err
	case t.Is(tftypes.Bool):
		var truth bool
		err := value.As(&truth)
		return truth, err
	case t.Is(tftypes.Number):
		var number big.Float
		err := value.As(&number)
		return json.Number(number.Text('f', -1)), err
	case t.Is(tftypes.Map{}), t.Is(tftypes.Object{}):
		return mapToJSON(value)
	default:
		return listToJSON(value)
	}
}

func mapToJSON(value tftypes.Value) (any, error) {
	members := map[string]tftypes.Value{}
	if err := value.As(&members); err != nil {
		return nil, err
	}
	all := map[string]any{}
	for name, member := range members {
		decoded, err := toJSON(member)
		if err != nil {
			return nil, err
		}
		all[name] = decoded
	}
	return all, nil
}

func listToJSON(value tftypes.Value) (any, error) {
	var elements []tftypes.Value
	if err := value.As(&elements); err != nil {
		return nil, err
	}
	all := []any{}
	for _, element := range elements {
		decoded, err := toJSON(element)
		if err != nil {
			return nil, err
		}
		all = append(all, decoded)
	}
	return all, nil
}

func fromJSON(t tftypes.Type, decoded any) (tftypes.Value, error) {
	switch d := decoded.(type) {
	case nil:
		return tftypes.NewValue(t, nil), nil
	case []any:
		return listFromJSON(t, d)
	case map[string]any:
		return mapFromJSON(t, d)
	case json.Number:
		number, _, err := big.ParseFloat(d.String(), 10, 512, big.ToNearestEven)
		if err != nil {
			return tftypes.Value{}, errors.New("the engine returned an invalid number")
		}
		decoded = number
	}
	if err := tftypes.ValidateValue(t, decoded); err != nil {
		// The error of tftypes contains the decoded value and must not be printed.
		return tftypes.Value{}, fmt.Errorf("the engine returned a value that is not a %s", t)
	}
	return tftypes.NewValue(t, decoded), nil
}

func listFromJSON(t tftypes.Type, decoded []any) (tftypes.Value, error) {
	var element tftypes.Type
	switch t := t.(type) {
	case tftypes.List:
		element = t.ElementType
	case tftypes.Set:
		element = t.ElementType
	default:
		return tftypes.Value{}, fmt.Errorf("the engine returned a list instead of a %s", t)
	}
	all := make([]tftypes.Value, len(decoded))
	for i, d := range decoded {
		value, err := fromJSON(element, d)
		if err != nil {
			return tftypes.Value{}, err
		}
		all[i] = value
	}
	return tftypes.NewValue(t, all), nil
}

func mapFromJSON(t tftypes.Type, decoded map[string]any) (tftypes.Value, error) {
	if object, ok := t.(tftypes.Object); ok {
		return objectFromJSON(object, decoded)
	}
	m, ok := t.(tftypes.Map)
	if !ok {
		return tftypes.Value{}, fmt.Errorf("the engine returned a map instead of a %s", t)
	}
	all := map[string]tftypes.Value{}
	for name, d := range decoded {
		value, err := fromJSON(m.ElementType, d)
		if err != nil {
			return tftypes.Value{}, err
		}
		all[name] = value
	}
	return tftypes.NewValue(t, all), nil
}

// objectFromJSON converts the members that the object type has. Missing members are null.
func objectFromJSON(t tftypes.Object, decoded map[string]any) (tftypes.Value, error) {
	all := map[string]tftypes.Value{}
	for name, attribute := range t.AttributeTypes {
		value, err := fromJSON(attribute, decoded[name])
		if err != nil {
			return tftypes.Value{}, err
		}
		all[name] = value
	}
	return tftypes.NewValue(t, all), nil
}
