package connect

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A failed login is tried again by the next request, and no request is made without it.
func TestAFailedLoginIsExplained(t *testing.T) {
	const at = "auth_login_userpass: Vault refused the login at auth/userpass/login/ada: "
	const noToken = "auth_login_userpass: the response of auth/userpass/login/ada contains no token; " +
		"the auth method may require a second factor, which is not supported"
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"a refusal", 400, `{"errors": ["invalid role", "or name"]}`, at + "status 400: invalid role; or name"},
		{"a page of a proxy", 502, "<p>Bad gateway</p>", at + "status 502; the response did not come from Vault"},
		{"no content", 204, "", noToken},
		{"no authentication", 200, `{"data": {}}`, noToken},
		{"an empty token", 200, `{"auth": {"client_token": ""}}`, noToken},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("VAULT_MAX_RETRIES", "0")
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests++
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer server.Close()
			conn := connection(t, withCredentials(server.URL), "userpass", values{"username": "ada", "password": "p"})
			for attempt := range 2 {
				if err := uses(t, conn); err == nil || err.Error() != c.want || requests != attempt+1 {
					t.Errorf("%d requests: %v, want %s", requests, err, c.want)
				}
			}
		})
	}
}

// withCredentials adds credentials to a URL, which no error may contain.
func withCredentials(url string) string { return strings.Replace(url, "://", "://proxy:hidden@", 1) }

func TestWithoutAConnectionTheAddressIsNotPrinted(t *testing.T) {
	t.Setenv("VAULT_MAX_RETRIES", "0")
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	const malformed = "http://proxy:hidden@["
	for _, c := range []struct{ address, proxy, want string }{
		{withCredentials(server.URL), "", "auth_login_userpass: Vault refused the login at auth/userpass/login/ada: dial tcp "},
		{malformed, "", "the provider's address: missing ']' in host"},
		{server.URL, malformed, "read the environment variables of Vault: missing ']' in host"},
	} {
		t.Setenv("VAULT_PROXY_ADDR", c.proxy)
		err := uses(t, connection(t, c.address, "userpass", values{"username": "ada", "password": "p"}))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "proxy:") {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// Each of these fails before the first request, because the request would go to another server,
// with less protection, or with less than what was configured.
func TestAWrongConfigurationMakesNoRequest(t *testing.T) {
	dir := t.TempDir()
	missing, empty := filepath.Join(dir, "missing"), filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	notFound := fmt.Sprintf("open %s: no such file or directory", missing)
	for _, c := range []struct {
		name, method string
		given        values
		file         string // of the authority
		env          string // VAULT_SKIP_VERIFY
		want         string
	}{
		{"the environment", "userpass", nil, "", "perhaps", "read the environment variables of Vault: could not parse VAULT_SKIP_VERIFY"},
		{"the authority", "userpass", nil, missing, "", "TLS settings of the provider: Error loading CA File: " + notFound},
		{"an optional file", "approle", values{"role_id": "r", "secret_id_file": missing}, "", "", "auth_login_approle.secret_id_file: " + notFound},
		{"a token file", tokenFile, values{"filename": missing}, "", "", "auth_login_token_file.filename: " + notFound},
		{"an empty token file", tokenFile, values{"filename": empty}, "", "", "auth_login_token_file.filename: " + empty + " is empty"},
		{"a value without a variable", "kubernetes", nil, "", "", "auth_login_kubernetes: role is missing"},
		{"a value with two variables", "jwt", nil, "", "", "auth_login_jwt: jwt is missing; set it in the block, or set TERRAFORM_VAULT_AUTH_JWT or TFC_WORKLOAD_IDENTITY_TOKEN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("VAULT_SKIP_VERIFY", c.env)
			r := newRegistry(t)
			conn := connection(t, r.URL, c.method, c.given)
			conn.settings.caCertFile = c.file
			for _, namespace := range []string{"", "team"} {
				if _, err := conn.Client(t.Context(), namespace); err == nil || err.Error() != c.want {
					t.Errorf("%v, want %s", err, c.want)
				}
			}
			if len(r.seen) != 0 {
				t.Errorf("requests %q", r.seen)
			}
		})
	}
}

// The vault command stores a token in the home directory. A file of that name in the current
// directory may come from anyone.
func TestOnlyTheHomeDirectoryHasTheTokenOfTheVaultCommand(t *testing.T) {
	const want = "no Vault token found: set VAULT_TOKEN, log in with the vault command, or give the provider an auth_login_ block"
	r := newRegistry(t)
	t.Setenv("VAULT_TOKEN", "")
	for name, c := range map[string]struct{ home, content string }{
		"no home directory": {"", ownersToken},
		"no token":          {".", " \n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			t.Setenv("HOME", c.home)
			if err := os.WriteFile(".vault-token", []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			conn := &Connection{settings: settings{address: r.URL}}
			if err := uses(t, conn); err == nil || err.Error() != want || len(r.seen) != 0 {
				t.Errorf("requests %q: %v", r.seen, err)
			}
		})
	}
}
