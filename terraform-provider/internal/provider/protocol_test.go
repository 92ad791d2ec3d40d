package provider_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
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

// conversation speaks Terraform's protocol with the provider. It shows what the CLIs of the
// acceptance tests do not support yet.
type conversation struct {
	testing.TB
	provider *provider.Stashbase
	server   tfprotov6.ProviderServer
	schema   *tfprotov6.GetProviderSchemaResponse
}

func newConversation(t testing.TB) *conversation {
	t.Helper()
	providers, err := catalog.All()
	if err != nil {
		t.Fatal(err)
	}
	stashbase := provider.New("v0.0.0", providers)
	server, err := providerserver.NewProtocol6WithError(stashbase)()
	if err != nil {
		t.Fatal(err)
	}
	c := &conversation{TB: t, provider: stashbase, server: server}
	if c.schema, err = server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{}); err != nil {
		t.Fatal(err)
	}
	return c
}

// configure configures the provider. Attributes that are not given are null.
func (c *conversation) configure(given map[string]tftypes.Value) []*tfprotov6.Diagnostic {
	c.Helper()
	response, err := c.server.ConfigureProvider(c.Context(), &tfprotov6.ConfigureProviderRequest{Config: c.object(c.schema.Provider, given)})
	if err != nil {
		c.Fatal(err)
	}
	return response.Diagnostics
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

// The CLIs of the acceptance tests do not support identity yet, so this test uses the protocol. An
// import by identity yields the object with the same identity and the matching id.
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
				t.Fatal("the resource has no case in this test")
			}
			identity := identities.IdentitySchemas[resource].ValueType()
			response, err := c.server.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{
				TypeName: resource, Identity: &tfprotov6.ResourceIdentityData{IdentityData: c.value(identity, want.identity)},
			})
			if err != nil {
				t.Fatal(err)
			}
			c.none(response.Diagnostics)
			imported := response.ImportedResources[0]
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
				t.Error("a read returns no identity")
			}
		})
	}
}

// If the provider's configuration comes from another resource, the first plan configures it with
// unknown values. The plan must not fail; only a request must, and its error names the unknown
// value.
func TestUnknownConfigurationFailsOnlyARequest(t *testing.T) {
	c := newConversation(t)
	c.none(c.configure(map[string]tftypes.Value{"address": tftypes.NewValue(tftypes.String, tftypes.UnknownValue)}))
	schema := c.schema.ResourceSchemas["stashbase_project"]
	state := c.object(schema, map[string]tftypes.Value{"workspace": text("acme"), "name": text("api")})
	read, err := c.server.ReadResource(context.Background(), &tfprotov6.ReadResourceRequest{TypeName: "stashbase_project", CurrentState: state})
	if err != nil {
		t.Fatal(err)
	}
	if len(read.Diagnostics) != 1 || !strings.HasPrefix(read.Diagnostics[0].Detail, "The provider's address is not known until apply") {
		t.Fatalf("%v", read.Diagnostics)
	}
}

// Only Vault Enterprise has namespaces. A plain HTTP server therefore records where the requests
// go.
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

// attribute returns a string attribute of a state.
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

// login returns the block of a login method. Attributes that are not given are null.
func (c *conversation) login(name string, given map[string]string) tftypes.Value {
	c.Helper()
	block := c.schema.Provider.ValueType().(tftypes.Object).AttributeTypes[name].(tftypes.Object)
	all := map[string]tftypes.Value{}
	for attribute := range block.AttributeTypes {
		all[attribute] = tftypes.NewValue(tftypes.String, nil)
		if value, ok := given[attribute]; ok {
			all[attribute] = text(value)
		}
	}
	return tftypes.NewValue(block, all)
}

func TestThereIsOneWayToLogIn(t *testing.T) {
	c := newConversation(t)
	token, password := text("t"), c.login("auth_login_userpass", map[string]string{"username": "u"})
	for _, given := range []map[string]tftypes.Value{{"token": token}, {"auth_login_userpass": password}, {"token": token, "auth_login_userpass": password}} {
		response, err := c.server.ValidateProviderConfig(t.Context(), &tfprotov6.ValidateProviderConfigRequest{Config: c.object(c.schema.Provider, given)})
		if err != nil {
			t.Fatal(err)
		}
		d := response.Diagnostics
		if len(given) == 1 && len(d) > 0 || len(given) > 1 && (len(d) != 1 || !strings.Contains(d[0].Detail, "cannot be configured together: [token,")) {
			t.Errorf("%d ways to log in: %v", len(given), d)
		}
	}
	// If a login lacks a value that neither the block nor the environment provides, Configure
	// reports it before any request.
	diags := c.configure(map[string]tftypes.Value{"auth_login_kubernetes": c.login("auth_login_kubernetes", nil)})
	if len(diags) != 1 || diags[0].Detail != "The block needs role." {
		t.Errorf("%v", diags)
	}
}
