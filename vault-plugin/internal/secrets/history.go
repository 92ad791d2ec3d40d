package secrets

import (
	"slices"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// apply answers what a change makes of a head, which is nil for a secret that never was. It is the same whether a change comes
// from a request or from a redo log.
func apply(head *store.Head, c store.Change) *store.Head {
	if c.IsDelete {
		next := *head
		next.Versions = slices.Clone(head.Versions)
		next.Versions[len(next.Versions)-1] = c.Version
		return &next
	}
	next := &store.Head{Sealed: c.Sealed, Tags: c.Tags, Floor: 1}
	if head != nil {
		next.Floor = head.Floor
		next.Versions = slices.Clone(head.Versions)
	}
	next.Versions = append(next.Versions, c.Version)
	if extra := len(next.Versions) - c.Keep; extra > 0 {
		next.Versions = next.Versions[extra:]
	}
	return next
}

// applied reports whether head already has what the change brings.
func applied(head *store.Head, c store.Change) bool {
	if head == nil {
		return false
	}
	newest := head.Newest()
	if c.IsDelete {
		return newest.Number > c.Version.Number || !newest.Deleted.IsZero()
	}
	return newest.Number >= c.Version.Number
}

// fits reports whether a change of a redo log goes with what is stored: it is the next version, a deletion of the newest one, or
// applied already. Any other would leave a gap between the versions, which no reader expects.
func fits(head *store.Head, c store.Change) bool {
	switch {
	case applied(head, c):
		return true
	case c.IsDelete:
		return head != nil && head.Newest().Number == c.Version.Number
	default:
		return nextNumber(head) == c.Version.Number
	}
}

// nextNumber is the number a new version gets.
func nextNumber(head *store.Head) uint64 {
	if head == nil {
		return 1
	}
	return head.Newest().Number + 1
}
