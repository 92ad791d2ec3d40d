package store

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// kinds returns a reader for each kind of record. Each reader returns the record that it read,
// encoded again.
func kinds(s *Store) []func(t *testing.T, key string) ([]byte, error) {
	return []func(*testing.T, string) ([]byte, error){
		reencoded[Schema](s), reencoded[Master](s), reencoded[Keys](s), reencoded[Config](s), reencoded[Workspace](s), reencoded[Project](s), reencoded[Environment](s),
		reencoded[Head](s), reencoded[Tombstone](s), reencoded[OldValue](s), reencoded[LogChunk](s), reencoded[Undone](s),
	}
}

func reencoded[R any, P interface {
	*R
	record
}](s *Store) func(t *testing.T, key string) ([]byte, error) {
	return func(t *testing.T, key string) ([]byte, error) {
		found, err := get[R, P](t.Context(), s, key)
		if err != nil {
			return nil, err
		}
		if head, isHead := any(found).(*Head); isHead { // readers rely on these invariants
			if v, kept := head.Version(head.Newest().Number); !kept || v.Number < head.First {
				t.Fatalf("the newest version of a head is not kept: %+v", v)
			}
			for _, v := range head.Versions {
				if sealed, _ := head.Value(v.Number); v.Destroyed && len(sealed) > 0 {
					t.Fatalf("a head holds the value of a destroyed version: %+v", v)
				}
			}
		}
		return s.encode.Marshal(found)
	}
}

// FuzzRecords reads arbitrary bytes as every kind of record. The bytes are either damaged, or a
// record that is unchanged after it is stored again.
func FuzzRecords(f *testing.F) {
	s, err := New(&logical.InmemStorage{})
	if err != nil {
		f.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	version := Version{Number: 3, Created: at, By: Actor{EntityID: "e"}, RequestID: "r", Size: 1, Targets: []string{"api/dev/A"}}
	for i, seed := range []any{
		&Schema{Version: 1}, &Master{Ring: []byte{1}}, &Keys{Ring: []byte{1}, AutoRotate: time.Hour}, &Workspace{ID: NewID()}, &Project{ID: NewID()},
		&Environment{ID: NewID(), Base: "api/dev", WasShared: true, SharedWith: []string{"*/*"}},
		&Head{Sealed: []byte{1}, Versions: []Version{version}, First: 1, Floor: 2, Doomed: []uint64{1}, Metadata: map[string]string{"a": "b"}},
		&Head{Sealed: []byte{1}, Versions: []Version{{Number: 1, Created: at}, {Number: 2, Created: at, Destroyed: true}, version}, First: 1, Inline: [][]byte{{2}, nil}},
		&Head{Versions: []Version{version}, First: 3, Dying: true, Removed: at}, &Tombstone{Last: 3, Removed: at}, &OldValue{Sealed: []byte{1}},
		&LogChunk{Changes: []Change{{Name: "A", Sealed: []byte{1}, Version: version, Keep: 1}, {Name: "B", Version: version, IsDelete: true}}, Chunks: 1},
		&Undone{Kind: KindWorkspace, Name: "acme"}, &Undone{Kind: KindSync, Parent: NewID(), Name: "toy-shelf/main", Deletion: true},
	} {
		text, err := s.encode.Marshal(seed)
		if err != nil {
			f.Fatal(i, err)
		}
		f.Add(text)
	}
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, entry []byte) {
		for i, read := range kinds(s) {
			if err := s.storage.Put(t.Context(), &logical.StorageEntry{Key: "entry", Value: entry}); err != nil {
				t.Fatal(err)
			}
			first, err := read(t, "entry")
			if errors.Is(err, ErrDamaged) {
				continue
			}
			if err != nil {
				t.Fatalf("kind %d: %v", i, err)
			}
			if err := s.storage.Put(t.Context(), &logical.StorageEntry{Key: "entry", Value: first}); err != nil {
				t.Fatal(err)
			}
			if second, err := read(t, "entry"); err != nil || !bytes.Equal(first, second) {
				t.Fatalf("kind %d: stored again, %x becomes %x: %v", i, first, second, err)
			}
		}
	})
}
