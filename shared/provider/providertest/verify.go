package providertest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

var verifyChecks = []check{
	{"verify tells who an accepted credential is", nil, verifyAccepted},
	{"a refused credential is of class auth, with a hint", nil, verifyRefused},
	{"a refused credential changes nothing", nil, applyRefused},
}

func verifyAccepted(t testing.TB, r *rig) {
	identity, err := r.Provider.Verify(t.Context(), r.session)
	if err != nil {
		t.Fatal(err)
	}
	if identity.Account == "" && len(identity.Scopes) == 0 && len(identity.Detail) == 0 {
		t.Error("the identity tells nothing")
	}
	told := fmt.Sprintf("%+v", identity)
	for name, value := range r.Credential {
		if strings.Contains(told, value) {
			t.Errorf("the identity holds the secret field %s", name)
		}
	}
	if r.front == nil {
		return
	}
	if _, writes := r.front.counted(); writes != 0 {
		t.Errorf("Verify makes %d requests that change something", writes)
	}
}

func verifyRefused(t testing.TB, r *rig) {
	_, err := r.Provider.Verify(t.Context(), r.refused(t))
	authWithHint(t, "Verify", err)
	r.tellsNothing(t, err)
	_, err = r.Provider.List(t.Context(), r.refused(t), r.at)
	authWithHint(t, "List", err)
	r.tellsNothing(t, err)
	if reader, ok := r.Provider.(provider.Reader); ok {
		_, err = reader.Read(t.Context(), r.refused(t), r.at, r.names(t, 1))
		authWithHint(t, "Read", err)
		r.tellsNothing(t, err)
	}
	if r.destination.Looks {
		_, err = r.look(t, r.refused(t), r.names(t, 1)...)
		authWithHint(t, "Look", err)
		r.tellsNothing(t, err)
	}
	if r.destination.Checks {
		_, err = r.lacks(t, r.refused(t), r.at)
		authWithHint(t, "Lacks", err)
		r.tellsNothing(t, err)
	}
}

func authWithHint(t testing.TB, what string, err error) {
	t.Helper()
	classIn(t, what, err, outbound.Auth)
	hinted(t, what, err)
}

// hinted demands that an error says what a person can do, and whom it is about.
func hinted(t testing.TB, what string, err error) {
	t.Helper()
	var known *outbound.Error
	switch {
	case !errors.As(err, &known):
		t.Errorf("%s: the error is no *outbound.Error: %v", what, err)
	case known.Hint == "":
		t.Errorf("%s: the error has no hint: %v", what, err)
	case known.Provider == "" || known.Operation == "":
		t.Errorf("%s: the error does not say whom it is about, or what was asked: %v", what, err)
	}
}

func applyRefused(t testing.TB, r *rig) {
	names := r.names(t, 3)
	r.Plant(names[2], "foreign")
	old := r.expect(t, names[2])
	results := r.applyAs(t.Context(), t, r.refused(t), r.at,
		provider.Change{Name: names[0], Value: []byte("one")},
		provider.Change{Name: names[1], Value: []byte("two")},
		provider.Change{Name: names[2], Delete: true, Expect: old},
	)
	for _, result := range results {
		classIn(t, "Apply", result.Err, outbound.Auth)
		if result.Outcome == provider.Unknown {
			t.Error("a refused credential leaves it open whether a change was made")
		}
	}
}
