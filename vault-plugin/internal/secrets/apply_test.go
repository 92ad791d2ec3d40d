package secrets

import (
	"slices"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

func headOf(numbers ...uint64) *store.Head {
	if len(numbers) == 0 {
		return nil
	}
	head := &store.Head{Sealed: []byte{1}, Floor: numbers[0], First: numbers[0]}
	for _, n := range numbers {
		head.Versions = append(head.Versions, store.Version{Number: n})
	}
	return head
}

func TestChangeFollowsOnlyThePreviousVersion(t *testing.T) {
	put := func(n uint64, keep int) store.Change {
		return store.Change{Name: "A", Sealed: []byte{byte(n)}, Version: store.Version{Number: n}, Keep: keep}
	}
	del := func(n uint64) store.Change {
		return store.Change{Name: "A", Version: store.Version{Number: n, Deleted: time.Unix(1, 0), DeletedID: "delete"}, IsDelete: true}
	}
	deleted := headOf(1, 2)
	deleted.Versions[1].Deleted, deleted.Versions[1].DeletedID = time.Unix(1, 0), "delete"
	cases := []struct {
		name              string
		head              *store.Head
		change            store.Change
		applied, canApply bool
		after             []uint64 // the kept versions, if the change is not applied yet
	}{
		{"first", headOf(), put(1, 10), false, true, []uint64{1}},
		{"next", headOf(1, 2), put(3, 10), false, true, []uint64{1, 2, 3}},
		{"next, at the limit", headOf(1, 2), put(3, 2), false, true, []uint64{2, 3}},
		{"next, with a lowered limit", headOf(4, 5, 6, 7), put(8, 1), false, true, []uint64{5, 6, 7, 8}},
		{"already there", headOf(1, 2), put(2, 10), true, true, nil},
		{"overtaken", headOf(1, 2, 3), put(2, 10), true, true, nil},
		{"later than the next", headOf(1, 2), put(4, 10), false, false, nil},
		{"later than the first", headOf(), put(2, 10), false, false, nil},
		{"delete the newest", headOf(1, 2), del(2), false, true, []uint64{1, 2}},
		{"deleted already", deleted, del(2), true, true, nil},
		{"delete an older one", headOf(1, 2), del(1), true, true, nil},
		{"delete a later one", headOf(1, 2), del(3), false, false, nil},
		{"delete a secret that never existed", headOf(), del(1), false, false, nil},
	}
	for _, c := range cases {
		if got := applied(c.head, c.change); got != c.applied {
			t.Errorf("%s: applied is %t", c.name, got)
		}
		if got := canApply(previousOf(c.head), c.change); got != c.canApply {
			t.Errorf("%s: canApply is %t", c.name, got)
		}
		if c.after == nil {
			continue
		}
		before := slices.Clone(numbers(c.head))
		next := apply(c.head, c.change)
		if got := numbers(next); !slices.Equal(got, c.after) {
			t.Errorf("%s: versions %v are kept, want %v", c.name, got, c.after)
		}
		if !slices.Equal(numbers(c.head), before) || !applied(next, c.change) {
			t.Errorf("%s: apply changed its argument, or its result is not reported as applied", c.name)
		}
	}
}

func numbers(head *store.Head) (all []uint64) {
	if head == nil {
		return nil
	}
	for _, v := range head.Versions {
		all = append(all, v.Number)
	}
	return all
}

// A write drops destroyed versions beyond the limit, and one version that is not destroyed.
func TestAWriteDropsOneVersionThatIsNotDestroyed(t *testing.T) {
	for _, c := range []struct {
		destroyed []uint64
		keep      int
		after     []uint64
	}{
		{nil, 3, []uint64{2, 3, 4, 5}}, {nil, 4, []uint64{2, 3, 4, 5}}, {nil, 5, []uint64{1, 2, 3, 4, 5}}, {nil, 6, []uint64{1, 2, 3, 4, 5}},
		{[]uint64{1}, 4, []uint64{2, 3, 4, 5}}, {[]uint64{1}, 3, []uint64{3, 4, 5}}, {[]uint64{1}, 1, []uint64{3, 4, 5}},
		{[]uint64{2}, 1, []uint64{3, 4, 5}}, {[]uint64{1, 2, 3}, 1, []uint64{5}}, {[]uint64{1, 2, 3, 4}, 1, []uint64{5}}, {[]uint64{1, 2, 3, 4}, 3, []uint64{3, 4, 5}},
	} {
		head := withVersions(headOf(1, 2, 3, 4), c.destroyed, func(v *store.Version) { v.Destroyed = true })
		next := apply(head, store.Change{Name: "A", Sealed: []byte{5}, Version: store.Version{Number: 5}, Keep: c.keep})
		if got := numbers(next); !slices.Equal(got, c.after) {
			t.Errorf("with %v destroyed and a limit of %d, %v are kept, want %v", c.destroyed, c.keep, got, c.after)
		}
	}
}
