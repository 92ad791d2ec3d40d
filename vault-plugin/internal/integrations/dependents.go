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
	Place       provider.Place // of its target; the zero value where this version does not know the destination
	Entry       string         // a name such as its entries have there
}

// AddDependents registers f, which lists the syncs that use an integration. The integration cannot
// be deleted while there are any. A sync begins to use one while Tree.Change holds back other
// changes to the workspace. AddDependents must be called before the service is shared.
func (s *Service) AddDependents(f func(integration store.ID) []Dependent) { s.dependents.Add(f) }

// dependentsOf returns the syncs that use an integration, sorted by name.
func (s *Service) dependentsOf(id store.ID) []Dependent {
	all := s.dependents.Of(id)
	slices.SortFunc(all, func(a, b Dependent) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (s *Service) syncsOf(id store.ID) []string {
	var names []string
	for _, user := range s.dependentsOf(id) {
		names = append(names, user.Name)
	}
	return names
}
