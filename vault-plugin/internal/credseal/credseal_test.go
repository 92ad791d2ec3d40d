package credseal_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/credseal"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

func newService(t *testing.T) (*credseal.Service, *keys.Service) {
	t.Helper()
	s, err := store.New(enginetest.NewStorage())
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.Load(t.Context(), s, jobs.NewGroup(), enginetest.NewClock().Now)
	if err != nil {
		t.Fatal(err)
	}
	k.Configure(settings.Default())
	return credseal.New(k), k
}

func newOwner(t *testing.T, k *keys.Service) credseal.Owner {
	t.Helper()
	ws := store.NewID()
	if err := k.Create(t.Context(), ws, "acme"); err != nil {
		t.Fatal(err)
	}
	return credseal.Owner{Workspace: ws, Provider: "toy", Name: "main", ID: store.NewID()}
}

func TestACredentialOpensOnlyForItsOwnerEndpointFieldAndGeneration(t *testing.T) {
	s, k := newService(t)
	of, stranger, endpoint := newOwner(t, k), newOwner(t, k), [32]byte{1}
	fields := map[string][]byte{"key": []byte("one"), "password": []byte("two"), "empty": {}}
	sealed, err := s.Seal(t.Context(), of, endpoint, 3, fields)
	if err != nil {
		t.Fatal(err)
	}
	openWith := func(change func(of *credseal.Owner, endpoint *[32]byte, g *store.Generation)) error {
		as, at, g := of, endpoint, sealed
		g.Fields = maps.Clone(g.Fields)
		change(&as, &at, &g)
		opened, err := s.Open(t.Context(), as, at, g)
		if err == nil {
			defer opened.Wipe()
			for name, want := range fields {
				if opened.Text(name) != string(want) {
					t.Errorf("%s opens as %q", name, opened.Text(name))
				}
			}
		}
		return err
	}
	if err := openWith(func(*credseal.Owner, *[32]byte, *store.Generation) {}); err != nil {
		t.Fatalf("the unchanged credential does not open: %v", err)
	}
	for name, change := range map[string]func(of *credseal.Owner, endpoint *[32]byte, g *store.Generation){
		"another workspace":   func(of *credseal.Owner, _ *[32]byte, _ *store.Generation) { of.Workspace = stranger.Workspace },
		"another provider":    func(of *credseal.Owner, _ *[32]byte, _ *store.Generation) { of.Provider = "other" },
		"another integration": func(of *credseal.Owner, _ *[32]byte, _ *store.Generation) { of.Name = "other" },
		"a successor":         func(of *credseal.Owner, _ *[32]byte, _ *store.Generation) { of.ID = store.NewID() },
		"another endpoint":    func(_ *credseal.Owner, endpoint *[32]byte, _ *store.Generation) { endpoint[31] = 1 },
		"another generation":  func(_ *credseal.Owner, _ *[32]byte, g *store.Generation) { g.Number++ },
		"another field": func(_ *credseal.Owner, _ *[32]byte, g *store.Generation) {
			g.Fields["key"], g.Fields["password"] = g.Fields["password"], g.Fields["key"]
		},
		"a field of another name": func(_ *credseal.Owner, _ *[32]byte, g *store.Generation) { g.Fields["token"] = g.Fields["key"] },
		"a flipped bit": func(_ *credseal.Owner, _ *[32]byte, g *store.Generation) {
			g.Fields["key"] = slices.Clone(g.Fields["key"])
			g.Fields["key"][70] ^= 1
		},
		"no envelope": func(_ *credseal.Owner, _ *[32]byte, g *store.Generation) { g.Fields["key"] = []byte("one") },
	} {
		if err := openWith(change); !errors.Is(err, credseal.ErrUnopened) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAResealedCredentialNeedsTheLatestKeyVersionAndKeepsItsBinding(t *testing.T) {
	s, k := newService(t)
	of, endpoint := newOwner(t, k), [32]byte{1}
	sealed, err := s.Seal(t.Context(), of, endpoint, 1, map[string][]byte{"key": []byte("one")})
	if err != nil {
		t.Fatal(err)
	}
	if _, changed, err := s.Reseal(t.Context(), of, sealed); changed || err != nil {
		t.Errorf("before a rotation: changed %t, %v", changed, err)
	}
	if _, err := k.Rotate(t.Context(), caller.Request{}, of.Workspace, 1); err != nil {
		t.Fatal(err)
	}
	resealed, changed, err := s.Reseal(t.Context(), of, sealed)
	if err != nil || !changed || credseal.KeyVersion(resealed) != 2 || credseal.KeyVersion(sealed) != 1 || resealed.Endpoint != endpoint {
		t.Errorf("changed %t to key version %d, %v", changed, credseal.KeyVersion(resealed), err)
	}
	opened, err := s.Open(t.Context(), of, endpoint, resealed)
	if err != nil || opened.Text("key") != "one" {
		t.Errorf("the resealed credential opens as %q, %v", opened.Text("key"), err)
	}
	if _, err := s.Open(t.Context(), of, [32]byte{2}, resealed); !errors.Is(err, credseal.ErrUnopened) {
		t.Errorf("for another endpoint: %v", err)
	}
	broken := store.Generation{Number: 1, Fields: map[string][]byte{"key": []byte("none")}}
	if _, _, err := s.Reseal(t.Context(), of, broken); !errors.Is(err, credseal.ErrUnopened) || credseal.KeyVersion(broken) != 0 {
		t.Errorf("a field that is not an envelope: %v", err)
	}
}
