package recordset

import (
	"context"
	"errors"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
)

// Create marks the creation of e. Nothing may be stored for e before Create has returned. The
// caller holds back other changes to the workspace, here and in Put, Remove and Recheck.
func (s *Set[E]) Create(ctx context.Context, e E) (*undone.Change, error) {
	return s.begin(ctx, e.member(), false)
}

func (s *Set[E]) begin(ctx context.Context, m Member, deletion bool) (*undone.Change, error) {
	return s.Undone.Begin(ctx, m.ID, store.Undone{Kind: s.Kind, Parent: m.At.Parent, Name: m.At.String(), Deletion: deletion})
}

// Put stores the record of e with put, which commits the change, and puts e into memory. begun is
// the creation of e, which Put ends, or nil. The error is that of put; if it is store.ErrTooLarge,
// nothing was stored.
func (s *Set[E]) Put(ctx context.Context, e E, begun *undone.Change, put func(context.Context) error) error {
	err := put(ctx)
	switch {
	case errors.Is(err, store.ErrTooLarge):
		begun.Settle()
	case err != nil:
		s.Recheck(ctx, e, begun)
	default:
		s.Take(e)
		begun.Done(ctx)
	}
	return err
}

// Remove deletes the record of e with erase, which commits the deletion, and removes e from memory.
// It returns the deletion, which the caller ends when nothing is stored below e anymore or when a
// sweep may remove it. The deletion is nil if a recheck has ended it, or if e does not own what is
// stored below it. Then the caller removes nothing. Remove fails if the record was not deleted, or
// if that is unknown.
func (s *Set[E]) Remove(ctx context.Context, e E, erase func(context.Context) error) (*undone.Change, error) {
	m := e.member()
	owns, err := s.Owns(ctx, e)
	if err != nil {
		return nil, err
	}
	var begun *undone.Change // nil: without a mark, no sweep removes what belongs to another record
	if owns {
		if begun, err = s.begin(ctx, m, true); err != nil {
			return nil, err
		}
	}
	if err := erase(ctx); err != nil {
		s.mu.Lock()
		s.closed[m.At] = true
		s.mu.Unlock()
		known := s.Recheck(ctx, e, begun)
		s.mu.RLock()
		defer s.mu.RUnlock()
		if _, left := s.entries[m.At]; !known || left {
			return nil, err
		}
		return nil, nil
	}
	s.drop(m.At)
	return begun, nil
}

// Recheck reads from storage the outcome of a change to e whose storage call failed. It reports
// whether the outcome is known. While it is unknown, the tree holds back other changes to the
// workspace. begun is the creation or deletion of e, or nil.
func (s *Set[E]) Recheck(ctx context.Context, e E, begun *undone.Change) (known bool) {
	m := e.member()
	return s.Tree.AddPending(ctx, m.Workspace, func(ctx context.Context) error {
		if err := s.reload(ctx, e); err != nil {
			return err
		}
		s.mu.Lock()
		delete(s.closed, m.At)
		stored := s.entries[m.At]
		s.mu.Unlock()
		s.Rechecked(ctx, e, stored, begun)
		return nil
	})
}

// Exclusively runs work on the entry with an id while other changes to its workspace are held back.
// It fails with fault.NotFound if the entry was deleted.
func (s *Set[E]) Exclusively(ctx context.Context, id store.ID, work func(e E) error) error {
	var none E
	e := s.current(id)
	if e == none {
		return s.Gone()
	}
	return s.Tree.Exclusively(ctx, e.member().Workspace, func() error {
		if e = s.current(id); e == none {
			return s.Gone()
		}
		return work(e)
	})
}

func (s *Set[E]) current(id store.ID) E {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.ByID(id)
}

// Gone returns the error for an entry that was deleted after a caller had found it.
func (s *Set[E]) Gone() error {
	return fault.New(fault.NotFound, "the %s was deleted meanwhile", s.Kind)
}
