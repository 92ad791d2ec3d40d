package integrations

import (
	"context"
	"errors"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/credseal"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// mayExist reports whether a generation of an integration's credential may be stored: only the
// generation that the record names may. All code that removes generations asks mayExist and nothing
// else. A rotation can therefore keep the old generation beside the new one for as long as its
// journal requires.
func (s *Service) mayExist(record *store.Integration, generation uint64) bool {
	return generation == record.Credential.Generation
}

// allowed returns a credential without the generations that may not exist. It returns nil if the
// generation in force is missing. Then it is unknown which generations may exist, and the caller
// removes none.
func (s *Service) allowed(record *store.Integration, sealed *store.Credential) *store.Credential {
	if _, held := sealed.Find(record.Credential.Generation); !held {
		return nil
	}
	kept := &store.Credential{}
	for _, g := range sealed.Generations {
		if s.mayExist(record, g.Number) {
			kept.Generations = append(kept.Generations, g)
		}
	}
	return kept
}

// owns reports whether the credential stored under the id of an integration is the credential of
// this integration. A credential opens only under the names that it was sealed for. A credential
// that is missing or cannot be decoded counts as owned, because nobody can use it.
func (s *Service) owns(ctx context.Context, e *entry) (bool, error) {
	if e.sealed == nil {
		return true, nil
	}
	for _, g := range e.sealed.Generations {
		opened, err := s.sealing.Open(ctx, e.owner(), g.Endpoint, g)
		opened.Wipe()
		if !errors.Is(err, credseal.ErrUnopened) {
			return err == nil, err
		}
	}
	return false, nil
}

// tidyAll removes the generations that may not exist from all credentials.
func (s *Service) tidyAll(ctx context.Context) {
	s.mu.RLock()
	var all []store.ID
	for id := range s.untidy {
		all = append(all, id)
	}
	s.mu.RUnlock()
	for _, id := range all {
		// After a failure, the credential stays untidy.
		_ = s.records.Exclusively(ctx, id, func(e *entry) error {
			s.tidy(ctx, e)
			return nil
		})
	}
}

// tidy removes the generations that may not exist from a stored credential, and returns the new
// entry. If storage fails, it returns e, and tidyAll tries again. The caller holds the workspace's
// change lock.
func (s *Service) tidy(ctx context.Context, e *entry) *entry {
	kept := s.allowed(e.record, e.sealed)
	if kept == nil || len(kept.Generations) == len(e.sealed.Generations) || s.Store.PutCredential(ctx, e.ID, kept) != nil {
		return e
	}
	after := s.newEntry(e.Member, e.record, kept)
	s.records.Take(after)
	return after
}
