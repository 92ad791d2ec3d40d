package keys_test

import (
	"errors"
	"slices"
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

func TestAnEntryKnowsWhatARewrapHasCovered(t *testing.T) {
	done := store.Rewrap{State: store.RewrapDone, Target: 3}
	for _, c := range []struct {
		minimum uint32
		rewrap  store.Rewrap
		lowest  uint32
		want    bool
	}{
		{2, store.Rewrap{}, 1, true},
		{2, store.Rewrap{}, 2, true},
		{2, store.Rewrap{}, 3, false},
		{1, done, 3, true},
		{1, done, 4, false},
		{1, store.Rewrap{State: store.RewrapRunning, Target: 3}, 3, false},
		{1, store.Rewrap{State: store.RewrapFailed, Target: 3}, 2, false},
	} {
		entry := keys.Entry{Rewrap: c.rewrap}
		entry.MinDecryption = c.minimum
		if entry.Covered(c.lowest) != c.want {
			t.Errorf("%+v covers %d: %v", entry, c.lowest, !c.want)
		}
	}
}

// A rotation, a minimum and a trim are stored whole: a restart finds the same entry.
func TestChangesOfAnEntryAreStored(t *testing.T) {
	storage, ctx := enginetest.NewStorage(), t.Context()
	k, _ := load(t, storage, nil)
	id := create(t, k, "acme")
	first, err := k.Rotate(ctx, caller.Request{ID: "one"}, id, 7)
	if err != nil || first.Latest != 2 || first.Rewrap.State != store.RewrapRunning || first.Rewrap.Target != 2 || first.Rewrap.Total != 7 {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := k.Rotate(ctx, caller.Request{ID: "one"}, id, 7); err != nil || again.Latest != 2 {
		t.Errorf("a replay made %+v, %v", again, err)
	}
	for _, lowest := range []uint32{0, 3} {
		if _, err := k.SetMinDecryption(ctx, id, lowest); !fault.Is(err, fault.Invalid) {
			t.Errorf("a minimum of %d: %v", lowest, err)
		}
	}
	if entry, err := k.SetMinDecryption(ctx, id, 2); err != nil || entry.MinDecryption != 2 || len(entry.Versions) != 2 {
		t.Errorf("%+v, %v", entry, err)
	}
	if entry, err := k.Trim(ctx, id); err != nil || len(entry.Versions) != 1 || entry.Versions[0].Version != 2 {
		t.Errorf("%+v, %v", entry, err)
	}
	if _, err := k.SetAutoRotate(ctx, id, keys.MinAutoRotate-1); !fault.Is(err, fault.Invalid) {
		t.Errorf("a short period: %v", err)
	}
	if entry, err := k.SetAutoRotate(ctx, id, keys.MinAutoRotate); err != nil || entry.AutoRotate != keys.MinAutoRotate || !entry.Due().Equal(entry.Versions[0].Created.Add(24*time.Hour)) {
		t.Errorf("%+v, %v", entry, err)
	}
	k, _ = load(t, storage, map[string]store.ID{"acme": id})
	entry, exists := k.Entry(id)
	if !exists || entry.Latest != 2 || entry.MinDecryption != 2 || len(entry.Versions) != 1 || entry.AutoRotate != keys.MinAutoRotate || entry.Rewrap.Total != 7 || entry.RequestID != "one" {
		t.Errorf("after a restart the entry is %+v", entry)
	}
	if ids := k.IDs(); !slices.Equal(ids, []store.ID{id}) {
		t.Errorf("the ids are %v", ids)
	}
}

func TestARewrapIsSavedOnlyForItsTarget(t *testing.T) {
	ctx := t.Context()
	k, _ := load(t, enginetest.NewStorage(), nil)
	id := create(t, k, "acme")
	entry, err := k.BeginRewrap(ctx, id, 3)
	if err != nil || entry.Rewrap.State != store.RewrapRunning || entry.Rewrap.Target != 1 || entry.Rewrap.Total != 3 {
		t.Fatalf("%+v, %v", entry, err)
	}
	if err := k.SaveRewrap(ctx, id, 1, func(r *store.Rewrap) { r.Done = 2 }); err != nil {
		t.Error(err)
	}
	if entry, err = k.BeginRewrap(ctx, id, 9); err != nil || entry.Rewrap.Done != 2 || entry.Rewrap.Total != 3 {
		t.Errorf("a rewrap that runs was begun again: %+v, %v", entry, err)
	}
	if err := k.SaveRewrap(ctx, id, 2, func(r *store.Rewrap) { r.Done = 9 }); !errors.Is(err, keys.ErrSuperseded) {
		t.Errorf("progress of another target: %v", err)
	}
	if entry, _ := k.Entry(id); entry.Rewrap.Done != 2 {
		t.Errorf("the entry is %+v", entry)
	}
	if err := k.Shred(ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := k.SaveRewrap(ctx, id, 1, func(*store.Rewrap) {}); !fault.Is(err, fault.NotFound) {
		t.Errorf("progress of shredded keys: %v", err)
	}
	if _, exists := k.Entry(id); exists {
		t.Error("shredded keys have an entry")
	}
}

// If the outcome of a Put is unknown, the memory follows storage after a recheck.
func TestARecheckReadsTheOutcomeFromStorage(t *testing.T) {
	ctx := t.Context()
	for _, stored := range []bool{false, true} {
		storage := enginetest.NewStorage()
		k, _ := load(t, storage, nil)
		id := create(t, k, "acme")
		storage.FailFrom(2, stored) // the Put after the Get
		if _, err := k.Rotate(ctx, caller.Request{}, id, 0); err == nil {
			t.Fatal("the rotation succeeded")
		}
		k.Recheck(ctx) // storage is still down
		if entry, _ := k.Entry(id); entry.Latest != 1 || entry.Damaged {
			t.Errorf("while storage is down, the entry is %+v", entry)
		}
		storage.Reset()
		k.Recheck(ctx)
		want := map[bool]uint32{false: 1, true: 2}[stored]
		if entry, _ := k.Entry(id); entry.Latest != want {
			t.Errorf("stored %v: the latest version is %d", stored, entry.Latest)
		}
		storage.Reset()
		if k.Recheck(ctx); storage.Calls() != 0 {
			t.Error("a known outcome is rechecked")
		}
		var latest uint32
		err := k.With(ctx, id, func(w *keyring.Workspace) error { latest = w.Latest(); return nil })
		if err != nil || latest != want {
			t.Errorf("stored %v: the keys have version %d, %v", stored, latest, err)
		}
	}
}

func TestShreddedKeysAreGone(t *testing.T) {
	storage, ctx := enginetest.NewStorage(), t.Context()
	k, _ := load(t, storage, nil)
	id := create(t, k, "acme")
	if stored, err := k.Stored(ctx, id); err != nil || !stored {
		t.Errorf("before: %v, %v", stored, err)
	}
	storage.FailFrom(1, false)
	if err := k.Shred(ctx, id); err == nil {
		t.Error("a shred without storage succeeded")
	}
	if stored, err := k.Stored(ctx, id); err == nil || !stored {
		t.Errorf("without storage: %v, %v", stored, err)
	}
	storage.Reset()
	if err := use(ctx, k, id); err != nil {
		t.Errorf("after a failed shred: %v", err)
	}
	raw := storage.Raw("keys/" + string(id))
	storage.SetRaw("keys/"+string(id), []byte("x"))
	if stored, err := k.Stored(ctx, id); err != nil || !stored {
		t.Errorf("damaged: %v, %v", stored, err)
	}
	storage.SetRaw("keys/"+string(id), raw)
	if err := k.Shred(ctx, id); err != nil {
		t.Fatal(err)
	}
	if storage.Raw("keys/"+string(id)) != nil || len(k.IDs()) != 0 {
		t.Error("the keys are still stored")
	}
	if stored, err := k.Stored(ctx, id); err != nil || stored {
		t.Errorf("after: %v, %v", stored, err)
	}
	// A snapshot of the entry does not open: the name was forgotten with the keys.
	storage.SetRaw("keys/"+string(id), raw)
	if err := use(ctx, k, id); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a use returned %v", err)
	}
}

func TestKeysAreDueOncePerPeriod(t *testing.T) {
	storage, ctx, clock := enginetest.NewStorage(), t.Context(), enginetest.NewClock()
	records, err := store.New(storage)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.Load(ctx, records, jobs.NewGroup(), clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	k.Configure(store.Config{KeyringCacheSize: 4, KeyringCacheTTL: time.Hour})
	due, later, locked, never := create(t, k, "due"), create(t, k, "later"), create(t, k, "locked"), create(t, k, "never")
	for _, set := range []struct {
		id     store.ID
		period time.Duration
	}{{later, 72 * time.Hour}, {due, 48 * time.Hour}, {locked, 48 * time.Hour}, {never, 0}} {
		if _, err := k.SetAutoRotate(ctx, set.id, set.period); err != nil {
			t.Fatal(err)
		}
	}
	k.Lock(locked, refusal)
	expect := func(when string, want ...store.ID) {
		t.Helper()
		got := k.Due()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v are due, want %v", when, got, want)
		}
	}
	expect("at once")
	clock.Advance(48*time.Hour - time.Second)
	expect("before the period")
	clock.Advance(time.Second)
	expect("at the period", due)
	expect("until the rotation succeeds", due)
	if _, err := k.Rotate(ctx, caller.Request{}, due, 0); err != nil {
		t.Fatal(err)
	}
	expect("after the rotation")
	clock.Advance(24 * time.Hour)
	expect("later", later)
	k.Unlock(locked)
	expect("after the unlock", later, locked)
	if k, err = keys.Load(ctx, records, jobs.NewGroup(), clock.Now); err != nil {
		t.Fatal(err)
	}
	expect("without the workspaces' records")
	k.SetName(later, "later")
	expect("with one record", later)
}
