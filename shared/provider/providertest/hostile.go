package providertest

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

var hostileChecks = []check{
	{"an invalid response is an error of class provider", overHTTP, invalidResponses},
	{"a missing response is an error of class network", overHTTP, noResponse},
	{"a redirect is not followed", overHTTP, redirected},
	{"an invalid response to a write is not a success", overHTTP, invalidResponseToWrites},
	{"a write whose response is lost is unknown, and repeated after listing", overHTTP, lostResponse},
}

// readErrors calls every reading method and returns the errors by method.
func (r *rig) readErrors(t testing.TB) map[string]error {
	t.Helper()
	errs := make(map[string]error)
	_, errs["Verify"] = r.Provider.Verify(t.Context(), r.session)
	_, errs["List"] = r.Provider.List(t.Context(), r.session, r.place)
	if reader, ok := r.Provider.(provider.Reader); ok && r.destination.ReadBack == provider.ReadBackValue {
		_, errs["Read"] = reader.Read(t.Context(), r.session, r.place, r.names(t, 1))
	}
	if r.destination.Looks {
		_, errs["Look"] = r.look(t, r.session, r.names(t, 1)...)
	}
	if r.destination.Checks {
		_, errs["Lacks"] = r.lacks(t, r.session, r.place)
	}
	for _, err := range errs {
		r.leaksNothing(t, err)
	}
	return errs
}

func invalidResponses(t testing.TB, r *rig) {
	for name, play := range map[string]trick{"garbage": garbage, "HTML": html, "status 500": broken, "nothing": nothing, "too much": tooMuch} {
		r.front.play(always(play))
		for what, err := range r.readErrors(t) {
			classIn(t, what+" with "+name, err, outbound.Provider)
		}
		r.nothingDone(t, name)
	}
}

func noResponse(t testing.TB, r *rig) {
	r.session = r.newSession(t, r.session.Settings, r.Credential, impatience)
	for name, play := range map[string]trick{"a cut connection": cut, "silence": hang} {
		r.front.play(always(play))
		for what, err := range r.readErrors(t) {
			classIn(t, what+" with "+name, err, outbound.Network)
		}
		r.nothingDone(t, name)
	}
}

// nothingDone checks that no change is done while the party's responses are invalid.
func (r *rig) nothingDone(t testing.TB, name string) {
	t.Helper()
	for _, result := range r.apply(t.Context(), t, r.creations(t, 3)...) {
		if result.Outcome == provider.Done {
			t.Errorf("a write with %s has the outcome done", name)
		}
	}
}

func redirected(t testing.TB, r *rig) {
	var reached atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	t.Cleanup(other.Close)
	r.front.play(always(redirect(other.URL + "/" + hostile)))
	for what, err := range r.readErrors(t) {
		classIn(t, what+" with a redirect", err, outbound.Provider, outbound.Invalid)
	}
	r.nothingDone(t, "a redirect")
	if reached.Load() {
		t.Error("the redirect was followed")
	}
}

func invalidResponseToWrites(t testing.TB, r *rig) {
	for name, play := range map[string]trick{"garbage": garbage, "HTML": html, "status 500": broken, "a cut connection": cut} {
		r.front.play(onWrites(1, play))
		r.nothingDone(t, name)
	}
	// The other requests have honest responses.
	r.session = r.newSession(t, r.session.Settings, r.Credential, 4*impatience)
	r.front.play(onWrites(1, hang))
	r.nothingDone(t, "silence")
}

func lostResponse(t testing.TB, r *rig) {
	r.front.play(func(q request) trick {
		if q.Write != 1 {
			return nil
		}
		return lose
	})
	changes := r.creations(t, 3)
	unknown := 0
	for _, result := range r.apply(t.Context(), t, changes...) {
		switch result.Outcome {
		case provider.Unknown:
			unknown++
			classIn(t, "the lost write", result.Err, outbound.Network)
		case provider.Failed:
			t.Errorf("a write after the lost one has failed: %v", result.Err)
		}
	}
	if unknown == 0 && len(r.Truth()) != len(changes) {
		t.Error("a write is lost, but no result is unknown")
	}
	// The changes have their first Expect, so a change that had its effect may be a conflict now.
	for _, result := range r.apply(t.Context(), t, changes...) {
		if result.Outcome != provider.Done {
			classIn(t, "the same again", result.Err, outbound.Conflict)
		}
	}
	now := r.list(t)
	for i := range changes {
		if e, ok := now[r.stored(changes[i].Name)]; ok {
			changes[i].Expect = &e
		}
	}
	r.done(t, changes...)
}
