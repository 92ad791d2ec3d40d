package syncs

import (
	"cmp"
	"slices"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/activity"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncrun"
)

// identity returns the names of a sync for events.
func (e *syncDef) identity() activity.Sync {
	return activity.Sync{Workspace: e.names.Workspace, Project: e.names.Project, Environment: e.names.Environment, Destination: e.At.Group, Name: e.At.Name}
}

// conditionOf returns the condition that a visit has left. It is zero before the first visit.
func conditionOf(state store.SyncState) activity.Condition {
	if state.State == "" {
		return activity.Condition{}
	}
	return activity.Condition{State: state.State, Class: state.Class, NeedsPerson: NeedsPerson(State(state.State))}
}

// recordState records that the condition of a sync has changed.
func (s *Service) recordState(e *syncDef, from, to activity.Condition) {
	if event, changed := activity.OfSync(e.identity(), from, to); changed {
		s.Activity.Record(event)
	}
}

// recordDeletions records what a run has deleted at the destination.
func (s *Service) recordDeletions(e *syncDef, r syncrun.Report) {
	for _, event := range activity.OfDeletions(e.identity(), r.Deleted) {
		s.Activity.Record(event)
	}
}

// Attention is a sync that needs a person.
type Attention struct {
	Path Path
	Status
}

// Attention returns all syncs that need a person, those with the most urgent states first, and
// within a state sorted by path.
func (s *Service) Attention() []Attention {
	s.mu.RLock()
	all := slices.Collect(s.records.All())
	s.mu.RUnlock()
	var need []Attention
	for _, e := range all {
		if status := s.statusOf(e); NeedsPerson(status.State) {
			need = append(need, Attention{Path{e.names, e.At.Group, e.At.Name}, status})
		}
	}
	slices.SortFunc(need, func(a, b Attention) int {
		return cmp.Or(cmp.Compare(urgency(a.State), urgency(b.State)), cmp.Compare(a.Path.String(), b.Path.String()))
	})
	return need
}
