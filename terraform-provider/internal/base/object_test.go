package base

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

func TestAnAttributeTravelsAsJSONAndBack(t *testing.T) {
	list, set := tftypes.List{ElementType: tftypes.String}, tftypes.Set{ElementType: tftypes.String}
	cases := []struct {
		name string
		kind tftypes.Type
		json any
	}{
		{"text", tftypes.String, "a"},
		{"number", tftypes.Number, json.Number("4294967296")},
		{"truth", tftypes.Bool, true},
		{"list", list, []any{"a", "b"}},
		{"set", set, []any{"a"}},
		{"map", tftypes.Map{ElementType: tftypes.Number}, map[string]any{"a": json.Number("1")}},
		{"empty list", list, []any{}},
		{"list of objects", tftypes.List{ElementType: tftypes.Object{AttributeTypes: map[string]tftypes.Type{"a": tftypes.String, "b": tftypes.Bool}}}, []any{map[string]any{"a": "x", "b": nil}}},
		{"nothing", tftypes.String, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := Object{}
			if err := o.SetJSON("it", c.kind, c.json); err != nil {
				t.Fatal(err)
			}
			whole, err := o.ToTerraform(tftypes.Object{AttributeTypes: map[string]tftypes.Type{"it": c.kind, "other": tftypes.Bool}})
			if err != nil {
				t.Fatal(err)
			}
			var back Object
			if err := back.FromTerraform(whole); err != nil {
				t.Fatal(err)
			}
			got, err := back.JSON("it")
			if err != nil || !reflect.DeepEqual(got, c.json) {
				t.Errorf("%#v, want %#v (%v)", got, c.json, err)
			}
			if back.Given("it") != (c.json != nil) || back.Given("other") || back.Given("nothing") {
				t.Error("Given is wrong")
			}
		})
	}
}

// A value of another type is refused, and the error contains nothing of it.
func TestAnAnswerOfAnotherFormIsRefused(t *testing.T) {
	cases := map[string]struct {
		kind tftypes.Type
		json any
	}{
		"text for a number": {tftypes.Number, "planted"},
		"list for a text":   {tftypes.String, []any{"planted"}},
		"map for a list":    {tftypes.List{ElementType: tftypes.String}, map[string]any{"planted": "planted"}},
		"inside a list":     {tftypes.List{ElementType: tftypes.Bool}, []any{"planted"}},
		"inside a map":      {tftypes.Map{ElementType: tftypes.Bool}, map[string]any{"a": "planted"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := Object{}
			err := o.SetJSON("it", c.kind, c.json)
			if err == nil || strings.Contains(err.Error(), "planted") || !strings.HasPrefix(err.Error(), "it: ") {
				t.Error(err)
			}
		})
	}
}
