package base

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

type modelOfTest struct {
	Model
	Text   types.String `tfsdk:"text"`
	Truth  types.Bool   `tfsdk:"truth"`
	Number types.Int64  `tfsdk:"number"`
	Words  types.Set    `tfsdk:"words"`
	Texts  types.Map    `tfsdk:"texts"`
}

func schemaOfTest() schema.Schema {
	return schema.Schema{Attributes: map[string]schema.Attribute{
		"id": schema.StringAttribute{}, "engine_namespace": schema.StringAttribute{}, "text": schema.StringAttribute{}, "truth": schema.BoolAttribute{},
		"number": schema.Int64Attribute{}, "words": schema.SetAttribute{ElementType: types.StringType}, "texts": schema.MapAttribute{ElementType: types.StringType},
	}}
}

func TestAModelTravelsToTerraformAndBack(t *testing.T) {
	s := schemaOfTest()
	object := s.Type().TerraformType(t.Context()).(tftypes.Object)
	value := func(what any, one, word, texts any) tftypes.Value {
		return tftypes.NewValue(object, map[string]tftypes.Value{
			"id": tftypes.NewValue(tftypes.String, "a"), "engine_namespace": tftypes.NewValue(tftypes.String, nil),
			"text": tftypes.NewValue(tftypes.String, what), "truth": tftypes.NewValue(tftypes.Bool, nil), "number": tftypes.NewValue(tftypes.Number, one),
			"words": tftypes.NewValue(tftypes.Set{ElementType: tftypes.String}, word), "texts": tftypes.NewValue(tftypes.Map{ElementType: tftypes.String}, texts),
		})
	}
	text := tftypes.NewValue(tftypes.String, "w")
	for name, want := range map[string]tftypes.Value{
		"known":   value("x", 7, []tftypes.Value{text}, map[string]tftypes.Value{"k": text}),
		"null":    value(nil, nil, nil, nil),
		"unknown": value(tftypes.UnknownValue, tftypes.UnknownValue, tftypes.UnknownValue, tftypes.UnknownValue),
	} {
		t.Run(name, func(t *testing.T) {
			var model modelOfTest
			if d := load(t.Context(), want, s, &model); d.HasError() {
				t.Fatal(d)
			}
			if model.ID.ValueString() != "a" || name == "known" && (model.Number.ValueInt64() != 7 || len(model.Words.Elements()) != 1) {
				t.Errorf("%+v", model)
			}
			state := tfsdk.State{Schema: s}
			if d := keep(t.Context(), &state, &model); d.HasError() || !state.Raw.Equal(want) {
				t.Errorf("%v, want %v (%v)", state.Raw, want, d)
			}
		})
	}
	// The set of a zero model has no element type.
	state := tfsdk.State{Schema: s}
	if d := keep(t.Context(), &state, &modelOfTest{}); d.HasError() {
		t.Error(d)
	}
	// A null object has no attributes.
	model := modelOfTest{Text: types.StringValue("kept")}
	if d := load(t.Context(), tftypes.NewValue(object, nil), s, &model); d.HasError() || model.Text.ValueString() != "kept" {
		t.Errorf("%+v (%v)", model, d)
	}
}

// A model and its schema are written by hand, so they can differ. The error contains no value.
func TestAModelThatDiffersFromItsSchemaIsReported(t *testing.T) {
	s := schemaOfTest()
	delete(s.Attributes, "text")
	var model modelOfTest
	object := s.Type().TerraformType(t.Context()).(tftypes.Object)
	if err := fromTerraform(t.Context(), tftypes.NewValue(object, map[string]tftypes.Value{
		"id": tftypes.NewValue(tftypes.String, "planted"), "engine_namespace": tftypes.NewValue(tftypes.String, nil), "truth": tftypes.NewValue(tftypes.Bool, nil),
		"number": tftypes.NewValue(tftypes.Number, nil), "words": tftypes.NewValue(tftypes.Set{ElementType: tftypes.String}, nil),
		"texts": tftypes.NewValue(tftypes.Map{ElementType: tftypes.String}, nil),
	}), s, reflect.ValueOf(&model).Elem()); err == nil || !strings.Contains(err.Error(), "text") || strings.Contains(err.Error(), "planted") {
		t.Errorf("a field without an attribute: %v", err)
	}
	for name, attribute := range map[string]schema.Attribute{"more": schema.StringAttribute{}, "number": schema.StringAttribute{}} {
		s := schemaOfTest()
		s.Attributes[name] = attribute
		_, err := toTerraform(t.Context(), s.Type().TerraformType(t.Context()), reflect.ValueOf(modelOfTest{Number: types.Int64Value(1)}))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
