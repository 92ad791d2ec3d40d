package syncs

import (
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
)

// held counts those who may still write beneath a sync, its ledger or its state.
type held struct {
	holders int
	begun   *undone.Change // the sync was deleted meanwhile: the last holder settles it
}

// hold keeps what is stored beneath a sync from being swept until release is called. It reports
// false where the sync was deleted: nothing may be stored beneath it any more.
func (s *Service) hold(id store.ID) (release func(), exists bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.standing[id] == nil {
		return func() {}, false
	}
	h := s.holds[id]
	if h == nil {
		h = &held{}
		s.holds[id] = h
	}
	h.holders++
	return func() { s.release(id, h) }, true
}

func (s *Service) release(id store.ID, h *held) {
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

// settle settles the deletion of a sync that is out of memory, once nobody writes beneath it. begun
// may be nil.
func (s *Service) settle(id store.ID, begun *undone.Change) {
	if begun == nil {
		return // there is none, or a recheck has settled it
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
