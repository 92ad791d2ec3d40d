package secrets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// head returns the head of a secret, from memory or with one storage read. It returns nil if the
// secret does not exist.
func (s *Service) head(ctx context.Context, loc located, name string) (*store.Head, error) {
	head, revision, found := s.cached(loc, name)
	if head != nil || !found {
		return head, nil
	}
	head, err := s.store.Head(ctx, loc.EnvironmentID, name)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return nil, fmt.Errorf("read a secret: %w", err)
	}
	return s.cacheRead(loc, name, revision, head)
}

// cached returns the head of a secret if memory has it. Otherwise it returns the revision, which
// the caller passes to cacheRead after it has read storage.
func (s *Service) cached(loc located, name string) (head *store.Head, revision uint64, found bool) {
	loc.env.mu.RLock()
	defer loc.env.mu.RUnlock()
	slot := loc.env.secrets[name]
	if slot == nil {
		return nil, 0, false
	}
	if slot.unapplied != nil {
		return slot.unapplied.head, slot.revision, true
	}
	return s.cache.Get(loc.key(name)), slot.revision, true
}

// cacheRead caches a head that was read from storage, unless the secret has changed since. A secret
// that memory knows but storage does not have is damaged, unless the outcome of its only write is
// unknown.
func (s *Service) cacheRead(loc located, name string, revision uint64, head *store.Head) (*store.Head, error) {
	loc.env.mu.Lock()
	defer loc.env.mu.Unlock()
	slot := loc.env.secrets[name]
	if slot == nil || slot.revision != revision {
		if head == nil {
			return nil, fault.New(fault.Unavailable, "secret %s of %s is being changed; try again", name, loc.Path())
		}
		return head, nil
	}
	switch {
	case head == nil && loc.env.gone.Load():
		return nil, fault.New(fault.Unavailable, "environment %s was deleted during this request; try again", loc.Path())
	case head == nil && !slot.maybeStored:
		return nil, errDamagedHead(loc.Place, name)
	case head == nil:
		loc.env.forget(name, slot)
		return nil, nil
	case head.Dying:
		loc.env.dying[name] = head
		loc.env.forget(name, slot)
		s.startFinishingPurges(loc.EnvironmentID, loc.env)
		return nil, nil
	}
	slot.maybeStored = false
	loc.env.measure(slot, weigh(name, head))
	s.cache.Put(loc.key(name), head)
	if len(head.Doomed) > 0 {
		s.startPruning(loc, name) // a destroy was interrupted
	}
	return head, nil
}

// namedHead is one secret of a snapshot: its head, or why it could not be read.
type namedHead struct {
	name string
	head *store.Head
	err  error
}

// snapshotAttempts bounds how often a snapshot is repeated because secrets changed while the
// missing heads were read.
const snapshotAttempts = 50

// snapshot returns all secrets of an environment as they were at one moment, sorted by name. It
// contains either all or none of the changes of an import.
func (s *Service) snapshot(ctx context.Context, loc located) ([]namedHead, error) {
	type version struct {
		namedHead
		revision uint64
	}
	seen := make(map[string]version)
	for range snapshotAttempts {
		var missing []version
		var all []namedHead
		loc.env.mu.RLock()
		for name, slot := range loc.env.secrets {
			got, ok := seen[name]
			switch {
			case slot.unapplied != nil:
				got.namedHead = namedHead{name: name, head: slot.unapplied.head}
			case ok && got.revision == slot.revision:
			default:
				got = version{namedHead{name: name, head: s.cache.Get(loc.key(name))}, slot.revision}
				if got.head == nil {
					missing = append(missing, got)
					continue
				}
			}
			all = append(all, got.namedHead)
		}
		loc.env.mu.RUnlock()
		if len(missing) == 0 {
			slices.SortFunc(all, func(a, b namedHead) int { return strings.Compare(a.name, b.name) })
			return slices.DeleteFunc(all, func(e namedHead) bool { return e.head == nil && e.err == nil }), nil
		}
		err := s.reads.Each(ctx, len(missing), parallelism, func(ctx context.Context, i int) error {
			m := &missing[i]
			m.head, m.err = s.store.Head(ctx, loc.EnvironmentID, m.name)
			if m.err != nil && !errors.Is(m.err, store.ErrDamaged) {
				return fmt.Errorf("read a secret: %w", m.err)
			}
			m.head, m.err = s.cacheRead(loc, m.name, m.revision, m.head)
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, m := range missing {
			seen[m.name] = m
		}
	}
	return nil, fault.New(fault.Unavailable, "environment %s is changing faster than it can be read; try again", loc.Path())
}
