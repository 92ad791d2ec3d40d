package derived

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
)

func declaration(t *testing.T) provider.Declaration {
	t.Helper()
	p, _ := toy.New()
	return p.Declare()
}

func schemaOf(t *testing.T, made resource.Resource) schema.Schema {
	t.Helper()
	var response resource.SchemaResponse
	made.Schema(t.Context(), resource.SchemaRequest{}, &response)
	if d := response.Schema.ValidateImplementation(t.Context()); d.HasError() {
		t.Fatal(d)
	}
	return response.Schema
}

// A new provider needs one folder and one line in the catalog. This test names nothing of the toy
// provider except what its declaration has, and its resource has all of it.
func TestAResourceHasWhatAProviderDeclares(t *testing.T) {
	made := Integration(declaration(t))()
	var meta resource.MetadataResponse
	made.Metadata(t.Context(), resource.MetadataRequest{}, &meta)
	if meta.TypeName != "stashbase_integration_toy" {
		t.Error(meta.TypeName)
	}
	s := schemaOf(t, made)
	want := []string{
		"account", "address", "allowed_environments", "allowed_targets", "auth", "description", "engine_namespace", "expires_time", "generation", "id",
		"key_wo", "key_wo_version", "labels", "name", "page_size", "password_wo", "password_wo_version", "read_only", "region", "state", "workspace",
	}
	if got := slices.Sorted(maps.Keys(s.Attributes)); !slices.Equal(got, want) {
		t.Errorf("attributes %v, want %v", got, want)
	}
	for _, name := range []string{"key_wo", "password_wo"} {
		if a := s.Attributes[name]; !a.IsWriteOnly() || !a.IsSensitive() || !a.IsOptional() {
			t.Errorf("%s is not write-only, sensitive and optional", name)
		}
	}
	for name, text := range map[string]string{"region": "One of: `eu`, `us`. Default: `eu`.", "page_size": "Default: `100`.", "address": "changing this attribute supplies the credential again", "auth": "Default: `key`"} {
		if help := s.Attributes[name].GetMarkdownDescription(); !strings.Contains(help, text) {
			t.Errorf("the help of %s has no %q: %s", name, text, help)
		}
	}
	if account := s.Attributes["account"]; !account.IsOptional() || account.IsComputed() {
		t.Error("account is required by one auth kind only, but is not just optional")
	}
}

func object(all map[string]any) *base.Object {
	o := base.Object{}
	for name, value := range all {
		switch value := value.(type) {
		case string:
			o[name] = tftypes.NewValue(tftypes.String, value)
		case int:
			o[name] = tftypes.NewValue(tftypes.Number, value)
		}
	}
	return &o
}

func with(all map[string]any, changes map[string]any) *base.Object {
	merged := maps.Clone(all)
	maps.Copy(merged, changes)
	return object(merged)
}

func TestWhenACredentialIsSupplied(t *testing.T) {
	d := declaration(t)
	r := &integration{Declaration: d, columns: []column{{Field: provider.Field{Name: fieldAuth}}}}
	for _, f := range d.Fields {
		r.columns = append(r.columns, column{Field: f})
	}
	for _, kind := range d.Auth {
		for _, f := range kind.Fields {
			r.add(f)
		}
	}
	state := map[string]any{fieldAuth: "key", "address": "https://toys.example.com", "region": "eu", "key_wo_version": 1, fieldGeneration: 2, fieldState: "ready"}
	given := object(map[string]any{"key_wo": "k"})
	cases := []struct {
		name   string
		config *base.Object
		plan   map[string]any
		prior  map[string]any
		last   int64
		want   bool
	}{
		{"nothing has changed", given, nil, nil, 2, false},
		{"a different number", given, map[string]any{"key_wo_version": 0}, nil, 2, true},
		{"someone else supplied another credential", given, nil, nil, 1, true},
		{"a credential that was set elsewhere", given, nil, map[string]any{"key_wo_version": nil}, 0, true},
		{"the engine cannot read it", given, nil, map[string]any{fieldState: unreadable}, 2, true},
		{"another endpoint", given, map[string]any{"region": "us"}, nil, 2, true},
		{"the same endpoint in another spelling", given, map[string]any{"address": "HTTPS://toys.example.com:443/"}, nil, 2, false},
		{"another auth kind", given, map[string]any{fieldAuth: "pair", "account": "ada"}, nil, 2, true},
		{"it is set elsewhere", object(nil), map[string]any{"region": "us"}, nil, 1, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := r.supplies(c.config, with(state, c.plan), with(state, c.prior), supplied{Generation: c.last}); got != c.want {
				t.Errorf("%t, want %t", got, c.want)
			}
		})
	}
	if err := r.misplaced(with(state, nil), object(map[string]any{"account": "ada"})); err == nil {
		t.Error("a setting of another auth kind is accepted")
	}
	if err := r.misplaced(with(state, nil), object(map[string]any{"password_wo": "p"})); err == nil {
		t.Error("a secret of another auth kind is accepted")
	}
	if err := r.misplaced(with(state, nil), given); err != nil {
		t.Error(err)
	}
}

func TestColumnsTravelToTheEngineAndBack(t *testing.T) {
	var columns []column
	for _, f := range declaration(t).Fields {
		columns = append(columns, column{Field: f})
	}
	columns = append(columns, column{Field: provider.Field{Name: "account"}, sometimes: true})
	var model base.Object = map[string]tftypes.Value{}
	response := map[string]any{"address": "https://a", "region": "us", "read_only": true, "page_size": json.Number("7"), "labels": []any{"a"}, "account": ""}
	if err := fill(columns, &model, response); err != nil {
		t.Fatal(err)
	}
	if model.Given("account") {
		t.Error("a field of another auth kind, which the engine returns empty, is in the state")
	}
	body, err := sent(columns, &model, &base.Object{})
	if err != nil {
		t.Fatal(err)
	}
	delete(response, "account")
	if !equal(body, response) {
		t.Errorf("sent is %v", body)
	}
	// A column that is removed from the configuration is reset.
	prior := base.Object{"account": tftypes.NewValue(tftypes.String, "ada")}
	body, err = sent(columns, &model, &prior)
	if value, there := body["account"]; err != nil || !there || value != nil {
		t.Errorf("account is sent as %v (%v)", value, err)
	}
	// A field that the engine does not return has its default.
	if err := fill(columns, &model, map[string]any{}); err != nil {
		t.Fatal(err)
	}
	if region, err := model.JSON("region"); err != nil || region != "eu" {
		t.Errorf("region is %v (%v)", region, err)
	}
}
