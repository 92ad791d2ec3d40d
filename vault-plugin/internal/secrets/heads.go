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

// head answers the head of a secret, from memory or with one storage read; nil means that there is none.
func (s *Service) head(ctx context.Context, a at, name string) (*store.Head, error) {
	head, revision, found := s.known(a, name)
	if head != nil || !found {
		return head, nil
	}
	head, err := s.store.Head(ctx, a.EnvironmentID, name)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return nil, fmt.Errorf("read a secret: %w", err)
	}
	return s.keep(a, name, revision, head)
}

// known answers what memory has of a secret: its head, or the revision to read it at.
func (s *Service) known(a at, name string) (head *store.Head, revision uint64, found bool) {
	a.env.mu.RLock()
	defer a.env.mu.RUnlock()
	slot := a.env.secrets[name]
	if slot == nil {
		return nil, 0, false
	}
	if slot.pending != nil {
		return slot.pending.head, slot.revision, true
	}
	return s.cache.Get(a.key(name)), slot.revision, true
}

// keep caches a head that was read from storage, unless the secret has changed since. A secret that ought to be there and is not
// is damaged, unless its only write had an unknown outcome.
func (s *Service) keep(a at, name string, revision uint64, head *store.Head) (*store.Head, error) {
	a.env.mu.Lock()
	defer a.env.mu.Unlock()
	slot := a.env.secrets[name]
	if slot == nil || slot.revision != revision {
		if head == nil {
			return nil, fault.New(fault.Unavailable, "secret %s of %s is being changed; try again", name, a.Path())
		}
		return head, nil
	}
	switch {
	case head == nil && a.env.gone.Load():
		return nil, fault.New(fault.Unavailable, "environment %s was deleted meanwhile; try again", a.Path())
	case head == nil && !slot.doubtful:
		return nil, errDamagedHead(a.Place, name)
	case head == nil:
		a.env.forget(name, slot)
		return nil, nil
	case head.Dying:
		a.env.dying[name] = head
		a.env.forget(name, slot)
		s.startClearing(a.EnvironmentID, a.env)
		return nil, nil
	}
	slot.doubtful = false
	a.env.measure(slot, size(name, head))
	s.cache.Put(a.key(name), head)
	if len(head.Doomed) > 0 {
		s.startPruning(a, name) // a destruction was interrupted
	}
	return head, nil
}

// entry is one secret of a snapshot: its head, or why it could not be read.
type entry struct {
	name string
	head *store.Head
	err  error
}

// snapshotAttempts bounds how often a snapshot is taken again because secrets were changed while the missing ones were read.
const snapshotAttempts = 50

// snapshot answers all secrets of an environment by name, as they were at one moment: of a write of many, it has all or nothing.
func (s *Service) snapshot(ctx context.Context, a at) ([]entry, error) {
	type version struct {
		entry
		revision uint64
	}
	seen := make(map[string]version)
	for range snapshotAttempts {
		var missing []version
		var all []entry
		a.env.mu.RLock()
		for name, slot := range a.env.secrets {
			got, ok := seen[name]
			switch {
			case slot.pending != nil:
				got.entry = entry{name: name, head: slot.pending.head}
			case ok && got.revision == slot.revision:
			default:
				got = version{entry{name: name, head: s.cache.Get(a.key(name))}, slot.revision}
				if got.head == nil {
					missing = append(missing, got)
					continue
				}
			}
			all = append(all, got.entry)
		}
		a.env.mu.RUnlock()
		if len(missing) == 0 {
			slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
			return slices.DeleteFunc(all, func(e entry) bool { return e.head == nil && e.err == nil }), nil
		}
		err := s.reads.each(ctx, len(missing), parallelism, func(ctx context.Context, i int) error {
			m := &missing[i]
			m.head, m.err = s.store.Head(ctx, a.EnvironmentID, m.name)
			if m.err != nil && !errors.Is(m.err, store.ErrDamaged) {
				return fmt.Errorf("read a secret: %w", m.err)
			}
			m.head, m.err = s.keep(a, m.name, m.revision, m.head)
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, m := range missing {
			seen[m.name] = m
		}
	}
	return nil, fault.New(fault.Unavailable, "environment %s is changing faster than it can be read; try again", a.Path())
}
