package providertest

import (
	"context"
	"net/http"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

var cancelChecks = []check{
	{"a context that has ended begins nothing", nil, endedContext},
	{"a context that ends on the way is told truly", overHTTP, endsOnTheWay},
}

func endedContext(t testing.TB, r *rig) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Provider.Verify(ctx, r.session)
	classIn(t, "Verify", err, outbound.Network)
	_, err = r.Provider.List(ctx, r.session, r.at)
	classIn(t, "List", err, outbound.Network)
	names := r.names(t, 2)
	for _, result := range r.apply(ctx, t, provider.Change{Name: names[0], Value: []byte("one")}, provider.Change{Name: names[1], Delete: true}) {
		if result.Outcome == provider.Done {
			t.Error("a change is answered as done")
		}
		classIn(t, "Apply", result.Err, outbound.Network)
	}
}

// endsOnTheWay ends the context with the second write on its way to the party.
func endsOnTheWay(t testing.TB, r *rig) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.front.play(onWrites(2, func(f *front, w http.ResponseWriter, q *http.Request) {
		cancel()
		f.party.ServeHTTP(w, q)
	}))
	changes := r.creations(t, 12)
	results := r.apply(ctx, t, changes...)
	done := 0
	for _, result := range results {
		if result.Outcome == provider.Done {
			done++
		}
	}
	if _, writes := r.front.counted(); writes > 1 && done == len(results) {
		t.Error("every change is answered as done")
	}
}

// creations are n changes that make an entry each, as far as one call takes them.
func (r *rig) creations(t testing.TB, n int) []provider.Change {
	t.Helper()
	changes := make([]provider.Change, min(n, r.destination.Batch))
	for i, name := range r.names(t, len(changes)) {
		changes[i] = provider.Change{Name: name, Value: []byte("planted value of " + name)}
	}
	return changes
}
