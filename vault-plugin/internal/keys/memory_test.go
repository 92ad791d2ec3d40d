package keys

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

var noon = time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)

// breakable is a storage whose Puts fail while broken is set.
type breakable struct {
	logical.InmemStorage
	broken bool
	blind  bool // Gets fail
	puts   int
}

func (s *breakable) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	if s.blind {
		return nil, errors.New("storage is down")
	}
	return s.InmemStorage.Get(ctx, key)
}

func (s *breakable) Put(ctx context.Context, entry *logical.StorageEntry) error {
	s.puts++
	if s.broken {
		return errors.New("storage is down")
	}
	return s.InmemStorage.Put(ctx, entry)
}

func newService(t *testing.T) (*Service, *breakable) {
	t.Helper()
	storage := &breakable{}
	records, err := store.New(storage)
	if err != nil {
		t.Fatal(err)
	}
	group := jobs.NewGroup()
	t.Cleanup(func() { group.Stop(time.Second) })
	s, err := Load(t.Context(), records, group, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	s.Configure(store.Config{KeyringCacheSize: 2, KeyringCacheTTL: time.Hour})
	return s, storage
}

func newRing(t *testing.T, s *Service) *keyring.Workspace {
	t.Helper()
	ring, err := s.master.ring.NewWorkspace(keyring.WorkspaceScope{Name: "acme", ID: keyring.NewID()}, noon)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func wiped(w *keyring.Workspace) bool {
	_, err := w.AccessTokens()
	return errors.Is(err, keyring.ErrWiped)
}

// A change of a keyring wipes what it replaces. If the change fails, it also wipes the new keyring,
// and the cache keeps neither.
func TestAChangeWipesTheKeyringsThatItDoesNotKeep(t *testing.T) {
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		broken bool
		change func(w *keyring.Workspace) (*keyring.Workspace, error)
		keeps  bool // the new keyring
	}{
		"a change":         {change: func(w *keyring.Workspace) (*keyring.Workspace, error) { return w.Rotate(noon) }, keeps: true},
		"a failed store":   {broken: true, change: func(w *keyring.Workspace) (*keyring.Workspace, error) { return w.Rotate(noon) }},
		"a refused change": {change: func(*keyring.Workspace) (*keyring.Workspace, error) { return nil, refused }},
		"no change":        {change: func(*keyring.Workspace) (*keyring.Workspace, error) { return nil, nil }},
	} {
		t.Run(name, func(t *testing.T) {
			s, storage := newService(t)
			id := store.NewID()
			if err := s.Create(t.Context(), id, "acme"); err != nil {
				t.Fatal(err)
			}
			var before, next *keyring.Workspace
			storage.broken = c.broken
			_, err := s.replace(t.Context(), id, func(_ *store.Keys, w *keyring.Workspace) (*keyring.Workspace, error) {
				before = w
				var err error
				next, err = c.change(w)
				return next, err
			})
			if !wiped(before) {
				t.Errorf("the old keyring is not wiped (%v)", err)
			}
			if next != nil && wiped(next) == c.keeps {
				t.Errorf("the new keyring: wiped is %v (%v)", !c.keeps, err)
			}
			if got := s.cache.get(id, noon); c.keeps && got != next || c.broken && got != nil {
				t.Errorf("the cache holds %p, and the new keyring is %p", got, next)
			}
		})
	}
}

func TestACreationThatFailsLeavesNothingInMemory(t *testing.T) {
	s, storage := newService(t)
	storage.broken = true
	ring, id := newRing(t, s), store.NewID()
	if err := s.putRing(t.Context(), id, &store.Keys{}, ring); err == nil || !wiped(ring) {
		t.Errorf("%v, and the keyring is not wiped", err)
	}
	if err := s.Create(t.Context(), id, "acme"); err == nil {
		t.Fatal("the creation succeeded")
	}
	if _, exists := s.Entry(id); exists || len(s.names)+len(s.pending) != 0 || s.cache.lru.Len() != 0 {
		t.Errorf("it left %v, %v, %v and %d keyrings", s.entries, s.names, s.pending, s.cache.lru.Len())
	}
}

func TestTheMasterKeyIsWiped(t *testing.T) {
	for name, leave := range map[string]func(s *Service, storage *breakable) (kept bool){
		"a stop":     func(s *Service, _ *breakable) bool { s.Wipe(); return false },
		"a rotation": func(s *Service, _ *breakable) bool { return s.replaceMaster(context.Background(), "", rotate) != nil },
		"a failed rotation": func(s *Service, storage *breakable) bool {
			storage.broken = true
			return s.replaceMaster(context.Background(), "", rotate) != nil
		},
		"a recheck": func(s *Service, _ *breakable) bool {
			s.master.pending = true
			return s.recheckMaster(context.Background()) != nil
		},
	} {
		s, storage := newService(t)
		old := s.master.ring
		kept := leave(s, storage)
		if _, err := old.Encode(); errors.Is(err, keyring.ErrWiped) == kept {
			t.Errorf("%s: the master key is kept: %v, and its use returns %v", name, kept, err)
		}
		if kept && (s.master.ring != old || !s.master.pending) {
			t.Errorf("%s: another master key is in force, or the outcome is not pending", name)
		}
	}
}

// A rotation whose Put fails wipes the new master key.
func TestAMasterKeyThatWasNotStoredIsWiped(t *testing.T) {
	s, storage := newService(t)
	storage.broken = true
	var next *keyring.Master
	err := s.replaceMaster(t.Context(), "", func(m *keyring.Master) (*keyring.Master, error) {
		var err error
		next, err = m.Rotate(noon)
		return next, err
	})
	if _, encoded := next.Encode(); err == nil || !errors.Is(encoded, keyring.ErrWiped) {
		t.Errorf("%v, and the use of the new master key returns %v", err, encoded)
	}
}

func rotate(m *keyring.Master) (*keyring.Master, error) { return m.Rotate(noon) }

func TestTheCacheEvictsAndWipes(t *testing.T) {
	s, _ := newService(t)
	c := &cache{}
	c.configure(2, time.Hour)
	rings := map[store.ID]*keyring.Workspace{"a": newRing(t, s), "b": newRing(t, s), "c": newRing(t, s)}
	holds := func(when string, want ...store.ID) {
		t.Helper()
		for id, ring := range rings {
			held := false
			for _, w := range want {
				held = held || w == id
			}
			if wiped(ring) == held {
				t.Errorf("%s: %s is held: %v, and wiped: %v", when, id, held, wiped(ring))
			}
		}
		if n := c.lru.Len(); n != len(want) {
			t.Errorf("%s: it holds %d", when, n)
		}
	}
	c.add("a", rings["a"], noon)
	c.add("b", rings["b"], noon.Add(time.Minute))
	if c.get("a", noon) != rings["a"] || c.get("none", noon) != nil {
		t.Error("it returns the wrong keyring")
	}
	c.add("c", rings["c"], noon.Add(2*time.Minute)) // evicts b, because a was used later
	holds("a third keyring", "a", "c")
	c.expire(noon.Add(time.Hour - time.Second))
	holds("before the TTL", "a", "c")
	c.expire(noon.Add(time.Hour))
	holds("at the TTL", "c")
	if c.get("c", noon.Add(time.Hour+2*time.Minute)) != nil {
		t.Error("it returns an expired keyring")
	}
	holds("after a get of an expired keyring")

	rings = map[store.ID]*keyring.Workspace{"d": newRing(t, s), "e": newRing(t, s), "f": newRing(t, s)}
	c.add("d", rings["d"], noon)
	c.add("d", rings["e"], noon) // replaces
	rings["d"], rings["e"] = rings["e"], rings["d"]
	if !wiped(rings["e"]) || wiped(rings["d"]) {
		t.Error("the wrong one of two keyrings is wiped")
	}
	c.evict("d")
	if !wiped(rings["d"]) {
		t.Error("an evicted keyring is not wiped")
	}
	c.close()
	if c.add("f", rings["f"], noon); !wiped(rings["f"]) || c.get("f", noon) != nil {
		t.Error("a closed cache holds a keyring")
	}
}

// While it is unknown which master key is stored, no other one is stored: it could replace a
// version that wraps keys.
func TestAMasterKeyOfUnknownOutcomeIsReadBeforeTheNextChange(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(s *Service, storage *breakable) error
	}{
		"storage is down": {lose: func(_ *Service, storage *breakable) error { storage.blind = true; return nil }},
		"missing":         {lose: func(_ *Service, storage *breakable) error { return storage.Delete(context.Background(), "core/master") }},
		"damaged": {lose: func(s *Service, _ *breakable) error {
			return s.store.PutMaster(context.Background(), &store.Master{Ring: []byte("x")})
		}},
	} {
		s, storage := newService(t)
		if err := s.replaceMaster(t.Context(), "", rotate); err != nil {
			t.Fatal(err)
		}
		ring := s.master.ring
		if err := c.lose(s, storage); err != nil {
			t.Fatal(err)
		}
		s.master.pending, storage.puts = true, 0
		if err := s.RotateMaster(t.Context(), caller.Request{}); err == nil {
			t.Errorf("%s: a rotation succeeded", name)
		}
		s.rewrapMaster(t.Context())
		if storage.puts != 0 || s.master.ring != ring || !s.master.pending {
			t.Errorf("%s: %d Puts, pending is %v", name, storage.puts, s.master.pending)
		}
	}
}

// A keyring that cannot be wrapped is not stored.
func TestAKeyringThatCannotBeWrappedIsNotStored(t *testing.T) {
	s, storage := newService(t)
	ring := newRing(t, s)
	ring.Wipe()
	storage.puts = 0
	if err := s.putRing(t.Context(), store.NewID(), &store.Keys{}, ring); !errors.Is(err, keyring.ErrWiped) || storage.puts != 0 {
		t.Errorf("%v, %d Puts", err, storage.puts)
	}
}

// Keys that are under the latest master version already are opened, and not stored again.
func TestARewrapOfCurrentKeysOnlyOpensThem(t *testing.T) {
	s, storage := newService(t)
	id := store.NewID()
	if err := s.Create(t.Context(), id, "acme"); err != nil {
		t.Fatal(err)
	}
	record, err := s.store.Keys(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	s.remember(id, record, false)
	storage.puts = 0
	if err := s.rewrapEntry(t.Context(), id); err != nil || storage.puts != 0 || !s.entries[id].opened {
		t.Errorf("%v, %d Puts, opened is %v", err, storage.puts, s.entries[id].opened)
	}
	if len(s.behindMaster().todo) != 0 || len(s.uses) != 0 {
		t.Error("something is left to do")
	}
	if err := s.With(t.Context(), id, func(*keyring.Workspace) error { return nil }); err != nil || len(s.uses) != 0 {
		t.Errorf("%v, %d uses are left", err, len(s.uses))
	}
}
