package connect

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vault is a server that accepts every login and records the request.
type vault struct {
	*httptest.Server
	path, token string
	body        map[string]any
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.path, v.token, v.body = r.URL.Path, r.Header.Get("X-Vault-Token"), map[string]any{}
		_ = json.NewDecoder(r.Body).Decode(&v.body)
		_, _ = w.Write([]byte(`{"auth": {"client_token": "the-new-token"}}`))
	}))
	t.Cleanup(v.Close)
	return v
}

func connection(t *testing.T, address, name string, given values) *Connection {
	t.Helper()
	for _, m := range methods() {
		if m.name == name {
			return &Connection{settings: settings{address: address, login: &login{method: m, values: given, mount: m.mount}}}
		}
	}
	t.Fatalf("there is no method %s", name)
	return nil
}

func TestEachMethodLogsIn(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, method string
		given        values
		env          map[string]string
		path, body   string
	}{
		{"approle", "approle", values{"role_id": "r", "secret_id": "s"}, nil, "approle/login", `{"role_id":"r","secret_id":"s"}`},
		{"approle, by file", "approle", values{"role_id": "r", "secret_id_file": file}, nil, "approle/login", `{"role_id":"r","secret_id":"from-file"}`},
		{"approle without a secret id", "approle", values{"role_id": "r"}, nil, "approle/login", `{"role_id":"r"}`},
		{"kubernetes", "kubernetes", values{"role": "r", "jwt_file": file}, nil, "kubernetes/login", `{"jwt":"from-file","role":"r"}`},
		{"jwt, by the environment", "jwt", values{"role": "r"}, map[string]string{"TERRAFORM_VAULT_AUTH_JWT": "j"}, "jwt/login", `{"jwt":"j","role":"r"}`},
		{"userpass", "userpass", values{"username": "u"}, map[string]string{"TERRAFORM_VAULT_PASSWORD": "p"}, "userpass/login/u", `{"password":"p"}`},
		{"ldap", "ldap", values{"username": "u", "password": "p"}, nil, "ldap/login/u", `{"password":"p"}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("VAULT_TOKEN", "the-old-token")
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			v := newVault(t)
			conn := connection(t, v.URL, c.method, c.given)
			made, err := conn.dial()
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.authenticate(t.Context(), made); err != nil {
				t.Fatal(err)
			}
			body, err := json.Marshal(v.body)
			if err != nil || v.path != "/v1/auth/"+c.path || string(body) != c.body {
				t.Errorf("sent %s %s, want %s %s (%v)", v.path, body, c.path, c.body, err)
			}
			if v.token != "" {
				t.Error("the login was sent with a token")
			}
			if made.Token() != "the-new-token" {
				t.Errorf("the token is %q", made.Token())
			}
		})
	}
}

func TestATokenIsReadFromItsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	conn := connection(t, "http://127.0.0.1:1", tokenFile, values{"filename": file})
	made, err := conn.dial()
	if err == nil {
		err = conn.authenticate(t.Context(), made)
	}
	if err != nil || made.Token() != "from-file" {
		t.Fatalf("the token is %q (%v)", made.Token(), err)
	}
}

func TestWithoutALoginTheTokenIsThatOfTheVaultCommand(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("VAULT_TOKEN", "")
	conn := &Connection{settings: settings{address: "http://127.0.0.1:1"}}
	made, err := conn.dial()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.authenticate(t.Context(), made); err == nil || !strings.Contains(err.Error(), "VAULT_TOKEN") {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".vault-token"), []byte("left-there"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := conn.authenticate(t.Context(), made); err != nil || made.Token() != "left-there" {
		t.Fatalf("%q (%v)", made.Token(), err)
	}
	t.Setenv("VAULT_TOKEN", "of-the-environment")
	if made, err = conn.dial(); err == nil {
		err = conn.authenticate(t.Context(), made)
	}
	if err != nil || made.Token() != "of-the-environment" {
		t.Fatalf("%q (%v)", made.Token(), err)
	}
}

func TestWhatIsMissingForALoginIsNamed(t *testing.T) {
	conn := connection(t, "http://127.0.0.1:1", "userpass", values{"username": "u"})
	made, err := conn.dial()
	if err == nil {
		err = conn.authenticate(t.Context(), made)
	}
	if err == nil || !strings.Contains(err.Error(), "auth_login_userpass: password is missing; set it in the block, or set TERRAFORM_VAULT_PASSWORD") {
		t.Fatal(err)
	}
}

// VAULT_AGENT_ADDR applies only if no address is configured.
func TestAnAddressInTheConfigurationWins(t *testing.T) {
	t.Setenv("VAULT_ADDR", "http://of-the-environment:1")
	t.Setenv("VAULT_AGENT_ADDR", "http://agent-of-the-environment:1")
	made, err := (&Connection{settings: settings{address: "http://configured:1", namespace: "team"}}).dial()
	if err != nil || made.Address() != "http://configured:1" || made.Namespace() != "team" {
		t.Fatalf("%s, namespace %q (%v)", made.Address(), made.Namespace(), err)
	}
}
