package github_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/github"
	"github.com/stashbase/vault-stashbase/shared/provider/github/githubtest"
)

// clock is the clock of server and client. Waiting on it takes no time.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// fixture is a GitHub server with one repository and one environment, and a session with a token
// that has all permissions.
type fixture struct {
	*githubtest.Server
	clock   *clock
	gateway *outbound.Gateway
	session *provider.Session
}

func newFixture(t testing.TB, o githubtest.Options) *fixture {
	t.Helper()
	s := &fixture{clock: newClock()}
	o.Now = s.clock.Now
	s.Server = githubtest.New(t, o)
	s.Add(inEnvironment)
	rule, err := outbound.ParseRule("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	s.gateway = outbound.NewGateway(outbound.Options{UserAgent: "test", Clock: s.clock})
	s.gateway.Enforce(outbound.Policy{Allow: []outbound.Rule{rule}})
	s.session = s.open(t, githubtest.Token{Login: "ada", Secrets: githubtest.Write, Environments: githubtest.Write})
	return s
}

// open returns a session with another token.
func (s *fixture) open(t testing.TB, token githubtest.Token) *provider.Session {
	t.Helper()
	d := github.New().Declare()
	settings, err := provider.Complete(d.SettingsOf("token"), provider.Values{"base_url": s.URL, "ca_pem": s.CAPEM})
	if err != nil {
		t.Fatal(err)
	}
	client, err := s.gateway.Client(d.Party("acme", settings))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	credential := provider.NewCredential(map[string][]byte{"token": []byte(s.Issue(token))})
	return &provider.Session{Settings: settings, Auth: "token", Credential: credential, HTTP: client}
}

func at(p githubtest.Place) provider.Place {
	return provider.Place{Destination: "github-actions", Granularity: provider.Key, Settings: place(p)}
}

func (s *fixture) apply(t testing.TB, p githubtest.Place, changes ...provider.Change) []provider.Result {
	t.Helper()
	return github.New().Apply(t.Context(), s.session, at(p), changes)
}

func write(name, value string) provider.Change {
	return provider.Change{Name: name, Value: []byte(value)}
}

// puts returns the number of PUT requests.
func (s *fixture) puts() int {
	n := 0
	for _, asked := range s.Asked() {
		if strings.HasPrefix(asked, "PUT ") {
			n++
		}
	}
	return n
}

// fails requires an error of the given class whose hint contains the given words. It returns the
// wait that the error asks for.
func fails(t testing.TB, err error, class outbound.Class, words ...string) (wait time.Duration) {
	t.Helper()
	var known *outbound.Error
	if !errors.As(err, &known) || known.Class != class {
		t.Fatalf("an error of class %q, want %q: %v", outbound.ClassOf(err), class, err)
	}
	for _, word := range words {
		if !strings.Contains(known.Hint, word) {
			t.Errorf("the hint %q does not contain %q", known.Hint, word)
		}
	}
	return known.RetryAfter
}
