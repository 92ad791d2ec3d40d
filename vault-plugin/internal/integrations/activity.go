package integrations

import (
	"cmp"
	"slices"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/activity"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// NeedsPerson reports whether the credential stays unusable until a person acts: it cannot be read,
// or the provider refused it when it was last used.
func (d Described) NeedsPerson() bool { return d.State != Ready || refusedIn(d.Used) }

// refusedIn reports whether the provider refused the credential in a use. Any other failure may
// concern a single target, so it is not a state of the integration.
func refusedIn(used store.Usage) bool {
	return used.Error != nil && used.Error.Class == string(outbound.Auth)
}

// condition returns the condition of an integration for events. Without an integration, it is the
// zero value.
func (s *Service) condition(e *entry) activity.Condition {
	if e == nil {
		return activity.Condition{}
	}
	used, _ := s.usageOf(e.record)
	return e.condition(used)
}

// condition returns the condition of an integration after its last use.
func (e *entry) condition(used store.Usage) activity.Condition {
	c := activity.Condition{State: string(Ready)}
	switch {
	case e.unreadable() != "":
		c.State, c.NeedsPerson = string(Unreadable), true
	case refusedIn(used):
		c.Class, c.NeedsPerson = string(outbound.Auth), true
	}
	return c
}

// record records that the condition of an integration has changed.
func (s *Service) record(e *entry, from, to activity.Condition) {
	workspace, _ := s.Tree.Condition(e.Workspace)
	of := activity.Integration{Workspace: workspace.Name, Provider: e.provider(), Name: e.At.Name}
	if event, changed := activity.OfIntegration(of, from, to); changed {
		s.Activity.Record(event)
	}
}

// recordUnreadable records the integrations that a person must repair. It is called once, when the
// mount is started.
func (s *Service) recordUnreadable() {
	for _, e := range s.all() {
		if c := s.condition(e); c.State == string(Unreadable) {
			s.record(e, activity.Condition{}, c)
		}
	}
}

// all returns the entries of all workspaces.
func (s *Service) all() []*entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(s.records.All())
}

// Attention is an integration that needs a person. Its credential is unreadable, or the provider
// has refused it.
type Attention struct {
	Path
	State State
}

// Attention returns all integrations that need a person, sorted by path.
func (s *Service) Attention() []Attention {
	var need []Attention
	for _, e := range s.all() {
		c := s.condition(e)
		if workspace, exists := s.Tree.Condition(e.Workspace); exists && c.NeedsPerson {
			need = append(need, Attention{Path{workspace.Name, e.At.Group, e.At.Name}, State(c.State)})
		}
	}
	slices.SortFunc(need, func(a, b Attention) int { return cmp.Compare(a.String(), b.String()) })
	return need
}
