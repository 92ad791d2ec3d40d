package rewrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// kind is a kind of record that is sealed under key version version. If it is 0, there are no
// records.
type kind struct {
	name    string
	version uint32
	fails   error
}

func (k *kind) Sealed(store.ID) int { return 1 }

func (k *kind) Reseal(context.Context, store.ID, string, Save) (done, failed int, err error) {
	return 1, 0, nil
}

func (k *kind) Below(_ context.Context, _ store.ID, lowest uint32) ([]string, error) {
	if k.version == 0 || k.version >= lowest {
		return nil, k.fails
	}
	return []string{"1 " + k.name}, k.fails
}

// newRotated returns a service with three kinds of records, and a workspace whose key has two
// versions and an unfinished rewrap.
func newRotated(t *testing.T) (*Service, []*kind, store.ID) {
	t.Helper()
	records, err := store.New(&logical.InmemStorage{})
	if err != nil {
		t.Fatal(err)
	}
	group := jobs.NewGroup()
	t.Cleanup(func() { group.Stop(time.Second) })
	k, err := keys.Load(t.Context(), records, group, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	k.Configure(store.Config{KeyringCacheSize: 1, KeyringCacheTTL: time.Hour})
	id := store.NewID()
	if err := k.Create(t.Context(), id, "acme"); err != nil {
		t.Fatal(err)
	}
	s := New(k, nil, group)
	kinds := []*kind{{name: "secrets"}, {name: "credentials"}, {name: "ledgers"}}
	for _, k := range kinds {
		s.RegisterSealed(k.name, k)
	}
	if _, err := k.Rotate(t.Context(), caller.Request{}, id, s.total(id)); err != nil {
		t.Fatal(err)
	}
	return s, kinds, id
}

func versions(s *Service, id store.ID) string {
	entry, _ := s.keys.Entry(id)
	var all []string
	for _, v := range entry.Versions {
		all = append(all, fmt.Sprint(v.Version))
	}
	return strings.Join(all, " ") + " from " + fmt.Sprint(entry.MinDecryption)
}

// Every registered kind is asked, whichever of them still needs an old key.
func TestAnOldKeyIsKeptWhileARecordOfAnyKindNeedsIt(t *testing.T) {
	call, ctx := caller.Request{Mount: "stashbase/"}, t.Context()
	for needs := range 3 {
		s, kinds, id := newRotated(t)
		kinds[needs].version = 1
		err := s.SetMinDecryption(ctx, call, "acme", id, 2, false)
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "1 "+kinds[needs].name) || !strings.Contains(err.Error(), "stashbase/keys/acme/rewrap") {
			t.Errorf("a minimum is refused with %v", err)
		}
		if got := versions(s, id); got != "1 2 from 1" {
			t.Errorf("the versions are %s", got)
		}
		if err := s.SetMinDecryption(ctx, call, "acme", id, 2, true); err != nil {
			t.Fatal(err)
		}
		if err := s.Trim(ctx, call, "acme", id, false); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), kinds[needs].name) {
			t.Errorf("a trim is refused with %v", err)
		}
		if got := versions(s, id); got != "1 2 from 2" {
			t.Errorf("the versions are %s", got)
		}
		// A rewrap that is done does not replace the count: a record may have been restored since.
		err = s.keys.SaveRewrap(ctx, id, 2, func(r *store.Rewrap) { r.State = store.RewrapDone })
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Trim(ctx, call, "acme", id, false); !fault.Is(err, fault.Conflict) {
			t.Errorf("a trim after a rewrap is refused with %v", err)
		}
		kinds[needs].version = 2
		if err := s.Trim(ctx, call, "acme", id, false); err != nil {
			t.Error(err)
		}
		if got := versions(s, id); got != "2 from 2" {
			t.Errorf("after the trim the versions are %s", got)
		}
	}
}

func TestAForcedTrimDestroysKeysThatAreNeeded(t *testing.T) {
	s, kinds, id := newRotated(t)
	kinds[0].version = 1
	if err := errors.Join(s.SetMinDecryption(t.Context(), caller.Request{}, "acme", id, 2, true), s.Trim(t.Context(), caller.Request{}, "acme", id, true)); err != nil {
		t.Error(err)
	}
	if got := versions(s, id); got != "2 from 2" {
		t.Errorf("the versions are %s", got)
	}
}

// A count that fails keeps the keys.
func TestAnOldKeyIsKeptIfTheCountFails(t *testing.T) {
	for fails := range 3 {
		s, kinds, id := newRotated(t)
		kinds[fails].fails = errors.New("storage is down")
		if err := s.SetMinDecryption(t.Context(), caller.Request{}, "acme", id, 2, false); !errors.Is(err, kinds[fails].fails) {
			t.Errorf("a minimum is refused with %v", err)
		}
		if err := s.SetMinDecryption(t.Context(), caller.Request{}, "acme", id, 2, true); err != nil {
			t.Fatal(err)
		}
		if err := s.Trim(t.Context(), caller.Request{}, "acme", id, false); !errors.Is(err, kinds[fails].fails) {
			t.Errorf("a trim is refused with %v", err)
		}
		if got := versions(s, id); got != "1 2 from 2" {
			t.Errorf("the versions are %s", got)
		}
	}
}

// The registered names are part of the stored progress of a rewrap.
func TestARewrapCountsAllKinds(t *testing.T) {
	s, _, id := newRotated(t)
	var names []string
	for _, k := range s.kinds {
		names = append(names, k.name)
	}
	if s.total(id) != 3 || !slices.Equal(names, []string{"secrets", "credentials", "ledgers"}) {
		t.Errorf("%d records of %v", s.total(id), names)
	}
}
