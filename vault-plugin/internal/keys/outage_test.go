package keys_test

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// A load whose storage call fails, fails: an entry that was not read is not a damaged one.
func TestALoadNeedsStorage(t *testing.T) {
	for _, empty := range []bool{true, false} {
		for n := 1; ; n++ {
			storage := enginetest.NewStorage()
			if !empty {
				k, _ := load(t, storage, nil)
				create(t, k, "acme")
			}
			records, err := store.New(storage)
			if err != nil {
				t.Fatal(err)
			}
			storage.FailFrom(n, false)
			_, err = keys.Load(t.Context(), records, jobs.NewGroup(), enginetest.NewClock().Now)
			if storage.Calls() < n {
				if err != nil || n < 3 {
					t.Errorf("with storage, after %d calls: %v", n, err)
				}
				break
			}
			if !errors.Is(err, enginetest.ErrDown) {
				t.Errorf("without storage from call %d on: %v", n, err)
			}
		}
	}
}

// While storage is down, an error says so: it does not call the keys damaged.
func TestAnOutageIsNotDamage(t *testing.T) {
	storage, ctx := enginetest.NewStorage(), t.Context()
	k, _ := load(t, storage, nil)
	id := create(t, k, "acme")
	k, _ = load(t, storage, map[string]store.ID{"acme": id})
	calls := map[string]func() error{
		"With":          func() error { return use(ctx, k, id) },
		"Rotate":        func() error { _, err := k.Rotate(ctx, caller.Request{}, id, 0); return err },
		"BeginRewrap":   func() error { _, err := k.BeginRewrap(ctx, id, 0); return err },
		"SetAutoRotate": func() error { _, err := k.SetAutoRotate(ctx, id, 0); return err },
		"Genuine":       func() error { _, err := k.Genuine(ctx, id, []string{"acme"}); return err },
		"RotateMaster":  func() error { return k.RotateMaster(ctx, caller.Request{}) },
	}
	storage.FailFrom(1, false)
	for name, call := range calls {
		if err := call(); !errors.Is(err, enginetest.ErrDown) || fault.Is(err, fault.Unavailable) {
			t.Errorf("%s returned %v", name, err)
		}
	}
	storage.Reset()
	storage.SetRaw("keys/"+string(id), []byte("x"))
	for _, name := range []string{"With", "Rotate", "BeginRewrap", "SetAutoRotate"} {
		if err := calls[name](); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "keys/"+string(id)) {
			t.Errorf("with a damaged entry, %s returned %v", name, err)
		}
	}
	for _, wrong := range []error{k.Create(ctx, "no id", "acme"), func() error { _, err := k.Genuine(ctx, "no id", []string{"acme"}); return err }()} {
		if wrong == nil && k.MasterStatus().Total != 1 {
			t.Error("a wrong id has made keys")
		}
	}
	k.Wipe()
	if err := k.Create(ctx, store.NewID(), "acme"); !errors.Is(err, keyring.ErrWiped) {
		t.Errorf("a creation after the stop: %v", err)
	}
}

// A replay of a rotation whose outcome was unknown returns the stored entry.
func TestAReplayedRotationReturnsTheStoredEntry(t *testing.T) {
	storage, once := enginetest.NewStorage(), caller.Request{ID: "once"}
	k, _ := load(t, storage, nil)
	id := create(t, k, "acme")
	storage.FailFrom(2, true) // the Put after the Get is stored, but its response is lost
	if _, err := k.Rotate(t.Context(), once, id, 0); err == nil {
		t.Fatal("the rotation succeeded")
	}
	storage.Reset()
	if entry, err := k.Rotate(t.Context(), once, id, 0); err != nil || entry.Latest != 2 {
		t.Errorf("%+v, %v", entry, err)
	}
	// Shredded keys are not rechecked.
	storage.FailFrom(2, false)
	_, _ = k.Rotate(t.Context(), caller.Request{}, id, 0)
	storage.Reset()
	if err := k.Shred(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	storage.Reset()
	if k.Recheck(t.Context()); storage.Calls() != 0 || len(k.IDs()) != 0 {
		t.Errorf("a recheck made %d calls, and there are %d entries", storage.Calls(), len(k.IDs()))
	}
}

// blockAt makes the next storage call of a kind on a key wait. reached is closed when it waits.
func blockAt(storage *enginetest.Storage, op, prefix string) (reached, release chan struct{}) {
	reached, release = make(chan struct{}), make(chan struct{})
	var once sync.Once
	storage.Hook(func(o, key string) {
		if strings.EqualFold(o, op) && strings.HasPrefix(key, prefix) {
			once.Do(func() { close(reached); <-release })
		}
	})
	return reached, release
}

// beside runs f while another call is blocked, and expects that f waits for the other call.
func beside(t *testing.T, release chan struct{}, f func()) {
	t.Helper()
	var over atomic.Bool
	done := make(chan struct{})
	go func() { f(); over.Store(true); close(done) }()
	select {
	case <-done:
		t.Error("it did not wait")
	case <-time.After(20 * time.Millisecond): // a correct one never returns here
	}
	close(release)
	<-done
}

// A lock that comes while the keys are being loaded evicts them after the load.
func TestALockEvictsAKeyringThatIsBeingLoaded(t *testing.T) {
	storage := enginetest.NewStorage()
	k, _ := load(t, storage, nil)
	id := create(t, k, "acme")
	k, _ = load(t, storage, map[string]store.ID{"acme": id})
	reached, release := blockAt(storage, "get", "keys/")
	loaded := make(chan *keyring.Workspace, 1)
	go func() {
		var ring *keyring.Workspace
		_ = k.With(t.Context(), id, func(w *keyring.Workspace) error { ring = w; return nil })
		loaded <- ring
	}()
	<-reached
	beside(t, release, func() { k.Lock(id, refusal) })
	if ring := <-loaded; ring != nil && !wiped(ring) {
		t.Error("the keyring is in memory after the lock")
	}
	if err := use(t.Context(), k, id); !errors.Is(err, refusal) {
		t.Errorf("a use returned %v", err)
	}
}

// A shred that comes during a rotation waits for it: the rotation must not store the keys again.
func TestAShredEndsChangesOfTheEntry(t *testing.T) {
	for name, change := range map[string]func(*keys.Service, store.ID){
		"a rotation": func(k *keys.Service, id store.ID) { _, _ = k.Rotate(t.Context(), caller.Request{}, id, 0) },
		"progress":   func(k *keys.Service, id store.ID) { _, _ = k.BeginRewrap(t.Context(), id, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			storage := enginetest.NewStorage()
			k, _ := load(t, storage, nil)
			id := create(t, k, "acme")
			reached, release := blockAt(storage, "put", "keys/")
			changed := make(chan struct{})
			go func() { change(k, id); close(changed) }()
			<-reached
			beside(t, release, func() {
				if err := k.Shred(t.Context(), id); err != nil {
					t.Error(err)
				}
			})
			<-changed
			if storage.Raw("keys/"+string(id)) != nil || len(k.IDs()) != 0 {
				t.Error("the keys exist after the shred")
			}
		})
	}
}

// Changes of one entry at once are not lost, and uses at once load the keys once.
func TestChangesOfAnEntryFollowEachOther(t *testing.T) {
	storage, ctx := enginetest.NewStorage(), t.Context()
	k, _ := load(t, storage, nil)
	id := create(t, k, "acme")
	if _, err := k.BeginRewrap(ctx, id, 0); err != nil {
		t.Fatal(err)
	}
	storage.Hook(func(string, string) { runtime.Gosched(); time.Sleep(100 * time.Microsecond) })
	at := func(n int, f func() error) {
		var group sync.WaitGroup
		for range n {
			group.Go(func() {
				if err := f(); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	const n = 20
	at(n, func() error { return k.SaveRewrap(ctx, id, 1, func(r *store.Rewrap) { r.Done++ }) })
	if entry, _ := k.Entry(id); entry.Rewrap.Done != n {
		t.Errorf("%d of %d changes are stored", entry.Rewrap.Done, n)
	}
	at(n, func() error { _, err := k.Rotate(ctx, caller.Request{}, id, 0); return err })
	if entry, _ := k.Entry(id); entry.Latest != n+1 || len(entry.Versions) != n+1 {
		t.Errorf("after %d rotations the latest version is %d", n, entry.Latest)
	}
	k, _ = load(t, storage, map[string]store.ID{"acme": id})
	storage.Reset()
	if at(n, func() error { return use(ctx, k, id) }); storage.Counts().Gets != 1 {
		t.Errorf("%d uses loaded the keys %d times", n, storage.Counts().Gets)
	}
}
