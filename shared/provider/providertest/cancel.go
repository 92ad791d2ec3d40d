package providertest

import (
	"context"
	"net/http"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

var cancelChecks = []check{
	{"an ended context sends nothing", nil, endedContext},
	{"a context that ends during Apply has true results", overHTTP, endsDuringApply},
}

func endedContext(t testing.TB, r *rig) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Provider.Verify(ctx, r.session)
	classIn(t, "Verify", err, outbound.Network)
	_, err = r.Provider.List(ctx, r.session, r.place)
	classIn(t, "List", err, outbound.Network)
	names := r.names(t, 2)
	for _, result := range r.apply(ctx, t, provider.Change{Name: names[0], Value: []byte("one")}, provider.Change{Name: names[1], Delete: true}) {
		if result.Outcome == provider.Done {
			t.Error("a change has the outcome done")
		}
		classIn(t, "Apply", result.Err, outbound.Network)
	}
}

// endsDuringApply ends the context while the second write is being sent.
func endsDuringApply(t testing.TB, r *rig) {
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
		t.Error("every change has the outcome done")
	}
}

// creations returns up to n changes that create one entry each, at most one batch.
func (r *rig) creations(t testing.TB, n int) []provider.Change {
	t.Helper()
	changes := make([]provider.Change, min(n, r.destination.Batch))
	for i, name := range r.names(t, len(changes)) {
		changes[i] = provider.Change{Name: name, Value: []byte("planted value of " + name)}
	}
	return changes
}
