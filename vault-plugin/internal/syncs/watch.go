package syncs

import (
	"slices"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// circuit stops the syncs of an integration from each trying a credential that was rejected.
type circuit struct {
	until time.Time
	hint  string
}

// watch registers for every change that can make a run due. The registered functions may be called
// while locks are held, so they only schedule visits.
func (s *Service) watch() {
	s.Secrets.Watch(s.deliveryChanged)
	s.Tree.Watch(s.workspaceChanged)
	s.Tree.AddDependents(s.dependents)
	s.Integrations.Watch(s.integrationChanged)
	s.Integrations.AddDependents(s.dependentsOf)
	s.Settings.Watch(s.configChanged)
}

// deliveryChanged is called when what an environment delivers may have changed.
func (s *Service) deliveryChanged(changed workspaces.Place) {
	s.mu.RLock()
	all := slices.Collect(s.records.In(changed.WorkspaceID))
	s.mu.RUnlock()
	for some := range slices.Chunk(all, markedAtOnce) {
		for _, id := range s.mark(some, changed.EnvironmentID) {
			s.wake(id)
		}
	}
}

// markedAtOnce bounds the syncs that are marked while the syncs of all tenants wait for the lock.
const markedAtOnce = 100

// mark marks the syncs that deliver an environment or may depend on it, and returns their ids.
func (s *Service) mark(syncs []*syncDef, env store.ID) (marked []store.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range syncs {
		if st := s.runStates[e.ID]; st != nil && (e.At.Parent == env || st.elsewhere) {
			st.dirty = true
			marked = append(marked, e.ID)
		}
	}
	return marked
}

// workspaceChanged is called after a change to a workspace, to its lock or pause, or to what its
// environments share, and after its deletion.
func (s *Service) workspaceChanged(ws store.ID) {
	s.mu.RLock()
	var all []store.ID
	for e := range s.records.In(ws) {
		all = append(all, e.ID)
	}
	s.mu.RUnlock()
	for _, id := range all {
		s.retryNow(id)
	}
}

// integrationChanged retries the syncs of an integration immediately.
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
		s.retryNow(id)
	}
}

// configChanged schedules all syncs when the mount is no longer paused.
func (s *Service) configChanged(c store.Config) {
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
		s.retryNow(id)
	}
}

// retryNow schedules a visit of a sync, and forgets its failed attempts.
func (s *Service) retryNow(id store.ID) {
	s.mu.Lock()
	if st := s.runStates[id]; st != nil {
		st.dirty = true
		st.current.Attempts, st.current.Next = 0, time.Time{}
	}
	s.mu.Unlock()
	s.wake(id)
}

// wake schedules a visit of a sync after Window. If the last attempt failed, wake waits for the
// time of the next attempt, because a change to the source does not affect the failure.
func (s *Service) wake(id store.ID) {
	when := s.now().Add(Window)
	s.mu.RLock()
	if st := s.runStates[id]; st != nil && st.backsOff() && st.current.Next.After(when) {
		when = st.current.Next
	}
	s.mu.RUnlock()
	s.scheduler.At(id, when)
}
