package connect

import (
	"sort"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/providervalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// settings is the provider's configuration after all values are known. An empty value means that
// the attribute is absent.
type settings struct {
	address, token, mount, namespace     string
	caCertFile, caCertDir, tlsServerName string
	skipTLSVerify                        *bool
	login                                *login
}

// Schema returns the schema of the provider block. Attributes and environment variables have the
// names that the vault provider uses.
func Schema() schema.Schema {
	s := schema.Schema{
		MarkdownDescription: "Manages [Stashbase for Vault](https://github.com/stashbase/vault-stashbase): the workspaces, projects, environments, secrets, integrations and syncs of its secrets engine.\n\n" +
			"Secret values given as `value_wo` and `values_wo` are sent to Vault only. Neither the state nor a plan contains them, not even as a hash.",
		Attributes: map[string]schema.Attribute{
			"address":         schema.StringAttribute{Optional: true, MarkdownDescription: "URL of Vault. Environment variable: `VAULT_ADDR`."},
			"token":           schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: "Vault token. The provider uses it directly and creates no child token. Environment variable: `VAULT_TOKEN`. Default: the content of `~/.vault-token`."},
			"mount":           schema.StringAttribute{Optional: true, MarkdownDescription: "Mount path of the engine. Default: `stashbase`."},
			"namespace":       schema.StringAttribute{Optional: true, MarkdownDescription: "Vault namespace (Enterprise). A resource can set its own with `engine_namespace`. Environment variable: `VAULT_NAMESPACE`."},
			"ca_cert_file":    schema.StringAttribute{Optional: true, MarkdownDescription: "Path of a file with the CA certificate that Vault's certificate is signed with, PEM. Environment variable: `VAULT_CACERT`."},
			"ca_cert_dir":     schema.StringAttribute{Optional: true, MarkdownDescription: "Path of a folder with CA certificate files. Environment variable: `VAULT_CAPATH`."},
			"skip_tls_verify": schema.BoolAttribute{Optional: true, MarkdownDescription: "Whether to skip the check of Vault's certificate. Anyone on the network path can then read the traffic. Environment variable: `VAULT_SKIP_VERIFY`."},
			"tls_server_name": schema.StringAttribute{Optional: true, MarkdownDescription: "Name that Vault's certificate must have, if it differs from the host of the address. Environment variable: `VAULT_TLS_SERVER_NAME`."},
		},
		Blocks: map[string]schema.Block{},
	}
	for _, m := range methods() {
		s.Blocks[m.block()] = m.schema()
	}
	return s
}

func (m method) schema() schema.Block {
	attributes := map[string]schema.Attribute{}
	if m.path != nil {
		attributes["mount"] = schema.StringAttribute{Optional: true, MarkdownDescription: "Mount path of the auth method. Default: `" + m.mount + "`."}
		attributes["namespace"] = schema.StringAttribute{Optional: true, MarkdownDescription: "Vault namespace to log in to, if it is not the provider's."}
	}
	for _, f := range m.fields {
		attributes[f.name] = schema.StringAttribute{
			// The schema requires no attribute. The framework would demand it even if the block is
			// absent.
			Optional: true, Sensitive: f.secret, MarkdownDescription: f.help + f.where(),
		}
		if f.file {
			attributes[f.name+"_file"] = schema.StringAttribute{Optional: true, MarkdownDescription: "Path of a file that contains `" + f.name + "`. The provider reads it at each login."}
		}
	}
	help := m.help
	if m.path != nil {
		help += " The provider revokes the token at the end of the run."
	}
	return schema.SingleNestedBlock{MarkdownDescription: help, Attributes: attributes}
}

// found reports whether the block may omit the field.
func (f field) found() bool { return f.optional || f.file || len(f.env) > 0 || f.fallback != "" }

func (f field) where() string {
	text := ""
	if !f.found() {
		text = " Required."
	}
	switch len(f.env) {
	case 0:
	case 1:
		text += " Environment variable: `" + f.env[0] + "`."
	default:
		text += " Environment variables: `" + strings.Join(f.env, "`, `") + "`."
	}
	if f.fallback != "" {
		text += " Default: the content of `" + f.fallback + "`."
	}
	return text
}

// Validators returns the check that at most one login method is configured.
func Validators() []provider.ConfigValidator {
	ways := []path.Expression{path.MatchRoot("token")}
	for _, m := range methods() {
		ways = append(ways, path.MatchRoot(m.block()))
	}
	return []provider.ConfigValidator{
		providervalidator.Conflicting(ways...),
	}
}

// Open reads the provider's configuration. It makes no request and accepts values that are not
// known yet.
func Open(config tfsdk.Config) (*Connection, error) {
	c := &Connection{}
	given := map[string]tftypes.Value{}
	if err := config.Raw.As(&given); err != nil {
		return nil, err
	}
	texts := values{}
	for name, value := range given {
		switch {
		case !value.IsFullyKnown():
			c.unknown = append(c.unknown, name)
		case value.IsNull():
		case value.Type().Is(tftypes.String):
			texts[name] = text(value)
		case name == "skip_tls_verify":
			_ = value.As(&c.settings.skipTLSVerify) // cannot fail: the schema fixes the type
		default:
			c.settings.login = takeLogin(name, value)
		}
	}
	if login := c.settings.login; login != nil {
		for _, f := range login.method.fields {
			if !f.found() && login.values[f.name] == "" {
				return nil, diagnose.At(login.method.block(), "The block needs %s.", f.name)
			}
		}
	}
	sort.Strings(c.unknown)
	s := &c.settings
	s.address, s.token, s.namespace = texts["address"], texts["token"], texts["namespace"]
	s.caCertFile, s.caCertDir, s.tlsServerName = texts["ca_cert_file"], texts["ca_cert_dir"], texts["tls_server_name"]
	if s.mount = texts["mount"]; s.mount == "" {
		s.mount = client.DefaultMount
	}
	return c, nil
}

func takeLogin(block string, value tftypes.Value) *login {
	given := map[string]tftypes.Value{}
	_ = value.As(&given) // cannot fail: the schema fixes the type
	for _, m := range methods() {
		if m.block() != block {
			continue
		}
		l := &login{method: m, values: values{}, mount: m.mount}
		for name, v := range given {
			l.values[name] = text(v)
		}
		if mount := l.values["mount"]; mount != "" {
			l.mount = mount
		}
		l.namespace = l.values["namespace"]
		return l
	}
	return nil
}

// text returns the value of an attribute of type string. It is empty for null.
func text(value tftypes.Value) string {
	var s string
	_ = value.As(&s) // cannot fail: the schema fixes the type
	return s
}
