package provider_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// badName is valid for no kind of name.
const badName = "Bad Name!"

// writeOnly is what a Terraform that supports write-only attributes sends.
var writeOnly = &tfprotov6.ValidateResourceConfigClientCapabilities{WriteOnlyAttributesAllowed: true}

// named lists the attributes that hold a name, by what contains them.
func named(attributes []*tfprotov6.SchemaAttribute) []string {
	var all []string
	for _, a := range attributes {
		switch a.Name {
		case "workspace", "project", "environment", "name", "integration", "context", "base":
			if !a.Computed || a.Optional {
				all = append(all, a.Name)
			}
		}
	}
	slices.Sort(all)
	return all
}

// unknown returns an unknown value for each attribute that is required or whose name is checked, so
// that only the attribute under test can be wrong.
func (c *conversation) unknown(schema *tfprotov6.Schema) map[string]tftypes.Value {
	all := map[string]tftypes.Value{}
	for _, a := range schema.Block.Attributes {
		if a.Required {
			all[a.Name] = tftypes.NewValue(a.Type, tftypes.UnknownValue)
		}
	}
	return all
}

// A name that the engine would refuse must not survive the plan: the apply would then fail halfway.
func TestEveryNameIsCheckedDuringThePlan(t *testing.T) {
	c := newConversation(t)
	checked := map[string][]string{}
	check := func(what string, schema *tfprotov6.Schema, validate func(*tfprotov6.DynamicValue) ([]*tfprotov6.Diagnostic, error)) {
		for _, name := range named(schema.Block.Attributes) {
			given := c.unknown(schema)
			given[name] = text(badName)
			diags, err := validate(c.object(schema, given))
			if err != nil {
				t.Fatal(err)
			}
			checked[what] = append(checked[what], name)
			if len(diags) != 1 || diags[0].Attribute.String() != tftypes.NewAttributePath().WithAttributeName(name).String() || strings.Contains(diags[0].Detail, badName) {
				t.Errorf("%s: %s = %q gives %v", what, name, badName, diags)
			}
		}
	}
	for what, schema := range c.schema.ResourceSchemas {
		check(what, schema, func(config *tfprotov6.DynamicValue) ([]*tfprotov6.Diagnostic, error) {
			r, err := c.server.ValidateResourceConfig(t.Context(), &tfprotov6.ValidateResourceConfigRequest{TypeName: what, Config: config, ClientCapabilities: writeOnly})
			return r.Diagnostics, err
		})
	}
	for what, schema := range c.schema.DataSourceSchemas {
		check("data "+what, schema, func(config *tfprotov6.DynamicValue) ([]*tfprotov6.Diagnostic, error) {
			r, err := c.server.ValidateDataResourceConfig(t.Context(), &tfprotov6.ValidateDataResourceConfigRequest{TypeName: what, Config: config})
			return r.Diagnostics, err
		})
	}
	for what, schema := range c.schema.EphemeralResourceSchemas {
		check("ephemeral "+what, schema, func(config *tfprotov6.DynamicValue) ([]*tfprotov6.Diagnostic, error) {
			r, err := c.server.ValidateEphemeralResourceConfig(t.Context(), &tfprotov6.ValidateEphemeralResourceConfigRequest{TypeName: what, Config: config})
			return r.Diagnostics, err
		})
	}
	for what, want := range map[string][]string{
		"stashbase_workspace":             {"name"},
		"stashbase_environment":           {"base", "name", "project", "workspace"},
		"stashbase_secret":                {"environment", "name", "project", "workspace"},
		"stashbase_sync_github_actions":   {"environment", "integration", "name", "project", "workspace"},
		"data stashbase_policy":           {"context", "environment", "project", "workspace"},
		"data stashbase_sync_status":      {"environment", "name", "project", "workspace"},
		"ephemeral stashbase_environment": {"environment", "project", "workspace"},
	} {
		if got := checked[what]; !slices.Equal(got, want) {
			t.Errorf("%s: checked %v, want %v", what, got, want)
		}
	}
}

// The rules of the kinds differ: a secret's name may have capitals, and `rotate` is no workspace.
func TestEachNameHasTheRuleOfItsKind(t *testing.T) {
	c := newConversation(t)
	for _, at := range []struct {
		resource, attribute, name string
		valid                     bool
	}{
		{"stashbase_secret", "name", "API_KEY", true},
		{"stashbase_secret", "environment", "API_KEY", false},
		{"stashbase_workspace", "name", "rotate", false},
		{"stashbase_project", "workspace", "rotate", false},
		{"stashbase_project", "name", "rotate", true},
		{"stashbase_sync_vault_kv", "workspace", "rotate", false},
		{"stashbase_environment", "base", "api/dev", true},
		{"stashbase_environment", "base", "dev", true},
		{"stashbase_environment", "base", "", true},
		{"stashbase_environment", "base", "api/dev/more", false},
		{"stashbase_environment", "base", "api/", false},
	} {
		schema := c.schema.ResourceSchemas[at.resource]
		given := c.unknown(schema)
		given[at.attribute] = text(at.name)
		r, err := c.server.ValidateResourceConfig(t.Context(), &tfprotov6.ValidateResourceConfigRequest{TypeName: at.resource, Config: c.object(schema, given), ClientCapabilities: writeOnly})
		if err != nil {
			t.Fatal(err)
		}
		if valid := len(r.Diagnostics) == 0; valid != at.valid {
			t.Errorf("%s.%s = %q: %v", at.resource, at.attribute, at.name, r.Diagnostics)
		}
	}
}

// An import reads the object from the engine. Its names are checked before they are part of a path.
func TestTheNamesOfAnImportAreChecked(t *testing.T) {
	c := newConversation(t)
	identities, err := c.server.GetResourceIdentitySchemas(t.Context(), &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		t.Fatal(err)
	}
	identity := identities.IdentitySchemas["stashbase_project"].ValueType()
	for _, name := range []string{badName, "..", "", "API"} {
		for form, request := range map[string]*tfprotov6.ImportResourceStateRequest{
			"id": {ID: "acme/" + name},
			"identity": {Identity: &tfprotov6.ResourceIdentityData{
				IdentityData: c.value(identity, map[string]tftypes.Value{"workspace": text("acme"), "name": text(name)}),
			}},
		} {
			request.TypeName = "stashbase_project"
			response, err := c.server.ImportResourceState(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			if d := response.Diagnostics; len(d) != 1 || !strings.Contains(d[0].Detail, "Name: not a valid name") {
				t.Errorf("%s with the name %q: %v", form, name, d)
			}
		}
	}
}

// engine is a Vault that returns the same data for every path, or refuses every request.
func engine(t *testing.T, data map[string]any) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if data == nil {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"errors": ["permission denied"]}`))
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
	}))
	t.Cleanup(server.Close)
	return server
}

// plan plans a change of a resource from a state, which is null before a create.
func (c *conversation) plan(resource string, state, proposed, config *tfprotov6.DynamicValue) *tfprotov6.PlanResourceChangeResponse {
	c.Helper()
	response, err := c.server.PlanResourceChange(c.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: resource, PriorState: state, ProposedNewState: proposed, Config: config,
	})
	if err != nil {
		c.Fatal(err)
	}
	return response
}

// attributes returns the attributes of a state. Unknown ones are null.
func (c *conversation) attributes(resource string, state *tfprotov6.DynamicValue) map[string]tftypes.Value {
	c.Helper()
	all := map[string]tftypes.Value{}
	value, err := state.Unmarshal(c.schema.ResourceSchemas[resource].ValueType())
	if err == nil {
		err = value.As(&all)
	}
	if err != nil {
		c.Fatal(err)
	}
	for name, value := range all {
		if !value.IsKnown() {
			all[name] = tftypes.NewValue(value.Type(), nil)
		}
	}
	return all
}

// null returns the state before a create.
func (c *conversation) null(schema *tfprotov6.Schema) *tfprotov6.DynamicValue {
	c.Helper()
	value, err := tfprotov6.NewDynamicValue(schema.ValueType(), tftypes.NewValue(schema.ValueType(), nil))
	if err != nil {
		c.Fatal(err)
	}
	return &value
}

// rename plans a resource whose attribute has another value than in the state, and returns the
// warnings.
func (c *conversation) rename(resource, attribute string, given map[string]tftypes.Value) []string {
	c.Helper()
	schema := c.schema.ResourceSchemas[resource]
	config := maps.Clone(given)
	if config == nil {
		config = map[string]tftypes.Value{}
	}
	for _, name := range named(schema.Block.Attributes) {
		if name != "base" {
			config[name] = text("old")
		}
	}
	created := c.plan(resource, c.null(schema), c.object(schema, config), c.object(schema, config))
	prior := c.attributes(resource, created.PlannedState)
	next := maps.Clone(prior)
	next[attribute], config[attribute] = text("new"), text("new")
	response := c.plan(resource, c.object(schema, prior), c.object(schema, next), c.object(schema, config))
	if len(response.RequiresReplace) == 0 {
		c.Fatalf("%s: a new %s does not replace the resource: %v", resource, attribute, response.Diagnostics)
	}
	var warnings []string
	for _, d := range response.Diagnostics {
		if d.Severity != tfprotov6.DiagnosticSeverityWarning {
			c.Errorf("%s: %s", d.Summary, d.Detail)
		}
		warnings = append(warnings, fmt.Sprintf("%s: %s %s", d.Attribute, d.Summary, d.Detail))
	}
	return warnings
}

// Nothing can be renamed, so a new name destroys the object. The plan says so where that loses
// something, at every key of every type.
func TestARenameThatLosesSomethingWarns(t *testing.T) {
	truth := func(b bool) tftypes.Value { return tftypes.NewValue(tftypes.Bool, b) }
	number := func(n int) tftypes.Value { return tftypes.NewValue(tftypes.Number, n) }
	written := map[string]tftypes.Value{"value_wo": text("v"), "value_wo_version": number(1)}
	with := func(more map[string]tftypes.Value, name, value string) map[string]tftypes.Value {
		all := maps.Clone(more)
		all[name] = text(value)
		return all
	}
	for _, c := range []struct {
		name, resource, attribute string
		engine                    map[string]any // nil refuses every request
		state                     map[string]tftypes.Value
		says                      string // empty for no warning
	}{
		{"a workspace", "stashbase_workspace", "name", map[string]any{"projects": 2}, nil, "its content (2 projects)"},
		{"a workspace without projects", "stashbase_workspace", "name", map[string]any{}, nil, "its content (0 projects)"},
		{"a project", "stashbase_project", "name", map[string]any{"environments": 1}, nil, "It contains 1 environment,"},
		{"a project in another workspace", "stashbase_project", "workspace", map[string]any{"environments": 2}, nil, "It contains 2 environments,"},
		{"a project without environments", "stashbase_project", "name", map[string]any{"environments": 0}, nil, ""},
		{"an environment", "stashbase_environment", "name", map[string]any{"secrets": 3}, nil, "It contains 3 secrets,"},
		{"an environment in another project", "stashbase_environment", "project", map[string]any{"secrets": 3}, nil, "It contains 3 secrets,"},
		{"an environment in another namespace", "stashbase_environment", "engine_namespace", map[string]any{"secrets": 3}, nil, "It contains 3 secrets,"},
		{"an environment without secrets", "stashbase_environment", "name", map[string]any{"secrets": 0}, nil, ""},
		{"an environment that cannot be read", "stashbase_environment", "name", nil, nil, "It contains secrets,"},
		{"a secret that is deleted softly", "stashbase_secret", "name", nil, written, ""},
		{"a secret that is purged", "stashbase_secret", "name", nil, with(written, "on_destroy", "purge"), "all its versions are removed permanently"},
		{"a secret whose value is set elsewhere", "stashbase_secret", "name", nil, map[string]tftypes.Value{"on_destroy": text("soft")}, "so the new secret has none"},
		{"a secret that is left alone", "stashbase_secret", "name", nil, nil, ""},
		{"an integration without its credential", "stashbase_integration_vault", "name", nil, map[string]tftypes.Value{"address": text("https://vault.acme.example")}, "The configuration does not set the credential"},
		{"an integration with its credential", "stashbase_integration_vault", "name", nil, map[string]tftypes.Value{
			"address": text("https://vault.acme.example"), "token_wo": text("t"), "token_wo_version": number(1),
		}, ""},
		{"a sync", "stashbase_sync_vault_kv", "name", nil, map[string]tftypes.Value{"mount": text("kv"), "path": text("a"), "purge": truth(false)}, "stay at the destination without an owner"},
		{"a sync that purges", "stashbase_sync_vault_kv", "project", nil, map[string]tftypes.Value{"mount": text("kv"), "path": text("a"), "purge": truth(true)}, "are deleted at the destination"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := newConversation(t)
			in.none(in.configure(map[string]tftypes.Value{"address": text(engine(t, c.engine).URL), "token": text("t")}))
			warnings := in.rename(c.resource, c.attribute, c.state)
			if c.says == "" && len(warnings) > 0 || c.says != "" && (len(warnings) != 1 || !strings.Contains(warnings[0], c.says)) {
				t.Errorf("warns %q, want %q", warnings, c.says)
			}
			if c.says != "" && !strings.HasPrefix(warnings[0], tftypes.NewAttributePath().WithAttributeName(c.attribute).String()) {
				t.Errorf("the warning is not at %s: %q", c.attribute, warnings)
			}
		})
	}
}

// Terraform configures a provider once for each of its configurations. Close ends the login of each
// of them, in the namespace of the login.
func TestCloseEndsTheLoginOfEachConfiguration(t *testing.T) {
	var logins, revoked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := r.Header.Get("X-Vault-Namespace") + " " + r.URL.Path
		switch {
		case strings.HasPrefix(r.URL.Path, "/v1/auth/token/"):
			revoked = append(revoked, seen+" "+r.Header.Get("X-Vault-Token"))
		case strings.HasPrefix(r.URL.Path, "/v1/auth/"):
			logins = append(logins, seen)
			_, _ = fmt.Fprintf(w, `{"auth": {"client_token": "login-%d"}}`, len(logins))
		default:
			_, _ = w.Write([]byte(`{"data": {"name": "api", "description": "d"}}`))
		}
	}))
	defer server.Close()
	c := newConversation(t)
	schema := c.schema.ResourceSchemas["stashbase_project"]
	for _, login := range []map[string]string{
		{"username": "ada", "password": "p"},
		{"username": "ada", "password": "p", "mount": "people", "namespace": "admin"},
	} {
		c.none(c.configure(map[string]tftypes.Value{
			"address": text(server.URL), "namespace": text("team"), "auth_login_userpass": c.login("auth_login_userpass", login),
		}))
		read, err := c.server.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{
			TypeName: "stashbase_project", CurrentState: c.object(schema, map[string]tftypes.Value{"workspace": text("acme"), "name": text("api")}),
		})
		if err != nil {
			t.Fatal(err)
		}
		c.none(read.Diagnostics)
	}
	if want := []string{"team /v1/auth/userpass/login/ada", "admin /v1/auth/people/login/ada"}; !slices.Equal(logins, want) {
		t.Errorf("logins %q, want %q", logins, want)
	}
	if err := c.provider.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"team /v1/auth/token/revoke-self login-1", "admin /v1/auth/token/revoke-self login-2"}; !slices.Equal(revoked, want) {
		t.Errorf("revoked %q, want %q", revoked, want)
	}
}

// The engine warns of what may be a mistake, such as an environment named prod that is not marked
// as production. An apply shows the warning.
func TestWarningsOfTheEngineAreShown(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"errors": ["not_found: it does not exist"]}`))
			return
		}
		_, _ = w.Write([]byte(`{"data": {"name": "api", "description": ""}, "warnings": ["the name looks like a mistake"]}`))
	}))
	defer server.Close()
	c := newConversation(t)
	c.none(c.configure(map[string]tftypes.Value{"address": text(server.URL), "token": text("t")}))
	schema := c.schema.ResourceSchemas["stashbase_project"]
	config := c.object(schema, map[string]tftypes.Value{"workspace": text("acme"), "name": text("api")})
	planned := c.plan("stashbase_project", c.null(schema), config, config)
	applied, err := c.server.ApplyResourceChange(t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: "stashbase_project", PriorState: c.null(schema), PlannedState: planned.PlannedState, Config: config, PlannedPrivate: planned.PlannedPrivate,
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := applied.Diagnostics; len(d) != 1 || d[0].Severity != tfprotov6.DiagnosticSeverityWarning || d[0].Detail != "The name looks like a mistake." {
		t.Errorf("%v", d)
	}
}
