package secrets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/headcache"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// valuesOf returns a head whose newest version is small and whose older versions have inline
// envelopes of the given sizes. A size below 0 means a destroyed version.
func valuesOf(sizes ...int) *store.Head {
	head := &store.Head{Sealed: []byte("newest"), Floor: 1, First: 1}
	for i, size := range sizes {
		v := store.Version{Number: uint64(i) + 1, Created: time.Unix(1, 0), Destroyed: size < 0}
		head.Versions = append(head.Versions, v)
		head.Inline = append(head.Inline, bytes.Repeat([]byte{byte(i + 1)}, max(0, size)))
	}
	head.Versions = append(head.Versions, store.Version{Number: uint64(len(sizes)) + 1, Created: time.Unix(1, 0)})
	return head
}

func TestOldestValuesSpillBeyondBudget(t *testing.T) {
	const all = inlineBytes
	hundred := make([]int, 99)
	for i := range hundred {
		hundred[i] = 100
	}
	cases := []struct {
		name  string
		sizes []int
		from  uint64 // the first version that stays inline, or the newest version
	}{
		{"none", nil, 1},
		{"exactly the budget", []int{all / 2, all / 2}, 1},
		{"one byte more than the budget", []int{1, all / 2, all / 2}, 2},
		{"one value of the size of the budget", []int{all}, 1},
		{"one value larger than the budget", []int{all + 1}, 2},
		{"a large value spills with the small ones before it", []int{10, 10, all + 1, 10}, 4},
		{"a large value that was just replaced", []int{10, 10, all + 1}, 4},
		{"destroyed versions use no room", []int{-1, all, -1, -1}, 1},
		{"a destroyed version before a value that spills", []int{10, -1, all + 1, -1, 10}, 4},
		{"a hundred versions, some of which fit", hundred, 100 - all/100},
	}
	for _, c := range cases {
		head := valuesOf(c.sizes...)
		before := slices.Clone(head.Inline)
		kept, from := spill(head, inlineBytes)
		if from != c.from || kept.FirstInline() != c.from {
			t.Errorf("%s: inline from version %d (%d), want %d", c.name, from, kept.FirstInline(), c.from)
		}
		for n := c.from; n <= head.Newest().Number; n++ {
			want, _ := head.Value(n)
			if got, inline := kept.Value(n); !inline || !bytes.Equal(got, want) {
				t.Errorf("%s: version %d is inline %t and has %d bytes of %d", c.name, n, inline, len(got), len(want))
			}
		}
		if !slices.EqualFunc(head.Inline, before, bytes.Equal) {
			t.Errorf("%s: spill changed its argument", c.name)
		}
	}
}

// recorder is a storage that records the families of the entries that are put, in order. It fails
// from one Put on.
type recorder struct {
	logical.InmemStorage
	mu     sync.Mutex
	puts   []string
	failAt int // 0: never
}

func (r *recorder) Put(ctx context.Context, entry *logical.StorageEntry) error {
	r.mu.Lock()
	family, _, _ := strings.Cut(entry.Key, "/")
	r.puts = append(r.puts, family)
	down := r.failAt > 0 && len(r.puts) >= r.failAt
	r.mu.Unlock()
	if down {
		return errors.New("storage is down")
	}
	return r.InmemStorage.Put(ctx, entry)
}

// service returns a service over a recorder, and the key of one secret.
func service(t *testing.T) (*Service, *recorder, headcache.Key) {
	t.Helper()
	storage := &recorder{}
	s, err := store.New(storage)
	if err != nil {
		t.Fatal(err)
	}
	return New(s, nil, nil, time.Now), storage, headcache.Key{Environment: store.NewID(), Name: "A"}
}

func TestHeadIsStoredAfterSpilledValues(t *testing.T) {
	s, storage, key := service(t)
	stored, err := s.putHead(t.Context(), key, valuesOf(10, inlineBytes+1, 10))
	if err != nil || stored.FirstInline() != 3 {
		t.Fatalf("inline from %d: %v", stored.FirstInline(), err)
	}
	if got := fmt.Sprint(storage.puts); got != "[ver ver sec]" {
		t.Errorf("Puts in the order %s, want [ver ver sec]", got)
	}
	head := valuesOf(10, inlineBytes+1, 10)
	for n := uint64(1); n <= 2; n++ {
		want, _ := head.Value(n)
		old, err := s.store.OldValue(t.Context(), key.Environment, key.Name, n)
		if err != nil || old == nil || !bytes.Equal(old.Sealed, want) {
			t.Errorf("version %d: %v", n, err)
		}
	}
	read, err := s.store.Head(t.Context(), key.Environment, key.Name)
	if err != nil || read.FirstInline() != 3 || len(read.Sealed) == 0 {
		t.Errorf("the stored head is %+v, %v", read, err)
	}
}

func TestHeadIsNotStoredIfASpillFails(t *testing.T) {
	s, storage, key := service(t)
	storage.failAt = 2
	if _, err := s.putHead(t.Context(), key, valuesOf(10, inlineBytes+1, 10)); err == nil {
		t.Fatal("the head was stored although a spilled value was not")
	}
	if head, err := s.store.Head(t.Context(), key.Environment, key.Name); err != nil || head != nil {
		t.Errorf("storage holds %+v, %v", head, err)
	}
}

// An entry near its size limit has less room for older values than the budget.
func TestOlderValuesSpillFromFullEntry(t *testing.T) {
	for name, c := range map[string]struct{ free, from int }{
		"all fit":                      {4000, 1},
		"all but the oldest fit":       {3000, 2},
		"only the newest of them fits": {1500, 3},
		"none fits":                    {500, 4},
	} {
		t.Run(name, func(t *testing.T) {
			s, storage, key := service(t)
			head := valuesOf(1000, 1000, 1000)
			bare := *head
			bare.Inline = nil
			bare.Sealed = make([]byte, store.MaxEntryBytes)
			over, err := s.store.Oversize(&bare)
			if err != nil {
				t.Fatal(err)
			}
			head.Sealed = make([]byte, store.MaxEntryBytes-over-c.free)
			stored, err := s.putHead(t.Context(), key, head)
			if err != nil || int(stored.FirstInline()) != c.from {
				t.Fatalf("inline from %d, want %d: %v", stored.FirstInline(), c.from, err)
			}
			if got, want := len(storage.puts), c.from; got != want {
				t.Errorf("%d Puts, want %d", got, want)
			}
		})
	}
	s, _, key := service(t)
	head := valuesOf(10)
	head.Sealed = make([]byte, store.MaxEntryBytes)
	if _, err := s.putHead(t.Context(), key, head); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("a head that is too large without older values: %v, want ErrTooLarge", err)
	}
}

// A version that was never spilled leaves nothing to remove. A version that may have been spilled
// does.
func TestOnlyPossiblySpilledValuesAreRemoved(t *testing.T) {
	put := func(head *store.Head, n uint64, size, keep int) *store.Head {
		return apply(head, store.Change{Name: "A", Sealed: make([]byte, size), Version: store.Version{Number: n}, Keep: keep})
	}
	cases := []struct {
		name  string
		cold  int // how many versions were written before the head was read from storage
		sizes []int
		keep  int
		left  []uint64 // dropped versions whose entries must be removed
	}{
		{"never spilled", 0, []int{1, 1, 1, 1, 1}, 2, nil},
		{"spilled", 0, []int{inlineBytes + 1, 1, 1, 1}, 2, []uint64{1, 2}},
		{"dropped before it could spill", 0, []int{inlineBytes + 1, 1}, 1, nil},
		{"written before a start", 2, []int{1, 1, 1, 1}, 2, []uint64{1, 2}},
		{"written after a start", 1, []int{1, 1, 1, 1}, 2, []uint64{1, 2}},
		{"all versions kept", 0, []int{1, 1, 1, 1}, 100, nil},
	}
	for _, c := range cases {
		s, _, key := service(t)
		var head *store.Head
		for i, size := range c.sizes {
			next, err := s.putHead(t.Context(), key, put(head, uint64(i)+1, size, c.keep))
			if err != nil {
				t.Fatal(err)
			}
			if head = next; i+1 == c.cold {
				if head, err = s.store.Head(t.Context(), key.Environment, key.Name); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := dropped(head); !slices.Equal(got, c.left) {
			t.Errorf("%s: dropped returns %v, want %v", c.name, got, c.left)
		}
	}
}

func TestDestroyRemovesInlineValueImmediately(t *testing.T) {
	head := valuesOf(10, inlineBytes+1, 10, 10)
	head, _ = spill(head, inlineBytes) // 1 and 2 are spilled, 3 and 4 inline, 5 is the newest
	hot := *head
	hot.NeverSpilled = 1
	for name, c := range map[string]struct {
		head   *store.Head
		doomed []uint64
	}{
		"hot":  {&hot, []uint64{2}},
		"cold": {head, []uint64{2, 3, 5}},
	} {
		next := destroy(c.head, []uint64{2, 3, 5, 9})
		if !slices.Equal(next.Doomed, c.doomed) {
			t.Errorf("%s: %v are doomed, want %v", name, next.Doomed, c.doomed)
		}
		for n, want := range map[uint64]int{3: 0, 4: 10, 5: 0} {
			if sealed, inline := next.Value(n); !inline || len(sealed) != want {
				t.Errorf("%s: version %d has %d bytes inline, want %d", name, n, len(sealed), want)
			}
		}
		if sealed, _ := c.head.Value(3); len(sealed) != 10 {
			t.Errorf("%s: destroy changed its argument", name)
		}
	}
}
