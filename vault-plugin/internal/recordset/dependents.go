package recordset

import (
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Dependents lists what depends on a record. The record cannot be deleted while anything does. The
// zero value lists nothing.
type Dependents[D any] struct{ lists []func(id store.ID) []D }

// Add registers a function that lists dependents of the record with an id. It must be called before
// the service is shared.
func (d *Dependents[D]) Add(list func(id store.ID) []D) { d.lists = append(d.lists, list) }

// Of returns all dependents of the record with an id.
func (d *Dependents[D]) Of(id store.ID) []D {
	var all []D
	for _, list := range d.lists {
		all = append(all, list(id)...)
	}
	return all
}

// maxNamed bounds the dependents that an error names.
const maxNamed = 5

// Some returns the first names of a list for an error, and whether there are others.
func Some(names []string) string {
	if len(names) > maxNamed {
		return strings.Join(names[:maxNamed], ", ") + ", and others"
	}
	return strings.Join(names, ", ")
}
