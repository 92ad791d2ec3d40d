package integrations

import (
	"context"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// mayExist reports whether a generation of an integration's credential may be stored: only the one
// that the record names may. Whatever removes generations asks here and nowhere else, so that a
// rotation can keep the old generation beside the new one for as long as its journal says.
func (s *Service) mayExist(record *store.Integration, generation uint64) bool {
	return generation == record.Credential.Generation
}

// allowed returns a credential without the generations that may not exist. It returns nil if that
// is unknown, because the generation in force is missing: then nothing is removed.
func (s *Service) allowed(record *store.Integration, sealed *store.Credential) *store.Credential {
	if _, held := sealed.Find(record.Credential.Generation); !held {
		return nil
	}
	left := &store.Credential{}
	for _, g := range sealed.Generations {
		if s.mayExist(record, g.Number) {
			left.Generations = append(left.Generations, g)
		}
	}
	return left
}

// tidyAll removes the generations of credentials that may not exist.
func (s *Service) tidyAll(ctx context.Context) {
	s.mu.RLock()
	var all []store.ID
	for id := range s.untidy {
		all = append(all, id)
	}
	s.mu.RUnlock()
	for _, id := range all {
		_ = s.records.Exclusively(ctx, id, func(e *entry) error { // what fails stays untidy
			s.tidy(ctx, e)
			return nil
		})
	}
}

// tidy removes the generations from a stored credential that may not exist, and returns the entry
// after that. If storage fails, tidyAll tries again. The caller holds the workspace's change lock.
func (s *Service) tidy(ctx context.Context, e *entry) *entry {
	left := s.allowed(e.record, e.sealed)
	if left == nil || len(left.Generations) == len(e.sealed.Generations) || s.Store.PutCredential(ctx, e.ID, left) != nil {
		return e
	}
	after := s.newEntry(e.Member, e.record, left)
	s.records.Take(after)
	return after
}
