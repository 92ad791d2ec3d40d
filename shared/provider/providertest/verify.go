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
	{"verify identifies an accepted credential", nil, verifyAccepted},
	{"a rejected credential is an error of class auth, with a hint", nil, verifyRefused},
	{"a rejected credential changes nothing", nil, applyRefused},
}

func verifyAccepted(t testing.TB, r *rig) {
	identity, err := r.Provider.Verify(t.Context(), r.session)
	if err != nil {
		t.Fatal(err)
	}
	if identity.Account == "" && len(identity.Scopes) == 0 && len(identity.Detail) == 0 {
		t.Error("the identity is empty")
	}
	printed := fmt.Sprintf("%+v", identity)
	for name, value := range r.Credential {
		if strings.Contains(printed, value) {
			t.Errorf("the identity contains the secret field %s", name)
		}
	}
	if r.front == nil {
		return
	}
	if _, writes := r.front.counted(); writes != 0 {
		t.Errorf("Verify sent %d writing requests", writes)
	}
}

func verifyRefused(t testing.TB, r *rig) {
	_, err := r.Provider.Verify(t.Context(), r.refused(t))
	authWithHint(t, "Verify", err)
	r.leaksNothing(t, err)
	_, err = r.Provider.List(t.Context(), r.refused(t), r.place)
	authWithHint(t, "List", err)
	r.leaksNothing(t, err)
	if reader, ok := r.Provider.(provider.Reader); ok {
		_, err = reader.Read(t.Context(), r.refused(t), r.place, r.names(t, 1))
		authWithHint(t, "Read", err)
		r.leaksNothing(t, err)
	}
	if r.destination.Looks {
		_, err = r.look(t, r.refused(t), r.names(t, 1)...)
		authWithHint(t, "Look", err)
		r.leaksNothing(t, err)
	}
	if r.destination.Checks {
		_, err = r.lacks(t, r.refused(t), r.place)
		authWithHint(t, "Lacks", err)
		r.leaksNothing(t, err)
	}
}

func authWithHint(t testing.TB, what string, err error) {
	t.Helper()
	classIn(t, what, err, outbound.Auth)
	hinted(t, what, err)
}

// hinted requires an error with a hint, a provider and an operation.
func hinted(t testing.TB, what string, err error) {
	t.Helper()
	var known *outbound.Error
	switch {
	case !errors.As(err, &known):
		t.Errorf("%s: the error is not an *outbound.Error: %v", what, err)
	case known.Hint == "":
		t.Errorf("%s: the error has no hint: %v", what, err)
	case known.Provider == "" || known.Operation == "":
		t.Errorf("%s: the error has no provider or no operation: %v", what, err)
	}
}

func applyRefused(t testing.TB, r *rig) {
	names := r.names(t, 3)
	r.Plant(names[2], "foreign")
	old := r.expect(t, names[2])
	results := r.applyAs(t.Context(), t, r.refused(t), r.place,
		provider.Change{Name: names[0], Value: []byte("one")},
		provider.Change{Name: names[1], Value: []byte("two")},
		provider.Change{Name: names[2], Delete: true, Expect: old},
	)
	for _, result := range results {
		classIn(t, "Apply", result.Err, outbound.Auth)
		if result.Outcome == provider.Unknown {
			t.Error("the outcome of a change with a rejected credential is unknown")
		}
	}
}
