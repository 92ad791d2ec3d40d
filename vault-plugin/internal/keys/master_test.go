package keys_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// claimMaster sets the master key version that a stored key entry names, without wrapping its keys
// again.
func claimMaster(t *testing.T, storage *enginetest.Storage, id store.ID, version uint32) {
	t.Helper()
	// The first envelope follows 7 bytes of the entry and 12 of the version. Its key version is at
	// offset 4.
	change(t, storage, id, func(r *store.Keys) { binary.BigEndian.PutUint32(r.Ring[7+12+4:], version) })
}

// change changes a stored key entry.
func change(t *testing.T, storage *enginetest.Storage, id store.ID, f func(*store.Keys)) {
	t.Helper()
	records, err := store.New(storage)
	if err != nil {
		t.Fatal(err)
	}
	record, err := records.Keys(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	f(record)
	if err := records.PutKeys(t.Context(), id, record); err != nil {
		t.Fatal(err)
	}
}

// TestADamagedEntryKeepsTheOldMasterKey covers a loss of data. A damaged key entry does not show
// which master key it needs. A rotation must keep the old master key, because the entry needs it
// once it is restored.
func TestADamagedEntryKeepsTheOldMasterKey(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, s *enginetest.Storage, id store.ID){
		"truncated": func(_ *testing.T, s *enginetest.Storage, id store.ID) {
			s.SetRaw("keys/"+string(id), s.Raw("keys/" + string(id))[:20])
		},
		"missing": func(_ *testing.T, s *enginetest.Storage, id store.ID) { s.SetRaw("keys/"+string(id), nil) },
		"changed": func(_ *testing.T, s *enginetest.Storage, id store.ID) {
			raw := s.Raw("keys/" + string(id))
			raw[100] ^= 1
			s.SetRaw("keys/"+string(id), raw)
		},
		"cut": func(t *testing.T, s *enginetest.Storage, id store.ID) {
			change(t, s, id, func(r *store.Keys) { r.Ring = r.Ring[:20] })
		},
		"of another version": func(t *testing.T, s *enginetest.Storage, id store.ID) { claimMaster(t, s, id, 2) },
		"of a later version": func(t *testing.T, s *enginetest.Storage, id store.ID) { claimMaster(t, s, id, 9) },
	} {
		for _, loaded := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				storage := enginetest.NewStorage()
				k, group := load(t, storage, nil)
				names := map[string]store.ID{"acme": create(t, k, "acme"), "other": create(t, k, "other")}
				acme := names["acme"]
				entry := storage.Raw("keys/" + string(acme))
				damage(t, storage, acme)
				if !loaded { // the service finds the damage when it loads, else when it wraps the keys again
					k, group = load(t, storage, names)
					if name == "missing" {
						k.MarkMissing(acme)
					}
				}
				if err := k.RotateMaster(t.Context(), caller.Request{}); err != nil {
					t.Fatal(err)
				}
				for range 2 { // the second pass is the retry a minute later
					group.Wait()
					if m := k.MasterStatus(); len(m.Versions) != 2 || m.Failed != 1 {
						t.Errorf("status is %+v", m)
					}
					k.Start()
				}
				unreadable := !loaded && slices.Contains([]string{"truncated", "missing", "cut"}, name)
				wrong := strings.Join(k.Health(), "\n")
				if !strings.Contains(wrong, "1 workspaces") || strings.Contains(wrong, "keys/"+string(acme)+" is missing or damaged") != unreadable {
					t.Errorf("health is %q", wrong)
				}
				group.Wait()
				storage.SetRaw("keys/"+string(acme), entry)
				isWhole(t, storage, names)
			})
		}
	}
}

// isWhole checks that a restart opens the keys of all workspaces, and ends the rotation of the
// master key.
func isWhole(t *testing.T, storage *enginetest.Storage, names map[string]store.ID) {
	t.Helper()
	k, group := load(t, storage, names)
	if m := k.MasterStatus(); len(m.Versions) == 1 && m.Done != len(names) {
		t.Errorf("after a restart the status is %+v", m)
	}
	k.Start()
	group.Wait()
	for name, id := range names {
		if err := use(t.Context(), k, id); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m := k.MasterStatus(); len(m.Versions) != 1 || m.Latest != 2 || m.Done != len(names) || m.Failed != 0 {
		t.Errorf("the status is %+v", m)
	}
	if wrong := k.Health(); len(wrong) != 0 {
		t.Errorf("health is %q", wrong)
	}
}

// A rotation of the master key whose storage calls fail loses no keys, wherever it stops.
func TestARotationOfTheMasterKeySurvivesEveryFailure(t *testing.T) {
	for _, stored := range []bool{false, true} {
		for n := 1; ; n++ {
			storage := enginetest.NewStorage()
			k, group := load(t, storage, nil)
			names := map[string]store.ID{"acme": create(t, k, "acme"), "other": create(t, k, "other")}
			storage.FailFrom(n, stored)
			err := k.RotateMaster(t.Context(), caller.Request{ID: "first"})
			group.Wait()
			calls := storage.Calls()
			storage.Reset()
			for range 2 {
				k.Recheck(t.Context())
				if err := k.RotateMaster(t.Context(), caller.Request{ID: "first"}); err != nil {
					t.Fatal(err)
				}
				k.Start()
				group.Wait()
			}
			for name, id := range names {
				if err := use(t.Context(), k, id); err != nil {
					t.Errorf("call %d: %s: %v", n, name, err)
				}
			}
			if m := k.MasterStatus(); len(m.Versions) != 1 || m.Latest != 2 || m.Failed != 0 {
				t.Errorf("call %d: the status is %+v", n, m)
			}
			isWhole(t, storage, names)
			if calls < n {
				if n < 5 || err != nil {
					t.Errorf("only %d calls: %v", n, err)
				}
				break
			}
		}
	}
}

// A mount without a master key gets a new one only if it has no keys and no workspaces: a new
// master key would open no restored key entry.
func TestALostMasterKeyIsNotReplaced(t *testing.T) {
	for name, lose := range map[string]func(s *enginetest.Storage, id store.ID){
		"with keys":       func(s *enginetest.Storage, _ store.ID) { s.SetRaw("ws/acme", nil) },
		"with workspaces": func(s *enginetest.Storage, id store.ID) { s.SetRaw("keys/"+string(id), nil) },
		"damaged":         func(s *enginetest.Storage, _ store.ID) { s.SetRaw("core/master", []byte("x")) },
		"zeroed": func(s *enginetest.Storage, _ store.ID) {
			raw := s.Raw("core/master")
			clear(raw[len(raw)-32:])
			s.SetRaw("core/master", raw)
		},
	} {
		storage := enginetest.NewStorage()
		k, group := load(t, storage, nil)
		id := create(t, k, "acme")
		records, err := store.New(storage)
		if err != nil {
			t.Fatal(err)
		}
		if err := records.PutWorkspace(t.Context(), "acme", &store.Workspace{ID: id}); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "with ") {
			storage.SetRaw("core/master", nil)
		}
		lose(storage, id)
		before := storage.Clone()
		if _, err := keys.Load(t.Context(), records, group, enginetest.NewClock().Now); err == nil || !strings.Contains(err.Error(), "core/master") {
			t.Errorf("%s: %v", name, err)
		}
		if changed := before.Diff(storage); changed != nil {
			t.Errorf("%s: it has changed %v", name, changed)
		}
	}
}
