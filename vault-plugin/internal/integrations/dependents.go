package integrations

import (
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Dependent is a sync that uses an integration.
type Dependent struct {
	Name        string         // project/environment/destination/name
	Environment string         // project/environment
	Target      string         // path of its target
	Place       provider.Place // of its target; zero if the destination is unsupported
	Entry       string         // an example of its entries' names at the target
}

// AddDependents registers f, which lists the syncs that use an integration. The integration cannot
// be deleted while there are any. A sync may start to use an integration only while Tree.Change
// holds back other changes to the workspace. AddDependents must be called before the service is
// shared.
func (s *Service) AddDependents(f func(integration store.ID) []Dependent) { s.dependents.Add(f) }

// dependentsOf returns the syncs that use an integration, sorted by name.
func (s *Service) dependentsOf(id store.ID) []Dependent {
	all := s.dependents.Of(id)
	slices.SortFunc(all, func(a, b Dependent) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// syncsOf returns the names of the syncs that use an integration, sorted.
func (s *Service) syncsOf(id store.ID) []string {
	var names []string
	for _, d := range s.dependentsOf(id) {
		names = append(names, d.Name)
	}
	return names
}
