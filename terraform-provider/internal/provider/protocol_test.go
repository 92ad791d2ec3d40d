package provider_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/shared/catalog"
	"github.com/stashbase/vault-stashbase/shared/vaulttest"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/provider"
)

var vault = vaulttest.Shared(vaulttest.Options{})

func TestMain(m *testing.M) { os.Exit(vault.Run(m)) }

// conversation speaks the protocol with the provider, as a Terraform does that knows more of it than those the acceptance tests run.
type conversation struct {
	*testing.T
	server tfprotov6.ProviderServer
	schema *tfprotov6.GetProviderSchemaResponse
}

func newConversation(t *testing.T) *conversation {
	t.Helper()
	providers, err := catalog.All()
	if err != nil {
		t.Fatal(err)
	}
	server, err := providerserver.NewProtocol6WithError(provider.New("v0.0.0", providers))()
	if err != nil {
		t.Fatal(err)
	}
	c := &conversation{T: t, server: server}
	if c.schema, err = server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{}); err != nil {
		t.Fatal(err)
	}
	return c
}

// configure gives the provider its configuration; attributes that are left out are null.
func (c *conversation) configure(given map[string]tftypes.Value) []*tfprotov6.Diagnostic {
	c.Helper()
	answer, err := c.server.ConfigureProvider(c.Context(), &tfprotov6.ConfigureProviderRequest{Config: c.object(c.schema.Provider, given)})
	if err != nil {
		c.Fatal(err)
	}
	return answer.Diagnostics
}

func (c *conversation) object(schema *tfprotov6.Schema, given map[string]tftypes.Value) *tfprotov6.DynamicValue {
	c.Helper()
	return c.value(schema.ValueType(), given)
}

func (c *conversation) value(t tftypes.Type, given map[string]tftypes.Value) *tfprotov6.DynamicValue {
	c.Helper()
	all := map[string]tftypes.Value{}
	for name, attribute := range t.(tftypes.Object).AttributeTypes {
		all[name] = tftypes.NewValue(attribute, nil)
		if value, ok := given[name]; ok {
			all[name] = value
		}
	}
	value, err := tfprotov6.NewDynamicValue(t, tftypes.NewValue(t, all))
	if err != nil {
		c.Fatal(err)
	}
	return &value
}

func (c *conversation) none(all []*tfprotov6.Diagnostic) {
	c.Helper()
	for _, d := range all {
		c.Fatalf("%s: %s", d.Summary, d.Detail)
	}
}

func text(s string) tftypes.Value { return tftypes.NewValue(tftypes.String, s) }

// The command lines of the acceptance tests know no identity yet, so it is shown by the protocol: who imports by identity gets the
// object, with the same identity and the id that goes with it.
func TestAResourceIsImportedByItsIdentity(t *testing.T) {
	server := vault.Server(t)
	for _, path := range []string{"workspaces/acme", "projects/acme/api", "environments/acme/api/dev"} {
		if _, err := server.Client().Logical().Write("stashbase/"+path, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := server.Client().Logical().Write("stashbase/secrets/acme/api/dev/KEY", map[string]any{"value": "x"}); err != nil {
		t.Fatal(err)
	}
	for path, integration := range map[string]map[string]any{
		"vault/kv":  {"address": "https://vault.acme.example:8200", "token": "made-up", "allowed_environments": "*", "allowed_targets": "*"},
		"github/gh": {"token": "made-up", "allowed_environments": "*", "allowed_targets": "*"},
	} {
		if _, err := server.Client().Logical().Write("stashbase/integrations/acme/"+path, integration); err != nil {
			t.Fatal(err)
		}
	}
	for path, sync := range map[string]map[string]any{
		"vault-kv/s":       {"integration": "kv", "mount": "secret", "path": "a"},
		"github-actions/s": {"integration": "gh", "owner": "acme", "repository": "api"},
	} {
		if _, err := server.Client().Logical().Write("stashbase/syncs/acme/api/dev/"+path, sync); err != nil {
			t.Fatal(err)
		}
	}
	c := newConversation(t)
	c.none(c.configure(map[string]tftypes.Value{"address": text(server.Address()), "ca_cert_file": text(server.CACertFile()), "token": text(server.RootToken())}))
	identities, err := c.server.GetResourceIdentitySchemas(t.Context(), &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]tftypes.Value{"workspace": text("acme"), "project": text("api"), "environment": text("dev"), "name": text("KEY")}
	cases := map[string]struct {
		identity map[string]tftypes.Value
		id       string
	}{
		"stashbase_config":      {map[string]tftypes.Value{"id": text("config")}, "config"},
		"stashbase_workspace":   {map[string]tftypes.Value{"name": text("acme")}, "acme"},
		"stashbase_project":     {map[string]tftypes.Value{"workspace": text("acme"), "name": text("api")}, "acme/api"},
		"stashbase_environment": {map[string]tftypes.Value{"workspace": text("acme"), "project": text("api"), "name": text("dev")}, "acme/api/dev"},
		"stashbase_secret":      {names, "acme/api/dev/KEY"},
		"stashbase_secrets":     {names, "acme/api/dev"},

		"stashbase_integration_vault":  {map[string]tftypes.Value{"workspace": text("acme"), "name": text("kv")}, "acme/kv"},
		"stashbase_integration_github": {map[string]tftypes.Value{"workspace": text("acme"), "name": text("gh")}, "acme/gh"},
	}
	syncs := maps.Clone(names)
	syncs["name"] = text("s")
	for _, resource := range []string{"stashbase_sync_vault_kv", "stashbase_sync_github_actions"} {
		cases[resource] = struct {
			identity map[string]tftypes.Value
			id       string
		}{syncs, "acme/api/dev/s"}
	}
	for resource := range c.schema.ResourceSchemas {
		t.Run(resource, func(t *testing.T) {
			want, known := cases[resource]
			if !known {
				t.Fatal("a resource without a case here")
			}
			identity := identities.IdentitySchemas[resource].ValueType()
			answer, err := c.server.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{
				TypeName: resource, Identity: &tfprotov6.ResourceIdentityData{IdentityData: c.value(identity, want.identity)},
			})
			if err != nil {
				t.Fatal(err)
			}
			c.none(answer.Diagnostics)
			imported := answer.ImportedResources[0]
			read, err := c.server.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{
				TypeName: resource, CurrentState: imported.State, Private: imported.Private, CurrentIdentity: imported.Identity,
			})
			if err != nil {
				t.Fatal(err)
			}
			c.none(read.Diagnostics)
			if id := c.attribute(read.NewState, resource, "id"); id != want.id {
				t.Errorf("id is %q, want %q", id, want.id)
			}
			if read.NewIdentity == nil {
				t.Error("there is no identity after a read")
			}
		})
	}
}

// A provider whose configuration comes from another resource is configured with unknown values in the first plan. That must not
// fail, and a request then says what is not known.
func TestUnknownConfigurationFailsOnlyARequest(t *testing.T) {
	c := newConversation(t)
	c.none(c.configure(map[string]tftypes.Value{"address": tftypes.NewValue(tftypes.String, tftypes.UnknownValue)}))
	schema := c.schema.ResourceSchemas["stashbase_project"]
	state := c.object(schema, map[string]tftypes.Value{"workspace": text("acme"), "name": text("api")})
	read, err := c.server.ReadResource(context.Background(), &tfprotov6.ReadResourceRequest{TypeName: "stashbase_project", CurrentState: state})
	if err != nil {
		t.Fatal(err)
	}
	if len(read.Diagnostics) != 1 || read.Diagnostics[0].Detail == "" {
		t.Fatalf("%v", read.Diagnostics)
	}
}

// Namespaces are Vault Enterprise's, so a server that is none shows where requests go.
func TestAnIDCarriesItsNamespace(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("X-Vault-Namespace")+" "+r.URL.Path)
		_, _ = w.Write([]byte(`{"data": {"name": "api", "description": "d"}}`))
	}))
	defer server.Close()
	c := newConversation(t)
	c.none(c.configure(map[string]tftypes.Value{"address": text(server.URL), "token": text("t"), "namespace": text("home")}))
	for _, id := range []string{"acme/api", "team/a::acme/api"} {
		imported, err := c.server.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: "stashbase_project", ID: id})
		if err != nil {
			t.Fatal(err)
		}
		c.none(imported.Diagnostics)
		it := imported.ImportedResources[0]
		read, err := c.server.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{TypeName: "stashbase_project", CurrentState: it.State, Private: it.Private})
		if err != nil {
			t.Fatal(err)
		}
		c.none(read.Diagnostics)
		if got := c.attribute(read.NewState, "stashbase_project", "id"); got != id {
			t.Errorf("id is %q, want %q", got, id)
		}
	}
	if want := []string{"home /v1/stashbase/projects/acme/api", "team/a /v1/stashbase/projects/acme/api"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

// attribute is an attribute of a state that is a text.
func (c *conversation) attribute(state *tfprotov6.DynamicValue, resource, name string) string {
	c.Helper()
	value, err := state.Unmarshal(c.schema.ResourceSchemas[resource].ValueType())
	if err != nil {
		c.Fatal(err)
	}
	attributes, got := map[string]tftypes.Value{}, ""
	if err := value.As(&attributes); err != nil {
		c.Fatal(err)
	}
	if err := attributes[name].As(&got); err != nil {
		c.Fatal(err)
	}
	return got
}

func TestThereIsOneWayToLogIn(t *testing.T) {
	c := newConversation(t)
	block := c.schema.Provider.ValueType().(tftypes.Object).AttributeTypes["auth_login_userpass"].(tftypes.Object)
	given := map[string]tftypes.Value{}
	for name := range block.AttributeTypes {
		given[name] = tftypes.NewValue(tftypes.String, nil)
	}
	given["username"] = text("u")
	answer, err := c.server.ValidateProviderConfig(t.Context(), &tfprotov6.ValidateProviderConfigRequest{Config: c.object(c.schema.Provider, map[string]tftypes.Value{
		"token": text("t"), "auth_login_userpass": tftypes.NewValue(block, given),
	})})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Diagnostics) == 0 {
		t.Error("a token and a login are taken together")
	}
	// What a login needs and neither the block nor the environment can have is named before any request.
	block = c.schema.Provider.ValueType().(tftypes.Object).AttributeTypes["auth_login_kubernetes"].(tftypes.Object)
	given = map[string]tftypes.Value{}
	for name := range block.AttributeTypes {
		given[name] = tftypes.NewValue(tftypes.String, nil)
	}
	diags := c.configure(map[string]tftypes.Value{"auth_login_kubernetes": tftypes.NewValue(block, given)})
	if len(diags) != 1 || diags[0].Detail != "The block needs role." {
		t.Errorf("%v", diags)
	}
}
