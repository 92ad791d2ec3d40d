package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

// randomName returns a valid name of a secret, often a short one, or one that looks like a part of
// another key.
func randomName() string {
	const first, rest = "ABab_", "ABab_019.-"
	for {
		name := []byte{first[rand.IntN(len(first))]}
		for range rand.IntN(5) {
			name = append(name, rest[rand.IntN(len(rest))])
		}
		if naming.CheckSecret("name", string(name)) == nil {
			return string(name)
		}
	}
}

func TestNoTwoPlacesShareAKey(t *testing.T) {
	type place struct {
		kind   string
		id     ID
		name   string
		number uint64
	}
	ids := []ID{NewID(), NewID(), ID(strings.Repeat("0", 32)), ID(strings.Repeat("a", 32))}
	makers := map[string]func(p place) string{
		"schema":      func(place) string { return schemaKey },
		"master":      func(place) string { return masterKey },
		"config":      func(place) string { return configKey },
		"workspace":   func(p place) string { return workspaceKey(strings.ToLower(p.name)) },
		"keys":        func(p place) string { return keysKey(p.id) },
		"project":     func(p place) string { return projectKey(p.id, strings.ToLower(p.name)) },
		"environment": func(p place) string { return environmentKey(p.id, strings.ToLower(p.name)) },
		"head":        func(p place) string { return headKey(p.id, p.name) },
		"version":     func(p place) string { return versionKey(p.id, p.name, p.number) },
		"log":         func(p place) string { return logKey(p.id, ids[p.number%4], int(p.number)) },
		"integration": func(p place) string { return integrationKey(p.id, "toy", strings.ToLower(p.name)) },
		"credential":  func(p place) string { return credentialKey(p.id) },
		"sync":        func(p place) string { return syncKey(p.id, "toy-shelf", strings.ToLower(p.name)) },
		"sync state":  func(p place) string { return syncStateKey(p.id) },
		"ledger":      func(p place) string { return ledgerKey(p.id, int(p.number)) },
		"tombstone":   func(p place) string { return tombstoneKey(p.id, p.name) },
		"undone":      func(p place) string { return undoneKey(p.id) },
	}
	canonical := func(p place) place { // clears the fields that the kind does not use
		switch p.kind {
		case "schema", "master", "config":
			return place{kind: p.kind}
		case "keys", "credential", "sync state", "undone":
			return place{kind: p.kind, id: p.id}
		case "workspace":
			return place{kind: p.kind, name: strings.ToLower(p.name)}
		case "project", "environment", "integration", "sync":
			return place{kind: p.kind, id: p.id, name: strings.ToLower(p.name)}
		case "head", "tombstone":
			return place{kind: p.kind, id: p.id, name: p.name}
		case "log", "ledger":
			return place{kind: p.kind, id: p.id, number: p.number}
		}
		return p
	}
	taken := make(map[string]place)
	for range 5_000 {
		for kind, key := range makers {
			p := place{kind, ids[rand.IntN(len(ids))], randomName(), rand.Uint64N(30)}
			k, p := key(p), canonical(p)
			for _, free := range reserved {
				if strings.HasPrefix(k, free) || strings.HasPrefix(free, k) {
					t.Fatalf("the key %s of %+v collides with the reserved %s", k, p, free)
				}
			}
			if other, found := taken[k]; found && other != p {
				t.Fatalf("%+v and %+v share the key %s", p, other, k)
			}
			taken[k] = p
		}
	}
}

func TestHeadIsWellFormedWhenItsVersionsHaveNoGap(t *testing.T) {
	versions := func(numbers ...uint64) (all []Version) {
		for _, n := range numbers {
			all = append(all, Version{Number: n})
		}
		return all
	}
	gone := append(versions(1), Version{Number: 2, Destroyed: true})
	sealed := []byte{1}
	cases := []struct {
		name  string
		head  Head
		legal bool
	}{
		{"first", Head{First: 1, Sealed: sealed, Versions: versions(1)}, true},
		{"later ones", Head{First: 3, Sealed: sealed, Floor: 7, Versions: versions(7, 8, 9)}, true},
		{"floor behind", Head{First: 1, Sealed: sealed, Floor: 2, Versions: versions(7, 8)}, true},
		{"newest destroyed", Head{First: 1, Versions: gone}, true},
		{"dying", Head{First: 1, Dying: true, Versions: versions(1)}, true},
		{"nothing sealed", Head{First: 1, Versions: versions(1)}, false},
		{"destroyed and sealed", Head{First: 1, Sealed: sealed, Versions: gone}, false},
		{"no version", Head{First: 1, Sealed: sealed}, false},
		{"version zero", Head{First: 1, Sealed: sealed, Versions: versions(0, 1)}, false},
		{"gap", Head{First: 1, Sealed: sealed, Versions: versions(1, 3)}, false},
		{"repeated number", Head{First: 1, Sealed: sealed, Versions: versions(1, 1)}, false},
		{"descending", Head{First: 1, Sealed: sealed, Versions: versions(2, 1)}, false},
		{"floor ahead", Head{First: 1, Sealed: sealed, Floor: 8, Versions: versions(7)}, false},
		{"first ahead", Head{First: 8, Sealed: sealed, Versions: versions(7)}, false},
		{"no first", Head{Sealed: sealed, Versions: versions(7)}, false},
	}
	for _, c := range cases {
		if got := c.head.wellFormed(); got != c.legal {
			t.Errorf("%s: well formed is %t", c.name, got)
		}
	}
	h := Head{Versions: versions(7, 8, 9)}
	for n, want := range map[uint64]bool{0: false, 6: false, 7: true, 9: true, 10: false} {
		if v, found := h.Version(n); found != want || found && v.Number != n {
			t.Errorf("version %d: %v, %t", n, v.Number, found)
		}
	}
}

func TestDamagedRecordsAreReportedAndOversizeRecordsAreNotStored(t *testing.T) {
	ctx := context.Background()
	storage := new(logical.InmemStorage)
	s, err := New(storage)
	if err != nil {
		t.Fatal(err)
	}
	id := NewID()
	reads := map[string]func() error{
		schemaKey:               func() error { _, err := s.Schema(ctx); return err },
		configKey:               func() error { _, err := s.Config(ctx); return err },
		masterKey:               func() error { _, err := s.Master(ctx); return err },
		keysKey(id):             func() error { _, err := s.Keys(ctx, id); return err },
		workspaceKey("w"):       func() error { _, err := s.Workspace(ctx, "w"); return err },
		projectKey(id, "p"):     func() error { _, err := s.Project(ctx, id, "p"); return err },
		environmentKey(id, "e"): func() error { _, err := s.Environment(ctx, id, "e"); return err },
		headKey(id, "N"):        func() error { _, err := s.Head(ctx, id, "N"); return err },
		versionKey(id, "N", 1):  func() error { _, err := s.OldValue(ctx, id, "N", 1); return err },
		undoneKey(id):           func() error { _, err := s.Undone(ctx, id); return err },
	}
	for key, read := range reads {
		if err := read(); err != nil {
			t.Errorf("%s, which does not exist: %v", key, err)
		}
		for name, junk := range map[string]string{
			"empty": "", "no record": "junk", "empty record": "\xa0", "a field of a later version": "\xa1\x18\x63\x01", "a field twice": "\xa2\x01\x01\x01\x01",
			"indefinite": "\xbf\xff", "trailing bytes": "\xa0\xa0", "a list": "\x80",
		} {
			if err := storage.Put(ctx, &logical.StorageEntry{Key: key, Value: []byte(junk)}); err != nil {
				t.Fatal(err)
			}
			if err := read(); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s, %s: %v", key, name, err)
			}
		}
	}
	if err := s.PutOldValue(ctx, id, "LARGE", 1, &OldValue{Sealed: make([]byte, MaxEntryBytes)}); err == nil {
		t.Error("an entry over the limit of storage was stored")
	}
}
