package vault_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest"
	"github.com/stashbase/vault-stashbase/shared/provider/vault"
)

func jsonNumber(digits string) json.Number { return json.Number(digits) }

func TestVerifyDescribesTheTokenWithoutSecrets(t *testing.T) {
	server := other.Server(t)
	made, err := server.Client().Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"default", "sync"}, TTL: "1h", DisplayName: "nightly", NoParent: true})
	if err != nil {
		t.Fatal(err)
	}
	s := providertest.Session(t, vault.New(), "token", settings(t), map[string]string{"token": made.Auth.ClientToken})
	identity, err := vault.New().Verify(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if identity.Account != "token-nightly" || !slices.Equal(identity.Scopes, []string{"default", "sync"}) || time.Until(identity.Expires) > time.Hour || time.Until(identity.Expires) < time.Minute {
		t.Errorf("%+v", identity)
	}
	if printed := fmt.Sprint(identity); strings.Contains(printed, made.Auth.Accessor) || strings.Contains(printed, made.Auth.ClientToken) {
		t.Errorf("the identity contains the token or the accessor: %+v", identity)
	}
}

func TestATokenThatMayNotLookItselfUpIsClassPermission(t *testing.T) {
	server := other.Server(t)
	token := server.ClientWithPolicy(t, `path "secret/*" { capabilities = ["read"] }`).Token()
	s := providertest.Session(t, vault.New(), "token", settings(t), map[string]string{"token": token})
	_, err := vault.New().Verify(t.Context(), s)
	if outbound.ClassOf(err) != outbound.Permission || !strings.Contains(err.Error(), "auth/token/lookup-self") {
		t.Error(err)
	}
}

func TestATokenWithInvalidBytesIsNotSent(t *testing.T) {
	for _, token := range []string{"", "hvs.a\nb", "hvs.ä", " hvs.a"} {
		s := providertest.Session(t, vault.New(), "token", provider.Values{"address": "http://127.0.0.1:1"}, map[string]string{"token": token})
		if _, err := vault.New().Verify(t.Context(), s); outbound.ClassOf(err) != outbound.Auth {
			t.Errorf("%q: %v", token, err)
		}
	}
}

// fake starts a server with the handler and returns a session for it.
func fake(t *testing.T, settings provider.Values, handler http.HandlerFunc) *provider.Session {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	settings["address"] = server.URL + settings.Text("address")
	return providertest.Session(t, vault.New(), "token", settings, map[string]string{"token": "hvs." + rand.Text()})
}

func TestRequestsHaveVaultsHeaders(t *testing.T) {
	var received *http.Request
	s := fake(t, provider.Values{"address": "/behind/a%20proxy/", "namespace": "admin/platform"}, func(w http.ResponseWriter, r *http.Request) {
		received = r.Clone(t.Context())
		_, _ = w.Write([]byte(`{"request_id":"1","data":{"type":"service","display_name":"x"}}`))
	})
	if _, err := vault.New().Verify(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"X-Vault-Namespace": "admin/platform", "X-Vault-Request": "true", "X-Vault-Token": s.Credential.Text("token")}
	for header, value := range want {
		if received.Header.Get(header) != value {
			t.Errorf("the header %s has another value than %q", header, value)
		}
	}
	if received.URL.EscapedPath() != "/behind/a%20proxy/v1/auth/token/lookup-self" {
		t.Errorf("path %s", received.URL.EscapedPath())
	}
}

func TestARedirectOfAStandbyHasAHint(t *testing.T) {
	s := fake(t, provider.Values{}, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://active.example.com"+r.URL.Path, http.StatusTemporaryRedirect)
	})
	_, err := vault.New().List(t.Context(), s, provider.Place{Settings: provider.Values{"mount": "secret", "path": "a"}})
	if outbound.ClassOf(err) != outbound.Invalid || !strings.Contains(err.Error(), "active node") || strings.Contains(err.Error(), "active.example.com") {
		t.Error(err)
	}
}

func TestASealedVaultIsATemporaryFailure(t *testing.T) {
	s := fake(t, provider.Values{}, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"errors":["Vault is sealed"]}`))
	})
	_, err := vault.New().Verify(t.Context(), s)
	if !outbound.ClassOf(err).Passing() || !strings.Contains(err.Error(), "sealed") {
		t.Error(err)
	}
}

// Versions of Vault before 1.12 send the same error for an invalid token and for a missing
// permission.
func TestAnInvalidTokenIsDetectedByLookUp(t *testing.T) {
	s := fake(t, provider.Values{}, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		message := "permission denied"
		if strings.HasSuffix(r.URL.Path, "lookup-self") {
			message = "bad token: invalid token"
		}
		_, _ = fmt.Fprintf(w, `{"errors":[%q]}`, message)
	})
	_, err := vault.New().List(t.Context(), s, provider.Place{Settings: provider.Values{"mount": "secret", "path": "a"}})
	if outbound.ClassOf(err) != outbound.Auth {
		t.Error(err)
	}
}

func TestListRejectsNamesThatAreNotOneSegment(t *testing.T) {
	for _, name := range []string{"..", ".", "", "a/b", "../../sys/seal"} {
		var asked []string
		s := fake(t, provider.Values{}, func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.Path)
			data := any(map[string]any{"type": "kv", "path": "secret/", "options": map[string]string{"version": "2"}})
			if r.URL.RawQuery != "" {
				data = map[string]any{"keys": []string{name}}
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"request_id": "1", "data": data})
		})
		_, err := vault.New().List(t.Context(), s, provider.Place{Settings: provider.Values{"mount": "secret", "path": "a"}})
		var known *outbound.Error
		if !errors.As(err, &known) || known.Class != outbound.Provider || len(asked) != 2 {
			t.Errorf("%q: %v, requested paths %q", name, err, asked)
		}
	}
}

func TestEqualPlacesHaveEqualTargets(t *testing.T) {
	target := vault.New().Declare().Destinations[0].Target
	of := func(address, namespace, mount, path string) provider.Target {
		return target(provider.Values{"address": address, "namespace": namespace}, provider.Values{"mount": mount, "path": path})
	}
	one := of("https://vault.example.com", "", "secret", "acme/api")
	for _, same := range []provider.Target{of("HTTPS://Vault.example.com:443/", "", "/secret/", "/acme/api/")} {
		if same != one {
			t.Errorf("%+v differs from %+v", same, one)
		}
	}
	for _, another := range []provider.Target{
		of("https://vault.example.com", "admin", "secret", "acme/api"), of("https://vault.example.com:8200", "", "secret", "acme/api"),
		of("https://vault.example.com", "", "kv", "acme/api"), of("https://vault.example.com", "", "secret", "acme/API"),
	} {
		if another == one {
			t.Errorf("another place has the same target %+v", another)
		}
	}
	if one.Path != "secret/acme/api" {
		t.Errorf("path %q", one.Path)
	}
}

func TestPathsAreStoredWithoutSlashesAtTheirEdges(t *testing.T) {
	d := vault.New().Declare()
	place, err := provider.Complete(d.Destinations[0].Fields, provider.Values{"mount": "team/", "path": "/api/"})
	if err != nil || place.Text("mount") != "team" || place.Text("path") != "api" {
		t.Errorf("%v, %v", place, err)
	}
	settings, err := provider.Complete(d.SettingsOf("token"), provider.Values{"address": "https://vault.example.com", "namespace": "admin/platform/"})
	if err != nil || settings.Text("namespace") != "admin/platform" {
		t.Errorf("%v, %v", settings, err)
	}
	for _, namespace := range []string{"/", "admin//platform", "admin/../platform"} {
		if _, err := provider.Complete(d.SettingsOf("token"), provider.Values{"address": "https://vault.example.com", "namespace": namespace}); err == nil {
			t.Errorf("the namespace %q is accepted", namespace)
		}
	}
}
