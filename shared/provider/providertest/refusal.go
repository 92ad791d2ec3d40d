package providertest

import (
	"errors"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

var refusalChecks = []check{
	{"a rate limit is returned with its wait", overHTTP, limitedReads},
	{"a rate limit within a batch skips the rest", overHTTP, limitedWrites},
}

func limitedReads(t testing.TB, r *rig) {
	r.front.play(always(limited))
	_, err := r.Provider.List(t.Context(), r.session, r.place)
	rateLimited(t, err)
	r.leaksNothing(t, err)
}

// rateLimited requires an error with the wait that the party asks for.
func rateLimited(t testing.TB, err error) {
	t.Helper()
	classIn(t, "a limited request", err, outbound.RateLimited)
	var known *outbound.Error
	if errors.As(err, &known) && (known.RetryAfter < 50*time.Minute || known.RetryAfter > time.Hour) {
		t.Errorf("the error has a wait of %v, want the party's hour", known.RetryAfter)
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
			t.Errorf("%s: the outcome of a rate-limited request is unknown", changes[i].Name)
		default:
			rateLimited(t, result.Err)
		}
	}
	all, writes := r.front.counted()
	switch {
	case writes < 2:
		// One request was enough for all changes.
	case done == len(results):
		t.Errorf("all changes are done with %d writes, but only the first was passed to the party", writes)
	case writes > 1+max(1, r.declaration.Client.Concurrency):
		t.Errorf("%d writes of %d requests: the rate limit was ignored", writes, all)
	}
}
