package secrets

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/headcache"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// inlineBytes bounds the sealed bytes of older versions in a head. Nine older values of 800 bytes
// fit, which is more than most secrets have. A load of 1,000 secrets that are not in memory
// transfers at most 8 MiB of older values.
const inlineBytes = 8 << 10

// addNewest makes sealed the newest value of next and keeps the previous newest value inline,
// whatever its size. next is a copy of head that already has the metadata of the new version.
func addNewest(next, head *store.Head, sealed []byte) {
	next.Inline = append(slices.Clip(head.Inline), head.Sealed)
	next.Sealed = sealed
	// No write that followed an earlier head can have spilled this version.
	next.NeverSpilled = cmp.Or(head.NeverSpilled, next.Newest().Number)
}

// dropOldest drops the oldest versions of a head, to which a version was added, that are beyond
// keep. It drops at most one version that is not destroyed: one write ends the history of one
// version, so a setting that was lowered never takes effect on many values at once. The head must
// not be shared yet. The floor rises past versions that were never stored under ver/, because they
// leave nothing to remove.
func dropOldest(head *store.Head, keep int) {
	extra := oldestBeyond(head, keep)
	if extra == 0 {
		return
	}
	for _, v := range head.Versions[:extra] {
		if head.Floor == v.Number && !head.MaySpill(v.Number) {
			head.Floor++
		}
	}
	head.Versions = head.Versions[extra:]
	if most := len(head.Versions) - 1; len(head.Inline) > most {
		head.Inline = slices.Clone(head.Inline[len(head.Inline)-most:])
	}
}

// oldestBeyond returns how many of the oldest versions a write drops: those beyond keep, up to the
// second that is not destroyed.
func oldestBeyond(head *store.Head, keep int) (extra int) {
	pushedOut := false
	for extra < len(head.Versions)-keep {
		if !head.Versions[extra].Destroyed {
			if pushedOut {
				break
			}
			pushedOut = true
		}
		extra++
	}
	return extra
}

// spill returns a head that holds at most limit bytes of older values, and the number of the oldest
// version in it. The versions before that number go to ver/. They are the oldest, so all versions
// under ver/ are older than all inline ones.
func spill(head *store.Head, limit int) (kept *store.Head, from uint64) {
	first, used := len(head.Inline), 0
	for first > 0 && used+len(head.Inline[first-1]) <= limit {
		first--
		used += len(head.Inline[first])
	}
	if first == 0 {
		return head, head.FirstInline()
	}
	next := *head
	next.Inline = slices.Clone(head.Inline[first:]) // the spilled values must not stay in memory
	return &next, next.FirstInline()
}

// putHead stores a head. Before that, it stores the older values that have no room in the head
// under ver/. It returns the head as stored. A crash in between leaves entries under ver/ whose
// versions the stored head still holds. They are never read. Each is overwritten or removed when
// its version leaves the head.
func (s *Service) putHead(ctx context.Context, key headcache.Key, head *store.Head) (*store.Head, error) {
	kept, from := spill(head, inlineBytes)
	if err := s.putOldValues(ctx, key, head, from); err != nil {
		return nil, err
	}
	err := s.store.PutHead(ctx, key.Environment, key.Name, kept)
	if !errors.Is(err, store.ErrTooLarge) || len(kept.Inline) == 0 {
		return kept, err
	}
	over, err := s.store.Oversize(kept)
	if err != nil {
		return nil, err
	}
	smaller, from := spill(kept, inlineSize(kept)-over)
	if err := s.putOldValues(ctx, key, kept, from); err != nil {
		return nil, err
	}
	return smaller, s.store.PutHead(ctx, key.Environment, key.Name, smaller)
}

func inlineSize(head *store.Head) (bytes int) {
	for _, sealed := range head.Inline {
		bytes += len(sealed)
	}
	return bytes
}

// putOldValues stores the inline values of the versions before from under ver/, in parallel.
func (s *Service) putOldValues(ctx context.Context, key headcache.Key, head *store.Head, from uint64) error {
	if head.FirstInline() == from {
		return nil
	}
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(parallelism)
	for n := head.FirstInline(); n < from; n++ {
		sealed, _ := head.Value(n)
		if len(sealed) == 0 {
			continue // destroyed
		}
		work.Go(func() error {
			return s.store.PutOldValue(workCtx, key.Environment, key.Name, n, &store.OldValue{Sealed: sealed})
		})
	}
	return work.Wait()
}
