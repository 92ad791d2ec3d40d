package providertest

import (
	"errors"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

var refusalChecks = []check{
	{"a party that limits requests is waited for by who asked", overHTTP, limitedReads},
	{"a limit within a batch skips the rest", overHTTP, limitedWrites},
}

func limitedReads(t testing.TB, r *rig) {
	r.front.play(always(limited))
	_, err := r.Provider.List(t.Context(), r.session, r.at)
	rateLimited(t, err)
	r.tellsNothing(t, err)
}

// rateLimited demands that an error says how long the party asks to wait.
func rateLimited(t testing.TB, err error) {
	t.Helper()
	classIn(t, "a limited request", err, outbound.RateLimited)
	var known *outbound.Error
	if errors.As(err, &known) && (known.RetryAfter < 50*time.Minute || known.RetryAfter > time.Hour) {
		t.Errorf("the error asks to wait %v, the party an hour", known.RetryAfter)
	}
}

func limitedWrites(t testing.TB, r *rig) {
	r.front.play(onWrites(2, limited))
	changes := r.creations(t, 30)
	results := r.apply(t.Context(), t, changes...)
	done := 0
	for i, result := range results {
		switch result.Outcome {
		case provider.Done:
			done++
		case provider.Unknown:
			t.Errorf("%s: a refused request leaves it open whether it had its effect", changes[i].Name)
		default:
			rateLimited(t, result.Err)
		}
	}
	all, writes := r.front.counted()
	switch {
	case writes < 2:
		// One request was enough for all.
	case done == len(results):
		t.Errorf("all is done with %d writes, and only the first was let through", writes)
	case writes > 1+max(1, r.declaration.Client.Concurrency):
		t.Errorf("%d writes of %d requests: the party was asked again although it refuses", writes, all)
	}
}
