package providertest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// rig is a party together with everything that a check needs to use it.
type rig struct {
	Party
	declaration provider.Declaration
	destination provider.Destination
	front       *front // nil if the party is not reached over HTTP
	session     *provider.Session
	place       provider.Place
}

func newRig(t testing.TB, p Party) *rig {
	t.Helper()
	r := &rig{Party: p, declaration: p.Provider.Declare()}
	for _, d := range r.declaration.Destinations {
		if d.Name == p.Destination {
			r.destination = d
		}
	}
	if r.destination.Name == "" || len(r.destination.Granularities) == 0 || len(r.declaration.Auth) == 0 {
		t.Fatalf("%s declares no auth kind, or no destination %q with a granularity", r.declaration.Name, p.Destination)
	}
	r.Auth = cmp.Or(p.Auth, r.declaration.Auth[0].Name)
	settings := maps.Clone(p.Settings)
	if p.Address != "" {
		r.front = newFront(t, settings.Text(p.Address), settings.Text(provider.FieldCAPEM))
		settings[p.Address] = r.front.url
	}
	r.session = r.newSession(t, complete(t, r.declaration.SettingsOf(r.Auth), settings), p.Credential, patience)
	r.place = r.newPlace(t, p.Place)
	return r
}

func complete(t testing.TB, fields []provider.Field, given provider.Values) provider.Values {
	t.Helper()
	values, err := provider.Complete(fields, given)
	if err != nil {
		t.Fatalf("the party's settings: %v", err)
	}
	return values
}

func (r *rig) newPlace(t testing.TB, settings provider.Values) provider.Place {
	t.Helper()
	granularity := cmp.Or(r.Granularity, r.destination.Granularities[0])
	return provider.Place{Destination: r.destination.Name, Granularity: granularity, Settings: complete(t, r.destination.Fields, settings)}
}

// Time limits of a request: for an honest party, and for checks of the time limit itself.
const (
	patience   = 20 * time.Second
	impatience = 150 * time.Millisecond
)

func (r *rig) newSession(t testing.TB, settings provider.Values, credential map[string]string, timeout time.Duration) *provider.Session {
	t.Helper()
	if r.front == nil {
		return &provider.Session{Settings: settings, Auth: r.Auth, Credential: secret(credential)}
	}
	party := r.declaration.Party("providertest", settings)
	party.Timeout = timeout
	// The server in between does not use TLS.
	party.CAPEM, party.ServerName = "", ""
	return &provider.Session{Settings: settings, Auth: r.Auth, Credential: secret(credential), HTTP: client(t, party)}
}

// Session returns a session with a party on the loopback interface, for tests outside the suite.
// Waits take no time on its clock.
func Session(t testing.TB, p provider.Provider, auth string, settings provider.Values, credential map[string]string) *provider.Session {
	t.Helper()
	d := p.Declare()
	settings = complete(t, d.SettingsOf(auth), settings)
	return &provider.Session{Settings: settings, Auth: auth, Credential: secret(credential), HTTP: client(t, d.Party("providertest", settings))}
}

func client(t testing.TB, party outbound.Party) *outbound.Client {
	t.Helper()
	gateway := outbound.NewGateway(outbound.Options{UserAgent: "providertest", Clock: &clock{}})
	rule, err := outbound.ParseRule("127.0.0.0/8+http")
	if err != nil {
		t.Fatal(err)
	}
	gateway.Enforce(outbound.Policy{Allow: []outbound.Rule{rule}})
	c, err := gateway.Client(party)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// refused returns a session whose credential the party rejects.
func (r *rig) refused(t testing.TB) *provider.Session {
	return r.newSession(t, r.session.Settings, r.Refused, patience)
}

func secret(fields map[string]string) provider.Credential {
	copied := make(map[string][]byte, len(fields))
	for name, value := range fields {
		copied[name] = []byte(value)
	}
	return provider.NewCredential(copied)
}

// clock is a clock on which waiting takes no time.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
	return ctx.Err()
}

// names returns n different names that the destination accepts.
func (r *rig) names(t testing.TB, n int) []string {
	t.Helper()
	limits := r.destination.Limits
	for _, pattern := range []string{"NAME_%03d", "name-%03d", "name%03d", "/name/%03d"} {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf(pattern, i)
		}
		if limits.Name == nil || limits.Name.MatchString(r.stored(names[0])) {
			return names
		}
	}
	t.Fatal("Limits.Name matches none of the names that the suite uses")
	return nil
}

// stored returns a name as the service stores it.
func (r *rig) stored(name string) string {
	if r.destination.Fold == nil {
		return name
	}
	return r.destination.Fold(name)
}

func (r *rig) list(t testing.TB) map[string]provider.Entry {
	t.Helper()
	entries, err := r.Provider.List(t.Context(), r.session, r.place)
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	byName := make(map[string]provider.Entry, len(entries))
	for _, e := range entries {
		byName[e.Name] = e
	}
	return byName
}

// expect returns the entry with the given name as List returns it, or nil if there is none.
func (r *rig) expect(t testing.TB, name string) *provider.Entry {
	t.Helper()
	e, ok := r.list(t)[r.stored(name)]
	if !ok {
		return nil
	}
	return &e
}

// apply makes changes and compares the results with the content of the place.
func (r *rig) apply(ctx context.Context, t testing.TB, changes ...provider.Change) []provider.Result {
	t.Helper()
	return r.applyAs(ctx, t, r.session, r.place, changes...)
}

func (r *rig) applyAs(ctx context.Context, t testing.TB, s *provider.Session, place provider.Place, changes ...provider.Change) []provider.Result {
	t.Helper()
	before := r.Truth()
	given := make([]string, len(changes))
	for i := range changes {
		given[i] = string(changes[i].Value)
	}
	results := r.Provider.Apply(ctx, s, place, changes)
	if len(results) != len(changes) {
		t.Fatalf("Apply of %d changes returned %d results", len(changes), len(results))
	}
	after := r.Truth()
	for i, c := range changes {
		if string(c.Value) != given[i] {
			t.Errorf("%s: Apply modified the given value", c.Name)
		}
		r.honest(t, c, results[i], before, after)
	}
	r.othersUntouched(t, changes, before, after)
	return results
}

// honest compares a result with the place before and after.
func (r *rig) honest(t testing.TB, c provider.Change, result provider.Result, before, after map[string]string) {
	t.Helper()
	name := r.stored(c.Name)
	was, had := before[name]
	is, has := after[name]
	changed := had != has || was != is
	applied := c.Delete != has && (c.Delete || is == string(c.Value))
	switch result.Outcome {
	case provider.Done:
		if !applied {
			t.Errorf("%s has the outcome done, but the change was not made", name)
		}
		if result.Err != nil {
			t.Errorf("%s has the outcome done and an error: %v", name, result.Err)
		}
		return
	case provider.Failed, provider.Skipped:
		if changed {
			t.Errorf("%s has the outcome %s, but it has changed", name, result.Outcome)
		}
	case provider.Unknown:
		if changed && !applied {
			t.Errorf("%s has neither its old nor its new value", name)
		}
	default:
		t.Errorf("%s has the outcome %q", name, result.Outcome)
	}
	if class := outbound.ClassOf(result.Err); class == "" || class == outbound.Internal {
		t.Errorf("%s has the outcome %s and an error of class %q: %v", name, result.Outcome, class, result.Err)
	}
	r.leaksNothing(t, result.Err, string(c.Value))
}

func (r *rig) othersUntouched(t testing.TB, changes []provider.Change, before, after map[string]string) {
	t.Helper()
	for name, was := range before {
		named := slices.ContainsFunc(changes, func(c provider.Change) bool { return r.stored(c.Name) == name })
		if is, has := after[name]; !named && (!has || is != was) {
			t.Errorf("%s has changed, but no change names it", name)
		}
	}
}

// window is the number of consecutive characters of a secret that an error must not contain.
const window = 8

// leaksNothing checks that an error contains no part of a value, a credential or a hostile
// response.
func (r *rig) leaksNothing(t testing.TB, err error, secrets ...string) {
	t.Helper()
	if err == nil {
		return
	}
	secrets = append(secrets, hostile)
	for _, fields := range []map[string]string{r.Credential, r.Refused} {
		secrets = slices.AppendSeq(secrets, maps.Values(fields))
	}
	text := fmt.Sprintf("%v %+v %s", err, err, err)
	for _, s := range secrets {
		for ; len(s) >= window; s = s[1:] {
			if strings.Contains(text, s[:window]) {
				t.Errorf("an error contains a part of a value, a credential or a response: %q", err)
				return
			}
		}
	}
}

// done makes changes in batches and requires that all of them are Done.
func (r *rig) done(t testing.TB, changes ...provider.Change) []provider.Result {
	t.Helper()
	var results []provider.Result
	for batch := range slices.Chunk(changes, r.destination.Batch) {
		results = append(results, r.apply(t.Context(), t, batch...)...)
	}
	for i, result := range results {
		if result.Outcome != provider.Done {
			t.Fatalf("%s: %s: %v", changes[i].Name, result.Outcome, result.Err)
		}
	}
	return results
}

// classIn requires an error of one of the classes.
func classIn(t testing.TB, what string, err error, classes ...outbound.Class) {
	t.Helper()
	class := outbound.ClassOf(err)
	if !slices.Contains(classes, class) {
		t.Errorf("%s: got an error of class %q, want one of %q: %v", what, class, classes, err)
	}
}
