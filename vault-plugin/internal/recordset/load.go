package recordset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// loadParallelism bounds the storage reads in flight while a mount starts.
const loadParallelism = 64

// Listing lists the records of a family.
type Listing[E Entry] struct {
	// Parents lists the parents below which records are stored.
	Parents func(ctx context.Context) ([]store.ID, error)
	// Names lists the names of a parent's records by group; the group of a family without groups is
	// empty.
	Names func(ctx context.Context, parent store.ID) (map[string][]string, error)
	// Blank returns an entry for Family.Read that has no content yet.
	Blank func(at Key) E
}

// Load reads all records whose parents exist. It must be called once, before the service is shared.
func (s *Set[E]) Load(ctx context.Context, l Listing[E]) error {
	keys, err := s.list(ctx, l)
	if err != nil {
		return fmt.Errorf("list the %ss: %w", s.Kind, err)
	}
	err = inParallel(ctx, keys, func(ctx context.Context, at Key) error { return s.reload(ctx, l.Blank(at)) })
	if err != nil {
		return fmt.Errorf("load the %ss: %w", s.Kind, err)
	}
	slices.Sort(s.damaged)
	s.Undone.Own(s, s.Kind)
	s.Undone.Before(s.Forget)
	return nil
}

func (s *Set[E]) list(ctx context.Context, l Listing[E]) ([]Key, error) {
	parents, err := l.Parents(ctx)
	if err != nil {
		return nil, err
	}
	// The records of a parent without a record are being swept, or the parent's record is lost.
	parents = slices.DeleteFunc(parents, func(parent store.ID) bool { return !s.Exists(parent) })
	var mu sync.Mutex
	var keys []Key
	err = inParallel(ctx, parents, func(ctx context.Context, parent store.ID) error {
		names, err := l.Names(ctx, parent)
		mu.Lock()
		defer mu.Unlock()
		for group, all := range names {
			for _, name := range all {
				keys = append(keys, Key{parent, group, name})
			}
		}
		return err
	})
	return keys, err
}

// inParallel calls f for each item, and returns its first error.
func inParallel[T any](ctx context.Context, items []T, f func(context.Context, T) error) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(loadParallelism)
	for _, item := range items {
		work.Go(func() error { return f(ctx, item) })
	}
	return work.Wait()
}

// reload brings the entry at the key of e in line with storage.
func (s *Set[E]) reload(ctx context.Context, e E) error {
	var none E
	at := e.member().At
	stored, err := s.Read(ctx, e)
	switch {
	case errors.Is(err, store.ErrDamaged):
		s.mu.Lock()
		defer s.mu.Unlock()
		if key := at.Stored(s.Kind); !slices.Contains(s.damaged, key) {
			s.damaged = append(s.damaged, key)
		}
	case err != nil:
		return err
	case stored == none:
		s.drop(at)
	default:
		s.Take(stored)
	}
	return nil
}
