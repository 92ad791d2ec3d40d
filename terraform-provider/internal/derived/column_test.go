package derived

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/vault"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
)

// mount returns the column of a setting that the engine stores without slashes at its ends.
func mount(t *testing.T) column {
	t.Helper()
	for _, f := range vault.New().Declare().Destinations[0].Fields {
		if f.Name == "mount" {
			return column{Field: f}
		}
	}
	t.Fatal("vault-kv has no field mount")
	return column{}
}

func model(value any) base.Object {
	return base.Object{"mount": tftypes.NewValue(tftypes.String, value)}
}

// A state that differs from the configuration only in the form of a value would show a change, or a
// replacement, in every plan.
func TestTheStateKeepsTheFormOfTheConfiguration(t *testing.T) {
	for _, c := range []struct {
		name, want string
		state      any
		engine     string
	}{
		{"another form of the same", "team/", "team/", "team"},
		{"the same form", "team", "team", "team"},
		{"another value", "other", "team/", "other"},
		{"nothing, as after an import", "team", nil, "team"},
	} {
		got := model(c.state)
		if err := fill([]column{mount(t)}, &got, map[string]any{"mount": c.engine}); err != nil {
			t.Fatal(err)
		}
		if !got["mount"].Equal(tftypes.NewValue(tftypes.String, c.want)) {
			t.Errorf("%s: the state has %v, want %q", c.name, got["mount"], c.want)
		}
	}
}

func TestAnotherFormOfAFixedValueReplacesNothing(t *testing.T) {
	attribute, ok := mount(t).attribute().(schema.StringAttribute)
	if !ok || len(attribute.PlanModifiers) != 1 {
		t.Fatalf("the attribute is %+v", attribute)
	}
	for _, c := range []struct {
		before, after string
		want          bool
	}{{"team", "team/", false}, {"/team/", "team", false}, {"team", "other", true}, {"team/", "other/", true}} {
		raw := func(value string) tftypes.Value {
			return tftypes.NewValue(tftypes.Object{AttributeTypes: map[string]tftypes.Type{"mount": tftypes.String}}, map[string]tftypes.Value(model(value)))
		}
		s := schema.Schema{Attributes: map[string]schema.Attribute{"mount": attribute}}
		response := planmodifier.StringResponse{PlanValue: types.StringValue(c.after)}
		attribute.PlanModifiers[0].PlanModifyString(t.Context(), planmodifier.StringRequest{
			Path: path.Root("mount"), State: tfsdk.State{Raw: raw(c.before), Schema: s}, Plan: tfsdk.Plan{Raw: raw(c.after), Schema: s},
			StateValue: types.StringValue(c.before), PlanValue: types.StringValue(c.after), ConfigValue: types.StringValue(c.after),
		}, &response)
		before, after := model(c.before), model(c.after)
		if changed := mount(t).changed(&after, &before); response.RequiresReplace != c.want || changed != c.want {
			t.Errorf("from %q to %q: replaced %t, changed %t; want %t", c.before, c.after, response.RequiresReplace, changed, c.want)
		}
	}
	unknown, before := base.Object{"mount": tftypes.NewValue(tftypes.String, tftypes.UnknownValue)}, model("team")
	if !mount(t).changed(&unknown, &before) {
		t.Error("a value that is not known yet counts as unchanged")
	}
	words := column{Field: provider.Field{Name: "words", Type: provider.Words}}
	set := func(all ...string) base.Object {
		values := make([]tftypes.Value, len(all))
		for i, word := range all {
			values[i] = tftypes.NewValue(tftypes.String, word)
		}
		return base.Object{"words": tftypes.NewValue(words.kind(), values)}
	}
	one, other := set("a", "b"), set("a", "c")
	if words.changed(&one, &one) || !words.changed(&one, &other) {
		t.Error("a set of words is compared wrongly")
	}
}
