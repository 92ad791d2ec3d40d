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
		_ = s.settleNow(ctx, id) // what fails stays due
	}
	if surveyed {
		return
	}
	lost, err := s.survey(ctx)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost, s.surveyed = lost, true
}

// settleNow settles one mark.
func (s *Service) settleNow(ctx context.Context, id store.ID) error {
	defer s.locks.Lock(id)()
	s.mu.Lock()
	m, marked := s.marks[id]
	s.mu.Unlock()
	if !marked || m.open {
		return nil // another operation has begun
	}
	exists, err := s.exists(ctx, id, m)
	switch {
	case errors.Is(err, store.ErrDamaged):
		m.wrong = fmt.Sprintf("%s cannot be ended: its record is damaged; %s", m.what(), restoring)
		s.set(id, m)
		return nil
	case err != nil:
		return err
	case !exists:
		if err := s.clear(ctx, id, m); err != nil || s.isWrong(id) {
			return err
		}
	}
	return s.unmark(ctx, id)
}

const restoring = "restore it from a snapshot of Vault's storage, and reload the plugin. Until then what is left of it is kept"

// what names the change that a mark is about.
func (m mark) what() string {
	change := "creation"
	if m.Deletion {
		change = "deletion"
	}
	return fmt.Sprintf("the %s of %s %s", change, m.Kind, m.Name)
}

func (s *Service) isWrong(id store.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.marks[id].wrong != ""
}

// exists asks storage whether the thing exists that a mark is about.
func (s *Service) exists(ctx context.Context, id store.ID, m mark) (bool, error) {
	if m.Kind == store.KindWorkspace && m.Deletion {
		return s.keys.Stored(ctx, id)
	}
	return s.store.Exists(ctx, id, &m.Undone)
}

// errRecordLeft says that a deletion has not come so far that its rest may be swept.
var errRecordLeft = errors.New("the record is still stored")

// clear removes what is left of something that does not exist.
func (s *Service) clear(ctx context.Context, id store.ID, m mark) error {
	if s.owners[m.Kind].HasRecord(m.Kind, id) {
		m.wrong = fmt.Sprintf("%s cannot be ended: its record is not where it was, and another record has its id; %s", m.what(), restoring)
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
		m.wrong = fmt.Sprintf("%s cannot be ended: the record %s beneath it is damaged; %s", m.what(), strings.TrimSuffix(err.Error(), ": "+store.ErrDamaged.Error()), restoring)
		s.set(id, m)
		return nil
	}
	return err
}

// clearCreation removes what a creation has stored that never came to its commit. Where there is
// more, it did: all of it is kept, and the survey reports it.
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
