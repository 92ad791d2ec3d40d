package connect

import (
	"sort"

	"github.com/hashicorp/terraform-plugin-framework-validators/providervalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// settings are the provider's configuration once it is known. Empty means not given.
type settings struct {
	address, token, mount, namespace     string
	caCertFile, caCertDir, tlsServerName string
	skipTLSVerify                        bool
	login                                *login
}

// Schema is the provider block. Names and environment variables are those of the vault provider.
func Schema() schema.Schema {
	s := schema.Schema{
		MarkdownDescription: "Manages [Stashbase for Vault](https://github.com/stashbase/vault-stashbase): workspaces, projects, environments and secrets of a mount of its secrets engine.\n\n" +
			"Values of secrets reach Vault and nothing else when they are given by `value_wo` and `values_wo`: neither the state nor a plan holds them, not even as a hash.",
		Attributes: map[string]schema.Attribute{
			"address":         schema.StringAttribute{Optional: true, MarkdownDescription: "URL of Vault. Also `VAULT_ADDR`."},
			"token":           schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: "Token of Vault. Also `VAULT_TOKEN`, or `~/.vault-token`. It is used as it is; no child token is made of it."},
			"mount":           schema.StringAttribute{Optional: true, MarkdownDescription: "Path of the engine's mount. Default: `stashbase`."},
			"namespace":       schema.StringAttribute{Optional: true, MarkdownDescription: "Namespace of Vault (Enterprise). Also `VAULT_NAMESPACE`. A resource may name another."},
			"ca_cert_file":    schema.StringAttribute{Optional: true, MarkdownDescription: "File with the certificate authority that has signed Vault's certificate, PEM. Also `VAULT_CACERT`."},
			"ca_cert_dir":     schema.StringAttribute{Optional: true, MarkdownDescription: "Folder of such files. Also `VAULT_CAPATH`."},
			"skip_tls_verify": schema.BoolAttribute{Optional: true, MarkdownDescription: "Whether Vault's certificate is not checked. Whoever can reach the network then reads what is sent. Also `VAULT_SKIP_VERIFY`."},
			"tls_server_name": schema.StringAttribute{Optional: true, MarkdownDescription: "Name that Vault's certificate must have, where it is not that of the address. Also `VAULT_TLS_SERVER_NAME`."},
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
		attributes["mount"] = schema.StringAttribute{Optional: true, MarkdownDescription: "Path of the auth method's mount. Default: `" + m.mount + "`."}
		attributes["namespace"] = schema.StringAttribute{Optional: true, MarkdownDescription: "Namespace to log in to, where it is not the provider's."}
	}
	for _, f := range m.fields {
		attributes[f.name] = schema.StringAttribute{
			// Not even what must be given is required: the framework would demand it of a block that is not there.
			Optional: true, Sensitive: f.secret, MarkdownDescription: f.help + f.where(),
		}
		if f.file {
			attributes[f.name+"_file"] = schema.StringAttribute{Optional: true, MarkdownDescription: "File that holds `" + f.name + "`. It is read at each login."}
		}
	}
	help := m.help
	if m.path != nil {
		help += " The token that this gives is revoked at the end of the run."
	}
	return schema.SingleNestedBlock{MarkdownDescription: help, Attributes: attributes}
}

// found reports whether the field may be left out of the block.
func (f field) found() bool { return f.optional || f.file || len(f.env) > 0 || f.fallback != "" }

func (f field) where() string {
	text := ""
	if !f.found() {
		text = " Required."
	}
	for _, variable := range f.env {
		text += " Also `" + variable + "`."
	}
	if f.fallback != "" {
		text += " Default: what is in `" + f.fallback + "`."
	}
	return text
}

// Validators hold that there is one way to log in.
func Validators() []provider.ConfigValidator {
	ways := []path.Expression{path.MatchRoot("token")}
	for _, m := range methods() {
		ways = append(ways, path.MatchRoot(m.block()))
	}
	return []provider.ConfigValidator{
		providervalidator.Conflicting(ways...),
	}
}

// Open takes the provider's configuration. It makes no request, and does not mind values that are not known yet.
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
			_ = value.As(&c.settings.skipTLSVerify) // its type is the schema's
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
	if err := value.As(&given); err != nil {
		return nil
	}
	for _, m := range methods() {
		if m.block() != block {
			continue
		}
		l := &login{method: m, values: values{}, mount: m.mount}
		for name, v := range given {
			if !v.IsNull() {
				l.values[name] = text(v)
			}
		}
		if mount := l.values["mount"]; mount != "" {
			l.mount = mount
		}
		l.namespace = l.values["namespace"]
		return l
	}
	return nil
}

func text(value tftypes.Value) string {
	var s string
	if value.As(&s) != nil {
		return ""
	}
	return s
}
