package connect

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/client"
)

// environments is a Vault with the secret A in each environment, except in those named absent.
// Without collective set, it refuses the metadata of a whole environment.
type environments struct {
	*httptest.Server
	collective bool

	mu   sync.Mutex
	seen []string
}

func newEnvironments(t *testing.T, collective bool) *environments {
	t.Helper()
	e := &environments{collective: collective}
	e.Server = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(e.Close)
	return e
}

func (e *environments) serve(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v1/stashbase/metadata/")
	e.mu.Lock()
	e.seen = append(e.seen, r.Header.Get("X-Vault-Namespace")+" "+path)
	e.mu.Unlock()
	fail := func(status int, text string) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"errors": ["` + text + `"]}`))
	}
	parts := strings.Split(path, "/")
	switch {
	case len(parts) == 3 && !e.collective:
		fail(http.StatusForbidden, "permission denied")
	case parts[2] == "absent":
		fail(http.StatusBadRequest, "not_found: environment does not exist")
	case len(parts) == 3:
		_, _ = w.Write([]byte(`{"data": {"secrets": {"A": {"version": 3, "state": "live"}}}}`))
	case parts[3] == "A":
		_, _ = w.Write([]byte(`{"data": {"name": "A", "version": 3, "state": "live", "versions": {"3": {"encoding": "text"}}}}`))
	case parts[3] == "UNMOUNTED":
		fail(http.StatusNotFound, "no handler for route")
	default:
		fail(http.StatusNotFound, "not_found: secret does not exist")
	}
}

func (e *environments) connect() *Connection {
	return &Connection{settings: settings{address: e.URL, token: "t"}}
}

func lookUp(t *testing.T, c *Connection, namespace, environment, name string) (client.Version, bool, error) {
	t.Helper()
	vault, err := c.Client(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	return c.Metadata(t.Context(), vault, client.Place{Workspace: "w", Project: "p", Environment: environment}, name)
}

func TestMetadataAreRequestedOnceForEachEnvironment(t *testing.T) {
	e := newEnvironments(t, true)
	c := e.connect()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if v, found, err := lookUp(t, c, "", "dev", "A"); err != nil || !found || v.Version != 3 {
				t.Errorf("%+v, %t (%v)", v, found, err)
			}
		})
	}
	wg.Wait()
	if _, found, err := lookUp(t, c, "", "dev", "B"); err != nil || found {
		t.Errorf("a secret that does not exist: %t (%v)", found, err)
	}
	for _, at := range [][2]string{{"", "live"}, {"team", "dev"}, {"team", "dev"}} {
		if _, _, err := lookUp(t, c, at[0], at[1], "A"); err != nil {
			t.Error(err)
		}
	}
	if want := []string{" w/p/dev", " w/p/live", "team w/p/dev"}; !slices.Equal(e.seen, want) {
		t.Errorf("requests %q, want %q", e.seen, want)
	}
}

// A write makes the cached metadata wrong, but only those of its environment.
func TestForgottenMetadataAreRequestedAgain(t *testing.T) {
	e := newEnvironments(t, true)
	c := e.connect()
	all := [][2]string{{"", "dev"}, {"", "live"}, {"team", "dev"}}
	for _, at := range all {
		_, _, _ = lookUp(t, c, at[0], at[1], "A")
	}
	c.Forget("", client.Place{Workspace: "w", Project: "p", Environment: "dev"})
	e.seen = nil
	for _, at := range all {
		_, _, _ = lookUp(t, c, at[0], at[1], "A")
	}
	if want := []string{" w/p/dev"}; !slices.Equal(e.seen, want) {
		t.Errorf("requests %q, want %q", e.seen, want)
	}
}

// A policy may permit single secrets only. A missing environment is an error, not a missing secret:
// otherwise a resource would be created there.
func TestWithoutTheRightToAllEachSecretIsRequested(t *testing.T) {
	e := newEnvironments(t, false)
	c := e.connect()
	if v, found, err := lookUp(t, c, "", "dev", "A"); err != nil || !found || v.Version != 3 || v.Encoding != "text" {
		t.Errorf("%+v, %t (%v)", v, found, err)
	}
	if _, found, err := lookUp(t, c, "", "dev", "B"); err != nil || found {
		t.Errorf("a secret that does not exist: %t (%v)", found, err)
	}
	var refused *client.Error
	if _, found, err := lookUp(t, c, "", "absent", "A"); !errors.As(err, &refused) || refused.Kind != client.NotFound || found {
		t.Errorf("an environment that does not exist: %t (%v)", found, err)
	}
	if _, found, err := lookUp(t, c, "", "dev", "UNMOUNTED"); !client.Is(err, client.NoMount) || found {
		t.Errorf("an engine that is not mounted: %t (%v)", found, err)
	}
	if want := []string{" w/p/dev", " w/p/dev/A", " w/p/dev/B", " w/p/absent", " w/p/absent/A", " w/p/dev/UNMOUNTED"}; !slices.Equal(e.seen, want) {
		t.Errorf("requests %q, want %q", e.seen, want)
	}
}
