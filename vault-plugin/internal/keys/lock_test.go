package keys_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

var refusal = fault.New(fault.Locked, "locked for the test")

// wiped reports whether a keyring is wiped.
func wiped(w *keyring.Workspace) bool {
	_, err := w.AccessTokens()
	return errors.Is(err, keyring.ErrWiped)
}

// cached returns the keyring that With passes to its function.
func cached(t *testing.T, k *keys.Service, id store.ID) (ring *keyring.Workspace) {
	t.Helper()
	if err := k.With(t.Context(), id, func(w *keyring.Workspace) error { ring = w; return nil }); err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestLockedKeysAreNotUnwrapped(t *testing.T) {
	storage := enginetest.NewStorage()
	k, group := load(t, storage, nil)
	id := create(t, k, "acme")
	ctx := t.Context()
	k.Lock(id, refusal)
	before := storage.Clone()
	for name, call := range map[string]func() error{
		"With":             func() error { return use(ctx, k, id) },
		"Rotate":           func() error { _, err := k.Rotate(ctx, caller.Request{}, id, 0); return err },
		"SetMinDecryption": func() error { _, err := k.SetMinDecryption(ctx, id, 1); return err },
		"Trim":             func() error { _, err := k.Trim(ctx, id); return err },
	} {
		if err := call(); !errors.Is(err, refusal) {
			t.Errorf("%s returned %v", name, err)
		}
	}
	if changed := before.Diff(storage); changed != nil {
		t.Errorf("the refused calls have changed %v", changed)
	}

	if err := k.RotateMaster(ctx, caller.Request{}); err != nil {
		t.Fatal(err)
	}
	group.Wait()
	if m := k.MasterStatus(); m.Locked != 1 || m.Done != 0 || m.Failed != 0 || m.Waiting != 0 || len(m.Versions) != 2 {
		t.Errorf("with locked keys the status is %+v", m)
	}
	if entry := "keys/" + string(id); string(before.Raw(entry)) != string(storage.Raw(entry)) {
		t.Error("locked keys were wrapped again")
	}
	k.Unlock(id)
	k.Start()
	group.Wait()
	if m := k.MasterStatus(); m.Locked != 0 || m.Done != 1 || len(m.Versions) != 1 {
		t.Errorf("after the unlock the status is %+v", m)
	}
	if err := use(ctx, k, id); err != nil {
		t.Error(err)
	}
}

// TestALockWaitsForUses covers a use that has its keyring when the lock begins. The lock wipes the
// keyring, so the use cannot continue with it, and the lock returns only after the use.
func TestALockWaitsForUses(t *testing.T) {
	for name, c := range map[string]struct {
		stop func(*keys.Service, context.Context, store.ID)
		want func(error) bool
	}{
		"a lock": {
			func(k *keys.Service, _ context.Context, id store.ID) { k.Lock(id, refusal) },
			func(err error) bool { return errors.Is(err, refusal) },
		},
		"lost keys": {
			func(k *keys.Service, ctx context.Context, id store.ID) { _, _ = k.Stored(ctx, id) },
			func(err error) bool { return fault.Is(err, fault.Unavailable) },
		},
		"a shred": {
			func(k *keys.Service, ctx context.Context, id store.ID) { _ = k.Shred(ctx, id) },
			func(err error) bool { return fault.Is(err, fault.Unavailable) },
		},
	} {
		for _, uncached := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				storage := enginetest.NewStorage()
				k, _ := load(t, storage, nil)
				id := create(t, k, "acme")
				begun, returned := make(chan struct{}), make(chan struct{})
				var ended atomic.Bool
				result := make(chan error, 1)
				calls := 0
				go func() {
					result <- k.With(t.Context(), id, func(w *keyring.Workspace) error {
						if calls++; uncached && calls == 1 {
							return keyring.ErrWiped
						}
						close(begun)
						select {
						case <-returned:
							t.Error("it returned during a use")
						case <-time.After(20 * time.Millisecond): // a correct one never returns here
						}
						ended.Store(true)
						if uncached {
							return nil
						}
						if !wiped(w) {
							t.Error("the keyring is not wiped")
						}
						return keyring.ErrWiped
					})
				}()
				<-begun
				if err := use(t.Context(), k, id); err != nil { // a use that ends does not end the other one
					t.Error(err)
				}
				if name == "lost keys" {
					storage.SetRaw("keys/"+string(id), nil)
				}
				c.stop(k, t.Context(), id)
				close(returned)
				if !ended.Load() {
					t.Error("it did not wait for the use")
				}
				if err := <-result; uncached != (err == nil) || !uncached && !c.want(err) {
					t.Errorf("the use returned %v", err)
				}
				if err := use(t.Context(), k, id); !c.want(err) {
					t.Errorf("a later use returned %v", err)
				}
			})
		}
	}
}

// No keyring stays in memory once it is replaced, evicted, or of unknown outcome.
func TestKeyringsThatAreNoLongerNeededAreWiped(t *testing.T) {
	ctx := t.Context()
	for name, leave := range map[string]func(*keys.Service, *enginetest.Storage, store.ID){
		"a lock":  func(k *keys.Service, _ *enginetest.Storage, id store.ID) { k.Lock(id, refusal) },
		"a shred": func(k *keys.Service, _ *enginetest.Storage, id store.ID) { _ = k.Shred(ctx, id) },
		"a stop":  func(k *keys.Service, _ *enginetest.Storage, _ store.ID) { k.Wipe() },
		"a smaller cache": func(k *keys.Service, _ *enginetest.Storage, _ store.ID) {
			k.Configure(store.Config{KeyringCacheTTL: time.Hour})
		},
		"a shorter TTL": func(k *keys.Service, _ *enginetest.Storage, _ store.ID) {
			k.Configure(store.Config{KeyringCacheSize: 4})
			k.Expire()
		},
		"a rotation": func(k *keys.Service, _ *enginetest.Storage, id store.ID) {
			_, _ = k.Rotate(ctx, caller.Request{}, id, 0)
		},
		"a minimum": func(k *keys.Service, _ *enginetest.Storage, id store.ID) { _, _ = k.SetMinDecryption(ctx, id, 1) },
		"lost keys": func(k *keys.Service, s *enginetest.Storage, id store.ID) {
			s.SetRaw("keys/"+string(id), nil)
			_, _ = k.Stored(ctx, id)
		},
		"a failed store": func(k *keys.Service, s *enginetest.Storage, id store.ID) {
			s.FailFrom(2, false) // the Put after the Get
			_, _ = k.Rotate(ctx, caller.Request{}, id, 0)
			s.Reset()
		},
	} {
		t.Run(name, func(t *testing.T) {
			storage := enginetest.NewStorage()
			k, _ := load(t, storage, nil)
			id := create(t, k, "acme")
			ring := cached(t, k, id)
			if wiped(ring) {
				t.Fatal("the keyring is wiped before")
			}
			leave(k, storage, id)
			if !wiped(ring) {
				t.Error("the keyring is not wiped")
			}
		})
	}
}

// A keyring that With opened only for one call is wiped after it.
func TestAKeyringOutsideTheCacheIsWipedAfterItsUse(t *testing.T) {
	k, _ := load(t, enginetest.NewStorage(), nil)
	id := create(t, k, "acme")
	var rings []*keyring.Workspace
	err := k.With(t.Context(), id, func(w *keyring.Workspace) error {
		if rings = append(rings, w); len(rings) == 1 {
			return keyring.ErrWiped
		}
		if wiped(w) {
			t.Error("the second keyring is wiped during its use")
		}
		return nil
	})
	if err != nil || len(rings) != 2 || rings[0] == rings[1] {
		t.Fatalf("%v, %d keyrings", err, len(rings))
	}
	if wiped(rings[0]) || !wiped(rings[1]) {
		t.Error("the wrong keyring is wiped")
	}
}

// A load that ends after the mount was stopped leaves no keyring in memory.
func TestAStoppedServiceUsesNoKeys(t *testing.T) {
	k, _ := load(t, enginetest.NewStorage(), nil)
	id := create(t, k, "acme")
	k.Wipe()
	if err := use(t.Context(), k, id); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a use returned %v", err)
	}
}
