package acceptance_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// wrapped sends a request whose response Vault stores under a wrapping token, and unwraps it.
func wrapped(t *testing.T, s *vaulttest.Server, method, path string, body data) data {
	t.Helper()
	client := wrapping(t, s)
	var secret *api.Secret
	var err error
	switch path = strings.TrimSuffix("stashbase/"+path, "/"); method {
	case http.MethodGet:
		secret, err = client.Logical().Read(path)
	case http.MethodPatch:
		secret, err = client.Logical().JSONMergePatch(t.Context(), path, body)
	case http.MethodDelete:
		secret, err = client.Logical().Delete(path)
	default:
		secret, err = client.Logical().Write(path, body)
	}
	if err != nil || secret == nil || secret.WrapInfo == nil || secret.Data != nil {
		t.Errorf("%s %s: the response is not wrapped: %+v, %v", method, path, secret, err)
		return nil
	}
	got, err := s.Client().Logical().Unwrap(secret.WrapInfo.Token)
	if err != nil || got == nil {
		t.Fatalf("%s %s: unwrap: %+v, %v", method, path, got, err)
	}
	return got.Data
}

// wrapping returns a client whose responses Vault wraps.
func wrapping(t *testing.T, s *vaulttest.Server) *api.Client {
	t.Helper()
	client, err := s.Client().Clone()
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(s.RootToken())
	client.SetWrappingLookupFunc(func(string, string) string { return "60s" })
	return client
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The response of every read can be wrapped, and unwraps to what an unwrapped response has. Lists are
// left out: Vault 1.21 returns 404 for a list with a wrapping header after the engine has returned it.
func TestEveryReadCanBeWrapped(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	env := environment(t, c)
	c.write("secrets/"+env+"/DATABASE_URL", data{"value": value()})
	names := strings.Split(env, "/")
	at := envPath{names[0], names[1], names[2]}
	compared := 0
	paths := openapi(c).Paths
	for _, template := range slices.Sorted(maps.Keys(paths)) {
		if paths[template].Get == nil || strings.HasSuffix(template, "/") {
			continue
		}
		path, method := strings.TrimPrefix(at.fill(template), "/"), http.MethodGet
		plain := c.send(method, path, nil)
		if plain.status != http.StatusOK {
			continue // no such integration or sync, or a parameter is required
		}
		if got, want := asJSON(t, wrapped(t, s, method, path, nil)), asJSON(t, plain.data); got != want {
			t.Errorf("%s %s: wrapped\n%s\nplain\n%s", method, path, got, want)
		}
		compared++
	}
	if compared < 10 {
		t.Errorf("only %d paths were compared", compared)
	}
}

func TestWritesCanBeWrapped(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	env := environment(t, c)
	w, _, _ := strings.Cut(env, "/")
	secret := "secrets/" + env + "/TOKEN"
	for _, tc := range []struct {
		method, path string
		body, want   data
	}{
		{"PUT", secret, data{"value": "one"}, data{"version": 1}},
		{"PATCH", secret, data{"comment": "x"}, data{"version": 2}},
		{"PUT", "import/" + env, data{"secrets": data{"A": "1"}}, data{"created": "[A]"}},
		{"PUT", "rollback/" + env + "/TOKEN", data{"version": 1}, data{"version": 3}},
		{"PUT", "keys/" + w + "/rotate", nil, data{"latest_version": 2}},
		{"PUT", "datakey/" + w + "/billing", data{"type": "wrapped"}, data{"key_version": 2}},
		{"DELETE", secret, nil, data{"state": "deleted"}},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			expect(t, "unwrapped", wrapped(t, s, tc.method, tc.path, tc.body), tc.want)
		})
	}
	// An error has no response to wrap.
	if _, err := wrapping(t, s).Logical().Write("stashbase/"+secret, data{"value": "x", "cas": 77}); err == nil || !strings.Contains(err.Error(), "conflict: cas:") {
		t.Errorf("a refused write returns %v", err)
	}
}
