package secrets

import (
	"slices"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// base is what a new version is written upon: the head, or for a secret that does not exist the number its versions reached
// before it was removed.
type base struct {
	head *store.Head
	last uint64
}

func on(head *store.Head) base {
	if head == nil {
		return base{}
	}
	return base{head, head.Newest().Number}
}

// apply answers what a change makes of a head, which is nil for a secret that does not exist. It is the same whether a change
// comes from a request or from a redo log.
func apply(head *store.Head, c store.Change) *store.Head {
	if head == nil {
		head = &store.Head{Floor: c.Version.Number, First: c.Version.Number}
	}
	next := *head
	if c.IsDelete {
		next.Versions = slices.Clone(head.Versions)
		next.Versions[len(next.Versions)-1] = c.Version
		return &next
	}
	next.Sealed, next.Tags = c.Sealed, c.Tags
	next.Versions = append(slices.Clone(head.Versions), c.Version)
	if extra := len(next.Versions) - c.Keep; extra > 0 {
		next.Versions = next.Versions[extra:]
	}
	return &next
}

// applied reports whether head already has what the change brings.
func applied(head *store.Head, c store.Change) bool {
	if head == nil {
		return false
	}
	newest := head.Newest()
	if c.IsDelete {
		return newest.Number > c.Version.Number || newest.DeletedID == c.Version.DeletedID && newest.Deleted.Equal(c.Version.Deleted)
	}
	return newest.Number >= c.Version.Number
}

// mark answers a head in which change was made to the metadata of some versions. Numbers that are not kept are passed over.
func mark(head *store.Head, versions []uint64, change func(*store.Version)) *store.Head {
	next := *head
	next.Versions = slices.Clone(head.Versions)
	for i := range next.Versions {
		if slices.Contains(versions, next.Versions[i].Number) {
			change(&next.Versions[i])
		}
	}
	return &next
}
