package undone

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

func (s *Service) run(ctx context.Context) {
	for _, f := range s.before {
		f()
	}
	s.mu.Lock()
	due, surveyed := s.due(), s.surveyed
	s.mu.Unlock()
	for _, id := range due {
		if ctx.Err() != nil {
			return
		}
		_ = s.settleNow(ctx, id) // a mark that fails stays due
	}
	if surveyed {
		return
	}
	orphans, err := s.survey(ctx)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orphans, s.surveyed = orphans, true
}

// settleNow settles one mark.
func (s *Service) settleNow(ctx context.Context, id store.ID) error {
	defer s.locks.Lock(id)()
	s.mu.Lock()
	m, marked := s.marks[id]
	s.mu.Unlock()
	if !marked || m.held {
		return nil // another operation has begun
	}
	exists, err := s.exists(ctx, id, m)
	switch {
	case errors.Is(err, store.ErrDamaged):
		m.problem = fmt.Sprintf("%s cannot be completed: its record is damaged; %s", m.what(), restoring)
		s.set(id, m)
		return nil
	case err != nil:
		return err
	case !exists:
		if err := s.clear(ctx, id, m); err != nil || s.hasProblem(id) {
			return err
		}
	}
	return s.unmark(ctx, id)
}

const restoring = "restore that record from a snapshot of Vault's storage, and reload the plugin. Until then, the engine keeps what is left"

// what returns the name of the change that a mark is about.
func (m mark) what() string {
	change := "creation"
	if m.Deletion {
		change = "deletion"
	}
	return fmt.Sprintf("the %s of %s %s", change, m.Kind, m.Name)
}

func (s *Service) hasProblem(id store.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.marks[id].problem != ""
}

// exists reports whether the thing that a mark is about exists in storage.
func (s *Service) exists(ctx context.Context, id store.ID, m mark) (bool, error) {
	if m.Kind == store.KindWorkspace && m.Deletion {
		return s.keys.Stored(ctx, id)
	}
	return s.store.Exists(ctx, id, &m.Undone)
}

// errRecordLeft reports that the record of a deleted workspace is still stored, so the rest must
// not be swept yet.
var errRecordLeft = errors.New("the record is still stored")

// clear removes what is left of a thing that does not exist.
func (s *Service) clear(ctx context.Context, id store.ID, m mark) error {
	if s.owners[m.Kind].HasRecord(m.Kind, id) {
		m.problem = fmt.Sprintf("%s cannot be completed: its record is not at its old place, and another record has its id; %s", m.what(), restoring)
		s.set(id, m)
		return nil
	}
	if !m.Deletion {
		return s.clearCreation(ctx, id, m)
	}
	if m.Kind == store.KindWorkspace {
		if left, err := s.store.Exists(ctx, id, &m.Undone); err != nil || left {
			return errors.Join(errRecordLeft, err)
		}
	}
	err := s.store.Sweep(ctx, m.Kind, id)
	if errors.Is(err, store.ErrDamaged) {
		m.problem = fmt.Sprintf("%s cannot be completed: the record %s beneath it is damaged; %s", m.what(), strings.TrimSuffix(err.Error(), ": "+store.ErrDamaged.Error()), restoring)
		s.set(id, m)
		return nil
	}
	return err
}

// clearCreation removes what a creation stored before its commit. If more is stored beneath the id,
// the creation was committed. Then clearCreation keeps everything, and the survey reports it.
func (s *Service) clearCreation(ctx context.Context, id store.ID, m mark) error {
	found, err := s.store.Beneath(ctx, m.Kind, id)
	if err != nil {
		return err
	}
	for _, place := range found.Places {
		if place != store.BeforeCommit(m.Kind, id) {
			return nil
		}
	}
	if m.Kind == store.KindWorkspace {
		return s.keys.Shred(ctx, id)
	}
	return s.store.Sweep(ctx, m.Kind, id)
}
