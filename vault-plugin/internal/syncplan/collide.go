package syncplan

import (
	"strings"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/nametemplate"
)

// Writer is everything that decides which objects of a destination a sync writes to.
type Writer struct {
	Host   string // of the target
	Object provider.ServiceObject
	Namer  nametemplate.Namer
	Fold   func(string) string // see provider.Destination
	Limits provider.Limits
}

// Collide reports whether two syncs could undo each other's writes: both could write an entry of
// the same name to the same object, or one could replace an object that the other one writes to.
// object is the path of that object, or "" if the syncs write to the same place. Like
// nametemplate.Overlap, Collide spends work, and may return Meet for syncs that never collide.
func Collide(a, b Writer, work *nametemplate.Work) (object string, verdict nametemplate.Verdict) {
	switch {
	case a.Host != b.Host:
		return "", nametemplate.Apart
	case a.Object == b.Object:
		return "", nametemplate.Overlap(a.Namer, b.Namer, b.Fold, work)
	case a.Object.PerEntry == b.Object.PerEntry:
		return "", nametemplate.Apart
	case b.Object.PerEntry:
		a, b = b, a
	}
	name, inside := strings.CutPrefix(b.Object.Path, a.Object.Path+"/")
	if !inside {
		return "", nametemplate.Apart
	}
	return b.Object.Path, a.writes(name, work)
}

// writes reports whether the sync could write an entry of the given name.
func (w Writer) writes(name string, work *nametemplate.Work) nametemplate.Verdict {
	if w.Fold != nil {
		name = w.Fold(name)
	}
	l := w.Limits
	if l.Name != nil && !l.Name.MatchString(name) || l.MaxNameBytes != 0 && len(name) > l.MaxNameBytes {
		return nametemplate.Apart
	}
	return nametemplate.Overlap(w.Namer, nametemplate.Namer{Include: []string{name}}, w.Fold, work)
}
