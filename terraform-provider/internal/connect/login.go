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

// Names of methods that need more than a request.
const (
	certificate = "cert"
	tokenFile   = "token_file"
)

// method is a way to log in: a block auth_login_<name> of the provider. Each is one request to Vault, so a table of them replaces
// the modules of vault/api/auth, which do no more.
type method struct {
	name   string
	help   string
	mount  string // where the auth method is mounted by default
	fields []field
	// path is relative to auth/<mount>/; body is what is sent there.
	path func(values) string
	body func(values) map[string]any
}

// field is an attribute of a block. It is given, read from the file that the attribute <name>_file names, or found in the
// environment.
type field struct {
	name     string
	help     string
	secret   bool
	optional bool
	file     bool // <name>_file may name where it is
	env      []string
	fallback string // the file to read when nothing else is given
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
			{name: "secret_id", help: "Secret id of the role; a role may need none.", secret: true, optional: true, file: true,
				env: []string{"TERRAFORM_VAULT_SECRET_ID"}},
		}},
		{name: "kubernetes", help: "Log in as a Kubernetes service account.", mount: "kubernetes", path: login, body: send("role", "jwt"), fields: []field{
			{name: "role", help: "Name of the role."},
			{name: "jwt", help: "Token of the service account.", secret: true, file: true, fallback: kubernetesToken},
		}},
		{name: "jwt", help: "Log in with a JSON web token.", mount: "jwt", path: login, body: send("role", "jwt"), fields: []field{
			{name: "role", help: "Name of the role; the auth method may have a default.", optional: true},
			{name: "jwt", help: "The token.", secret: true, file: true, env: []string{"TERRAFORM_VAULT_AUTH_JWT", "TFC_WORKLOAD_IDENTITY_TOKEN"}},
		}},
		{name: "userpass", help: "Log in with a name and a password.", mount: "userpass", path: named, body: send("password"), fields: []field{username, password}},
		{name: "ldap", help: "Log in with a name and a password of a directory.", mount: "ldap", path: named, body: send("password"), fields: []field{username, password}},
		{name: certificate, help: "Log in with a TLS client certificate.", mount: "cert", path: login, body: send("name"), fields: []field{
			{name: "cert_file", help: "File with the certificate, PEM.", env: []string{"VAULT_CLIENT_CERT"}},
			{name: "key_file", help: "File with its private key, PEM.", env: []string{"VAULT_CLIENT_KEY"}},
			{name: "name", help: "Name of the certificate role; left out, any that fits.", optional: true},
		}},
		{name: tokenFile, help: "Read the token from a file.", fields: []field{
			{name: "filename", help: "File that holds the token and nothing else.", env: []string{"TERRAFORM_VAULT_TOKEN_FILENAME"}},
		}},
	}
}

func (m method) block() string { return "auth_login_" + m.name }

// login is a method with what the configuration gives it.
type login struct {
	method    method
	values    values
	mount     string
	namespace string
}

// token logs in.
func (l *login) token(ctx context.Context, vault *api.Client) (string, error) {
	resolved, err := l.resolve()
	if err != nil {
		return "", err
	}
	if l.method.name == tokenFile {
		return readFile(l.method.block()+".filename", resolved["filename"])
	}
	anonymous := vault
	if l.namespace != "" {
		anonymous = vault.WithNamespace(l.namespace)
	}
	// A token of the environment has no part in a login, and Vault would check it.
	anonymous.ClearToken()
	path := "auth/" + l.mount + "/" + l.method.path(resolved)
	secret, err := anonymous.Logical().WriteWithContext(ctx, path, l.method.body(resolved))
	if err != nil {
		return "", fmt.Errorf("%s: Vault refuses the login at %s: %w", l.method.block(), path, answerOnly(err))
	}
	if secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "" {
		return "", fmt.Errorf("%s: the answer of %s holds no token: is it an auth method that asks for a second factor?", l.method.block(), path)
	}
	return secret.Auth.ClientToken, nil
}

// answerOnly keeps what Vault has answered and drops the rest: an address may carry credentials.
func answerOnly(err error) error {
	var answered *api.ResponseError
	if errors.As(err, &answered) && !answered.RawError {
		return fmt.Errorf("status %d: %s", answered.StatusCode, strings.Join(answered.Errors, "; "))
	}
	return err
}

// resolve finds each field: given, in a file, in the environment, or in the file that is usual.
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
	if name := l.values[f.name+"_file"]; f.file && name != "" {
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
	return "; it can also be given as " + strings.Join(f.env, " or ")
}

// readFile reads at each login, because the file of a projected token changes.
func readFile(attribute, name string) (string, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", attribute, err)
	}
	return strings.TrimSpace(string(content)), nil
}
