package syncs

import (
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
)

// holdCount counts the callers that may still write the ledger or the state of a sync.
type holdCount struct {
	holders int
	begun   *undone.Change // deletion of the sync, which the last holder settles; or nil
}

// hold protects what is stored below a sync from being swept until release is called. If exists is
// false, the sync was deleted, and nothing may be stored below it.
func (s *Service) hold(id store.ID) (release func(), exists bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runStates[id] == nil {
		return func() {}, false
	}
	h := s.holds[id]
	if h == nil {
		h = &holdCount{}
		s.holds[id] = h
	}
	h.holders++
	return func() { s.release(id, h) }, true
}

func (s *Service) release(id store.ID, h *holdCount) {
	s.mu.Lock()
	h.holders--
	last := h.holders == 0
	if last {
		delete(s.holds, id)
	}
	s.mu.Unlock()
	if last {
		h.begun.Settle()
	}
}

// settle settles the deletion of a sync that was removed from memory, as soon as no caller holds
// the sync. begun may be nil.
func (s *Service) settle(id store.ID, begun *undone.Change) {
	if begun == nil {
		return // a recheck has settled the deletion, or no change was pending
	}
	s.mu.Lock()
	h := s.holds[id]
	if h != nil {
		h.begun = begun
	}
	s.mu.Unlock()
	if h == nil {
		begun.Settle()
	}
}
