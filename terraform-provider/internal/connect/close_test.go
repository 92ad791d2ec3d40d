package connect

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const (
	ownersToken = "the-owners-token"
	loginsToken = "the-new-token"
)

// registry is a Vault that records each request with its token and namespace. It refuses the paths
// that refuse contains.
type registry struct {
	*httptest.Server
	seen   []string
	refuse map[string]int // status by path
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	r := &registry{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.seen = append(r.seen, request.Header.Get("X-Vault-Namespace")+" "+request.URL.Path+" "+request.Header.Get("X-Vault-Token"))
		if status := r.refuse[request.URL.Path]; status != 0 {
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]any{"errors": []string{"refused"}})
			return
		}
		_, _ = w.Write([]byte(`{"auth": {"client_token": "` + loginsToken + `"}, "data": {"name": "acme"}}`))
	}))
	t.Cleanup(r.Close)
	t.Setenv("VAULT_MAX_RETRIES", "0")
	return r
}

// uses makes the connection's first request, which logs in if a login is configured.
func uses(t *testing.T, c *Connection) error {
	t.Helper()
	vault, err := c.Client(t.Context(), "")
	if err != nil {
		return err
	}
	_, err = vault.Workspace(t.Context(), "acme")
	return err
}

const revocation = "/v1/auth/token/revoke-self"

// A login's token lives as long as the run. A revocation of the owner's own token would end their
// session and everything that the token has created.
func TestOnlyTheTokenOfALoginIsRevoked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(ownersToken), 0o600); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".vault-token"), []byte(ownersToken), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := func(_ *testing.T, r *registry) *Connection { return &Connection{settings: settings{address: r.URL}} }
	for _, c := range []struct {
		name    string
		env     map[string]string
		connect func(*testing.T, *registry) *Connection
		token   string // that the requests use
		revokes []string
	}{
		{"a login", nil, withLogin, loginsToken, []string{" " + revocation + " " + loginsToken}},
		{"a login beside a token of the owner", map[string]string{"VAULT_TOKEN": ownersToken}, withLogin, loginsToken, []string{" " + revocation + " " + loginsToken}},
		{"a login in a namespace of its own", nil, func(t *testing.T, r *registry) *Connection {
			conn := withLogin(t, r)
			conn.settings.namespace, conn.settings.login.namespace = "team", "admin"
			return conn
		}, loginsToken, []string{"admin " + revocation + " " + loginsToken}},
		{"a login in the provider's namespace", nil, func(t *testing.T, r *registry) *Connection {
			conn := withLogin(t, r)
			conn.settings.namespace = "team"
			return conn
		}, loginsToken, []string{"team " + revocation + " " + loginsToken}},
		{"a login beside a configured token", nil, func(t *testing.T, r *registry) *Connection {
			conn := withLogin(t, r)
			conn.settings.token = ownersToken
			return conn
		}, loginsToken, []string{" " + revocation + " " + loginsToken}},
		{"a configured token", nil, func(_ *testing.T, r *registry) *Connection {
			return &Connection{settings: settings{address: r.URL, token: ownersToken}}
		}, ownersToken, nil},
		{"a token of the environment", map[string]string{"VAULT_TOKEN": ownersToken}, plain, ownersToken, nil},
		{"a token of the vault command", map[string]string{"HOME": home}, plain, ownersToken, nil},
		{"a token in a file", nil, func(t *testing.T, r *registry) *Connection {
			return connection(t, r.URL, tokenFile, values{"filename": file})
		}, ownersToken, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("VAULT_TOKEN", "")
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			r := newRegistry(t)
			conn := c.connect(t, r)
			if err := uses(t, conn); err != nil {
				t.Fatal(err)
			}
			if last, want := r.seen[len(r.seen)-1], conn.settings.namespace+" /v1/stashbase/workspaces/acme "+c.token; last != want {
				t.Errorf("the request is %q, want %q", last, want)
			}
			before := len(r.seen)
			if err := conn.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.seen[before:], c.revokes) {
				t.Errorf("Close requests %q, want %q", r.seen[before:], c.revokes)
			}
			// A second Close has nothing to revoke.
			before = len(r.seen)
			if err := conn.Close(t.Context()); err != nil || len(r.seen) != before {
				t.Errorf("a second Close requests %q (%v)", r.seen[before:], err)
			}
		})
	}
}

// withLogin returns a connection that logs in by password.
func withLogin(t *testing.T, r *registry) *Connection {
	t.Helper()
	return connection(t, r.URL, "userpass", values{"username": "ada", "password": "p"})
}

// A run that needs no request neither logs in nor revokes.
func TestAnUnusedLoginIsNotMade(t *testing.T) {
	r := newRegistry(t)
	conn := withLogin(t, r)
	if err := conn.Close(t.Context()); err != nil || len(r.seen) != 0 {
		t.Errorf("requests %q (%v)", r.seen, err)
	}
}

// All resources share one login, and a resource in another namespace uses the same token.
func TestALoginIsMadeOnce(t *testing.T) {
	r := newRegistry(t)
	conn := withLogin(t, r)
	for _, namespace := range []string{"", "team", ""} {
		vault, err := conn.Client(t.Context(), namespace)
		if err == nil {
			_, err = vault.Workspace(t.Context(), "acme")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		" /v1/auth/userpass/login/ada ", " /v1/stashbase/workspaces/acme " + loginsToken,
		"team /v1/stashbase/workspaces/acme " + loginsToken, " /v1/stashbase/workspaces/acme " + loginsToken,
	}
	if !slices.Equal(r.seen, want) {
		t.Errorf("requests %q, want %q", r.seen, want)
	}
}

// A login that Vault refuses leaves no token to revoke: neither that of the owner nor another.
func TestAFailedLoginRevokesNothing(t *testing.T) {
	t.Setenv("VAULT_TOKEN", ownersToken)
	r := newRegistry(t)
	r.refuse = map[string]int{"/v1/auth/userpass/login/ada": http.StatusBadRequest}
	conn := withLogin(t, r)
	if err := uses(t, conn); err == nil {
		t.Fatal("the login succeeds")
	}
	if err := conn.Close(t.Context()); err != nil || len(r.seen) != 1 {
		t.Errorf("requests %q (%v)", r.seen, err)
	}
}

// The caller learns that a token outlives the run, and how long it may wait for that.
func TestAFailedRevocationIsReported(t *testing.T) {
	r := newRegistry(t)
	r.refuse = map[string]int{revocation: http.StatusForbidden}
	conn := withLogin(t, r)
	conn.settings.address = withCredentials(r.URL)
	if err := uses(t, conn); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	other := &Connection{settings: conn.settings}
	if err := uses(t, other); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(over); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
	const want = "cannot revoke the token of the provider's login: status 403: refused"
	if err := conn.Close(t.Context()); err == nil || err.Error() != want {
		t.Errorf("a refused revocation is reported as %v", err)
	}
}
