package github_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/github"
	"github.com/stashbase/vault-stashbase/shared/provider/github/githubtest"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest"
)

// A simulator of others responds with the examples of GitHub's description. Its public key has 33
// bytes. A client that truncates the key seals values that nobody can open, and reports success.
func TestASimulatorWithAKeyOf33BytesGetsNothing(t *testing.T) {
	simulator := githubtest.StartClient(t, "simulator.mjs")
	target, err := url.Parse("http://127.0.0.1:" + simulator.Line())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var asked []string
	forward := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.URL.Path)
		mu.Unlock()
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	s := providertest.Session(t, github.New(), "token", provider.Values{"base_url": front.URL}, map[string]string{"token": "made-up-token"})

	// The control: the simulator does respond as GitHub does.
	identity, err := github.New().Verify(t.Context(), s)
	if err != nil || identity.Account == "" {
		t.Fatalf("the identity is %+v: %v", identity, err)
	}
	listed, err := github.New().List(t.Context(), s, at(inRepository))
	if err != nil || len(listed) == 0 {
		t.Fatalf("the list has %d secrets: %v", len(listed), err)
	}
	for _, place := range []githubtest.Place{inRepository, inEnvironment} {
		changes := []provider.Change{write("A", "planted-value"), {Name: listed[0].Name, Delete: true, Expect: &listed[0]}, write("B", "planted-value")}
		for i, r := range github.New().Apply(t.Context(), s, at(place), changes) {
			if r.Outcome != provider.Skipped && r.Outcome != provider.Failed {
				t.Errorf("change %d has the outcome %s", i, r.Outcome)
			}
			fails(t, r.Err, outbound.Provider, "32 bytes")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.ContainsFunc(asked, func(r string) bool { return strings.HasSuffix(r, "/actions/secrets/public-key") }) {
		t.Errorf("the key was not fetched: %q", asked)
	}
	for _, request := range asked {
		if !strings.HasPrefix(request, http.MethodGet+" ") {
			t.Errorf("a request that writes was sent: %s", request)
		}
	}
}
