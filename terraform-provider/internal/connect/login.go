package connect

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/hashicorp/vault/api"
)

// The methods that need special treatment.
const (
	certificate = "cert"
	tokenFile   = "token_file"
)

// method is a login method: the block auth_login_<name> of the provider. Each method is one request
// to Vault. A table is enough, and the modules of vault/api/auth are not needed.
type method struct {
	name   string
	help   string
	mount  string // where the auth method is mounted by default
	fields []field
	// path returns the path below auth/<mount>/, and body what is sent there.
	path func(values) string
	body func(values) map[string]any
}

// field is an attribute of a block. Its value comes from the attribute itself, from the file that
// the attribute <name>_file names, or from the environment.
type field struct {
	name     string
	help     string
	secret   bool
	optional bool
	file     bool // there is an attribute <name>_file
	env      []string
	fallback string // path of the file to read if the value is found nowhere else
}

type values map[string]string

// kubernetesToken is where Kubernetes puts the token of a pod's service account.
const kubernetesToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"

func methods() []method {
	login := func(values) string { return "login" }
	named := func(v values) string { return "login/" + url.PathEscape(v["username"]) }
	send := func(names ...string) func(values) map[string]any {
		return func(v values) map[string]any {
			body := map[string]any{}
			for _, name := range names {
				if v[name] != "" {
					body[name] = v[name]
				}
			}
			return body
		}
	}
	username := field{name: "username", help: "Name to log in with.", env: []string{"TERRAFORM_VAULT_USERNAME"}}
	password := field{name: "password", help: "Password of the user.", secret: true, file: true, env: []string{"TERRAFORM_VAULT_PASSWORD"}}
	return []method{
		{name: "approle", help: "Log in with an AppRole.", mount: "approle", path: login, body: send("role_id", "secret_id"), fields: []field{
			{name: "role_id", help: "Id of the role.", env: []string{"TERRAFORM_VAULT_ROLE_ID"}},
			{name: "secret_id", help: "Secret id of the role, if the role requires one.", secret: true, optional: true, file: true,
				env: []string{"TERRAFORM_VAULT_SECRET_ID"}},
		}},
		{name: "kubernetes", help: "Log in as a Kubernetes service account.", mount: "kubernetes", path: login, body: send("role", "jwt"), fields: []field{
			{name: "role", help: "Name of the role."},
			{name: "jwt", help: "Token of the service account.", secret: true, file: true, fallback: kubernetesToken},
		}},
		{name: "jwt", help: "Log in with a JSON web token.", mount: "jwt", path: login, body: send("role", "jwt"), fields: []field{
			{name: "role", help: "Name of the role. Optional if the auth method has a default role.", optional: true},
			{name: "jwt", help: "The token.", secret: true, file: true, env: []string{"TERRAFORM_VAULT_AUTH_JWT", "TFC_WORKLOAD_IDENTITY_TOKEN"}},
		}},
		{name: "userpass", help: "Log in with a user name and password.", mount: "userpass", path: named, body: send("password"), fields: []field{username, password}},
		{name: "ldap", help: "Log in with the user name and password of an LDAP directory.", mount: "ldap", path: named, body: send("password"), fields: []field{username, password}},
		{name: certificate, help: "Log in with a TLS client certificate.", mount: "cert", path: login, body: send("name"), fields: []field{
			{name: "cert_file", help: "Path of the certificate file, PEM.", env: []string{"VAULT_CLIENT_CERT"}},
			{name: "key_file", help: "Path of the private key file, PEM.", env: []string{"VAULT_CLIENT_KEY"}},
			{name: "name", help: "Name of the certificate role. By default Vault uses any role that matches the certificate.", optional: true},
		}},
		{name: tokenFile, help: "Read the token from a file.", fields: []field{
			{name: "filename", help: "Path of a file that contains only the token.", env: []string{"TERRAFORM_VAULT_TOKEN_FILENAME"}},
		}},
	}
}

func (m method) block() string { return "auth_login_" + m.name }

// login is a method together with its values from the configuration.
type login struct {
	method    method
	values    values
	mount     string
	namespace string
}

// token logs in and returns the token. The client is one in the namespace of the login; it loses
// its own token.
func (l *login) token(ctx context.Context, anonymous *api.Client) (string, error) {
	resolved, err := l.resolve()
	if err != nil {
		return "", err
	}
	if l.method.name == tokenFile {
		return readFile(l.method.block()+".filename", resolved["filename"])
	}
	// Vault checks a token that is sent with a login, so none may be sent.
	anonymous.ClearToken()
	path := "auth/" + l.mount + "/" + l.method.path(resolved)
	secret, err := anonymous.Logical().WriteWithContext(ctx, path, l.method.body(resolved))
	if err != nil {
		return "", fmt.Errorf("%s: Vault refused the login at %s: %w", l.method.block(), path, withoutAddress(err))
	}
	if secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "" {
		return "", fmt.Errorf("%s: the response of %s contains no token; the auth method may require a second factor, which is not supported", l.method.block(), path)
	}
	return secret.Auth.ClientToken, nil
}

// withoutAddress reduces an error of Vault's client to what contains no address of Vault or a proxy,
// because an address may contain credentials.
func withoutAddress(err error) error {
	var refused *api.ResponseError
	var failed *url.Error
	switch {
	case errors.As(err, &refused) && refused.RawError:
		return fmt.Errorf("status %d; the response did not come from Vault", refused.StatusCode)
	case errors.As(err, &refused):
		return fmt.Errorf("status %d: %s", refused.StatusCode, strings.Join(refused.Errors, "; "))
	case errors.As(err, &failed):
		return failed.Err
	default:
		return err
	}
}

// resolve returns the value of each field. The sources are, in this order: the attribute, the
// attribute's file, the environment, and the default file.
func (l *login) resolve() (values, error) {
	resolved := values{}
	for _, f := range l.method.fields {
		value, err := l.find(f)
		if err != nil {
			return nil, err
		}
		if value == "" && !f.optional {
			return nil, fmt.Errorf("%s: %s is missing%s", l.method.block(), f.name, f.hint())
		}
		resolved[f.name] = value
	}
	return resolved, nil
}

func (l *login) find(f field) (string, error) {
	if given := l.values[f.name]; given != "" {
		return given, nil
	}
	if name := l.values[f.name+"_file"]; name != "" {
		return readFile(l.method.block()+"."+f.name+"_file", name)
	}
	for _, variable := range f.env {
		if found := os.Getenv(variable); found != "" {
			return found, nil
		}
	}
	if f.fallback == "" {
		return "", nil
	}
	return readFile(l.method.block()+"."+f.name, f.fallback)
}

func (f field) hint() string {
	if len(f.env) == 0 {
		return ""
	}
	return "; set it in the block, or set " + strings.Join(f.env, " or ")
}

// readFile returns the content of a file without spaces around it. It runs at each login, because
// the file of a projected token changes.
func readFile(attribute, name string) (string, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", attribute, err)
	}
	value := strings.TrimSpace(string(content))
	if value == "" {
		return "", fmt.Errorf("%s: %s is empty", attribute, name)
	}
	return value, nil
}
