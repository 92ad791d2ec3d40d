package syncs

import (
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// circuit keeps an integration whose credential was refused from being tried with by each of its syncs.
type circuit struct {
	until time.Time
	hint  string
}

// watch learns of all that may give syncs something to do. What is called here is called while locks are held, and only notes.
func (s *Service) watch() {
	s.Secrets.Watch(s.delivers)
	s.Tree.Watch(s.workspaceChanged)
	s.Tree.AddDependents(s.dependents)
	s.Integrations.Watch(s.integrationChanged)
	s.Integrations.AddDependents(s.dependentsOf)
	s.Settings.Watch(s.configured)
}

// delivers is called when an environment may deliver something else.
func (s *Service) delivers(changed workspaces.Place) {
	s.mu.Lock()
	var woken []store.ID
	for e := range s.records.In(changed.WorkspaceID) {
		if st := s.standing[e.ID]; e.At.Parent == changed.EnvironmentID || st.elsewhere {
			st.dirty = true
			woken = append(woken, e.ID)
		}
	}
	s.mu.Unlock()
	for _, id := range woken {
		s.wake(id)
	}
}

// workspaceChanged is called when a workspace was paused or locked or is no more, or when environments share something else.
func (s *Service) workspaceChanged(ws store.ID) {
	s.mu.RLock()
	var all []store.ID
	for e := range s.records.In(ws) {
		all = append(all, e.ID)
	}
	s.mu.RUnlock()
	for _, id := range all {
		s.again(id)
	}
}

// integrationChanged has the syncs of an integration tried at once that have failed with it.
func (s *Service) integrationChanged(ws, integration store.ID) {
	s.mu.Lock()
	delete(s.circuits, integration)
	var all []store.ID
	for e := range s.records.In(ws) {
		if e.record.Integration == integration {
			all = append(all, e.ID)
		}
	}
	s.mu.Unlock()
	for _, id := range all {
		s.again(id)
	}
}

// configured has all syncs looked at once things may go out again.
func (s *Service) configured(c store.Config) {
	s.mu.Lock()
	resumed := s.paused && !c.Paused
	s.paused = c.Paused
	var all []store.ID
	for e := range s.records.All() {
		all = append(all, e.ID)
	}
	s.mu.Unlock()
	if !resumed {
		return
	}
	for _, id := range all {
		s.again(id)
	}
}

// again has a sync looked at as if nothing had failed before.
func (s *Service) again(id store.ID) {
	s.mu.Lock()
	if st := s.standing[id]; st != nil {
		st.dirty = true
		st.now.Attempts, st.now.Next = 0, time.Time{}
	}
	s.mu.Unlock()
	s.wake(id)
}

// wake has a sync looked at soon, but not before its next attempt is due where the destination has refused it or was not reached: what
// it is to bring there makes no difference to that.
func (s *Service) wake(id store.ID) {
	when := s.now().Add(Window)
	s.mu.RLock()
	if st := s.standing[id]; st != nil && st.waits() && st.now.Next.After(when) {
		when = st.now.Next
	}
	s.mu.RUnlock()
	s.scheduler.At(id, when)
}
