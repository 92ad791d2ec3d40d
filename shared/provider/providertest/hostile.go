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
	{"a party that answers nonsense is of class provider", overHTTP, nonsense},
	{"a party that does not answer is of class network", overHTTP, noAnswer},
	{"a redirect is not followed", overHTTP, redirected},
	{"nonsense in answer to a write is not taken for success", overHTTP, nonsenseToWrites},
	{"a write whose answer is lost is unknown, and repeated after a look", overHTTP, lostAnswer},
}

// asks makes every kind of question, and answers the errors.
func (r *rig) asks(t testing.TB) map[string]error {
	t.Helper()
	errs := make(map[string]error)
	_, errs["Verify"] = r.Provider.Verify(t.Context(), r.session)
	_, errs["List"] = r.Provider.List(t.Context(), r.session, r.at)
	if reader, ok := r.Provider.(provider.Reader); ok && r.destination.ReadBack == provider.ReadBackValue {
		_, errs["Read"] = reader.Read(t.Context(), r.session, r.at, r.names(t, 1))
	}
	if r.destination.Looks {
		_, errs["Look"] = r.look(t, r.session, r.names(t, 1)...)
	}
	if r.destination.Checks {
		_, errs["Lacks"] = r.lacks(t, r.session, r.at)
	}
	for _, err := range errs {
		r.tellsNothing(t, err)
	}
	return errs
}

func nonsense(t testing.TB, r *rig) {
	for name, play := range map[string]trick{"garbage": garbage, "HTML": html, "status 500": broken, "nothing": nothing, "too much": tooMuch} {
		r.front.play(always(play))
		for what, err := range r.asks(t) {
			classIn(t, what+" answered with "+name, err, outbound.Provider)
		}
		r.nothingDone(t, name)
	}
}

func noAnswer(t testing.TB, r *rig) {
	r.session = r.newSession(t, r.session.Settings, r.Credential, impatience)
	for name, play := range map[string]trick{"a cut connection": cut, "silence": hang} {
		r.front.play(always(play))
		for what, err := range r.asks(t) {
			classIn(t, what+" answered with "+name, err, outbound.Network)
		}
		r.nothingDone(t, name)
	}
}

// nothingDone makes changes at a party of which nothing is to be believed.
func (r *rig) nothingDone(t testing.TB, name string) {
	t.Helper()
	for _, result := range r.apply(t.Context(), t, r.creations(t, 3)...) {
		if result.Outcome == provider.Done {
			t.Errorf("a write answered with %s is done", name)
		}
	}
}

func redirected(t testing.TB, r *rig) {
	var reached atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	t.Cleanup(other.Close)
	r.front.play(always(redirect(other.URL + "/" + hostile)))
	for what, err := range r.asks(t) {
		classIn(t, what+" answered with a redirect", err, outbound.Provider, outbound.Invalid)
	}
	r.nothingDone(t, "a redirect")
	if reached.Load() {
		t.Error("the other server was asked")
	}
}

func nonsenseToWrites(t testing.TB, r *rig) {
	for name, play := range map[string]trick{"garbage": garbage, "HTML": html, "status 500": broken, "a cut connection": cut} {
		r.front.play(onWrites(1, play))
		r.nothingDone(t, name)
	}
	r.session = r.newSession(t, r.session.Settings, r.Credential, 4*impatience) // the rest is answered honestly
	r.front.play(onWrites(1, hang))
	r.nothingDone(t, "silence")
}

func lostAnswer(t testing.TB, r *rig) {
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
			t.Errorf("a write after one whose answer is lost has failed: %v", result.Err)
		}
	}
	if unknown == 0 && len(r.Truth()) != len(changes) {
		t.Error("a write is lost, and no result says so")
	}
	// As it was asked for the first time: what has had its effect may be a conflict now.
	for _, result := range r.apply(t.Context(), t, changes...) {
		if result.Outcome != provider.Done {
			classIn(t, "the same again", result.Err, outbound.Conflict)
		}
	}
	now := r.list(t)
	for i := range changes {
		if e, ok := now[r.kept(changes[i].Name)]; ok {
			changes[i].Expect = &e
		}
	}
	r.done(t, changes...)
}
