package connect

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// given holds the attributes and blocks of a configuration. Those that it lacks are null.
type given map[string]any

func (g given) object(kind tftypes.Object) tftypes.Value {
	content := map[string]tftypes.Value{}
	for name, of := range kind.AttributeTypes {
		if block, ok := g[name].(given); ok {
			content[name] = block.object(of.(tftypes.Object))
			continue
		}
		content[name] = tftypes.NewValue(of, g[name])
	}
	return tftypes.NewValue(kind, content)
}

func (g given) config(t *testing.T) tfsdk.Config {
	t.Helper()
	s := Schema()
	return tfsdk.Config{Schema: s, Raw: g.object(s.Type().TerraformType(t.Context()).(tftypes.Object))}
}

func TestOpenReadsEachAttribute(t *testing.T) {
	for _, c := range []struct {
		name  string
		given given
		want  settings
	}{
		{"nothing", given{}, settings{mount: "stashbase"}},
		{"everything", given{
			"address": "https://a", "token": "t", "mount": "m", "namespace": "n",
			"ca_cert_file": "file", "ca_cert_dir": "dir", "tls_server_name": "s", "skip_tls_verify": true,
		}, settings{
			address: "https://a", token: "t", mount: "m", namespace: "n",
			caCertFile: "file", caCertDir: "dir", tlsServerName: "s", skipTLSVerify: new(true),
		}},
		{"a check that is not skipped", given{"skip_tls_verify": false}, settings{mount: "stashbase", skipTLSVerify: new(false)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := Open(c.given.config(t))
			if err != nil || !reflect.DeepEqual(conn.settings, c.want) || conn.unknown != nil {
				t.Errorf("%+v, unknown %q (%v)", conn.settings, conn.unknown, err)
			}
		})
	}
	if _, err := Open(tfsdk.Config{Raw: tftypes.NewValue(tftypes.String, "text")}); err == nil {
		t.Error("a configuration that is no object is accepted")
	}
}

func TestOpenReadsTheLogin(t *testing.T) {
	for _, c := range []struct {
		method           string
		block            given
		mount, namespace string
		values           values
	}{
		// Values that the environment or a file can have are not required.
		{"approle", given{}, "approle", "", values{}},
		{"approle", given{"mount": "m", "namespace": "n", "role_id": "r", "secret_id_file": "f"}, "m", "n",
			values{"mount": "m", "namespace": "n", "role_id": "r", "secret_id_file": "f"}},
		{"kubernetes", given{"role": "r"}, "kubernetes", "", values{"role": "r"}},
		{"jwt", given{}, "jwt", "", values{}},
		{"userpass", given{"username": "u", "password": "p"}, "userpass", "", values{"username": "u", "password": "p"}},
		{"ldap", given{"namespace": "n"}, "ldap", "n", values{"namespace": "n"}},
		{"cert", given{"name": "c"}, "cert", "", values{"name": "c"}},
		{"token_file", given{"filename": "f"}, "", "", values{"filename": "f"}},
	} {
		t.Run(c.method, func(t *testing.T) {
			conn, err := Open(given{"auth_login_" + c.method: c.block}.config(t))
			if err != nil {
				t.Fatal(err)
			}
			l := conn.settings.login
			maps.DeleteFunc(l.values, func(_, value string) bool { return value == "" })
			if l.method.name != c.method || l.mount != c.mount || l.namespace != c.namespace || !maps.Equal(l.values, c.values) {
				t.Errorf("%s at %q in %q with %v", l.method.name, l.mount, l.namespace, l.values)
			}
		})
	}
}

// Only the configuration can have the role of a Kubernetes login.
func TestOpenNamesTheRequiredValueOfALogin(t *testing.T) {
	_, err := Open(given{"auth_login_kubernetes": given{"jwt": "j"}}.config(t))
	if err == nil || err.Error() != "auth_login_kubernetes: The block needs role." {
		t.Errorf("%v", err)
	}
}

// A plan without a request works. A request would go to a wrong place, or with a wrong identity.
func TestUnknownValuesFailTheFirstRequestOnly(t *testing.T) {
	conn, err := Open(given{
		"token": tftypes.UnknownValue, "address": tftypes.UnknownValue, "namespace": tftypes.UnknownValue,
		"mount": tftypes.UnknownValue, "skip_tls_verify": tftypes.UnknownValue, "ca_cert_file": tftypes.UnknownValue,
		"ca_cert_dir": tftypes.UnknownValue, "auth_login_approle": given{"role_id": "r", "secret_id": tftypes.UnknownValue},
	}.config(t))
	if err != nil {
		t.Fatal(err)
	}
	want := "the provider's address, auth_login_approle, ca_cert_dir, ca_cert_file, mount, namespace, skip_tls_verify, token " +
		"is not known until apply, but a request to Vault is needed now; use -target to apply the source of the value first"
	for _, namespace := range []string{"", "team"} {
		if _, err := conn.Client(t.Context(), namespace); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestAtMostOneLoginIsConfigured(t *testing.T) {
	refused := func(g given) bool {
		var response provider.ValidateConfigResponse
		for _, v := range Validators() {
			v.ValidateProvider(t.Context(), provider.ValidateConfigRequest{Config: g.config(t)}, &response)
		}
		return response.Diagnostics.HasError()
	}
	for _, m := range methods() {
		if refused(given{m.block(): given{}}) {
			t.Errorf("%s alone is refused", m.block())
		}
		if !refused(given{m.block(): given{}, "token": "t"}) {
			t.Errorf("%s is accepted beside a token", m.block())
		}
	}
	if !refused(given{"auth_login_jwt": given{}, "auth_login_cert": given{}}) {
		t.Error("two logins are accepted")
	}
}

// Terraform prints attributes that are not sensitive.
func TestTheSchemaOfEachLogin(t *testing.T) {
	const revokes = " The provider revokes the token at the end of the run."
	want := map[string]struct{ help, attributes string }{
		"auth_login_approle":    {"Log in with an AppRole." + revokes, "mount namespace role_id secret_id:sensitive secret_id_file"},
		"auth_login_kubernetes": {"Log in as a Kubernetes service account." + revokes, "jwt:sensitive jwt_file mount namespace role"},
		"auth_login_jwt":        {"Log in with a JSON web token." + revokes, "jwt:sensitive jwt_file mount namespace role"},
		"auth_login_userpass":   {"Log in with a user name and password." + revokes, "mount namespace password:sensitive password_file username"},
		"auth_login_ldap":       {"Log in with the user name and password of an LDAP directory." + revokes, "mount namespace password:sensitive password_file username"},
		"auth_login_cert":       {"Log in with a TLS client certificate." + revokes, "cert_file key_file mount name namespace"},
		"auth_login_token_file": {"Read the token from a file.", "filename"},
	}
	blocks := Schema().Blocks
	if len(blocks) != len(want) {
		t.Errorf("%d blocks, want %d", len(blocks), len(want))
	}
	for name, w := range want {
		block, _ := blocks[name].(schema.SingleNestedBlock)
		var attributes []string
		for attribute, a := range block.Attributes {
			if a.IsSensitive() {
				attribute += ":sensitive"
			}
			if attributes = append(attributes, attribute); !a.IsOptional() {
				t.Errorf("%s.%s is not optional", name, attribute)
			}
		}
		slices.Sort(attributes)
		if got := strings.Join(attributes, " "); block.MarkdownDescription != w.help || got != w.attributes {
			t.Errorf("%s: %q with %s", name, block.MarkdownDescription, got)
		}
	}
}

func TestTheHelpOfAFieldNamesItsSources(t *testing.T) {
	for _, c := range []struct {
		field field
		want  string
	}{
		{field{}, " Required."},
		{field{optional: true}, ""},
		{field{file: true}, ""},
		{field{env: []string{"A"}}, " Environment variable: `A`."},
		{field{env: []string{"A", "B"}}, " Environment variables: `A`, `B`."},
		{field{fallback: "/f"}, " Default: the content of `/f`."},
	} {
		if got := c.field.where(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.field, got, c.want)
		}
	}
}
