package syncs

import (
	"errors"
	"reflect"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/nametemplate"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
)

// maxComparisons bounds how often a write compares its sync again because other syncs were changed
// meanwhile.
const maxComparisons = 5

// errNotCompared means that syncs were changed after a comparison.
var errNotCompared = errors.New("the sync was not compared with all syncs as they are now")

// comparison is the knowledge that no other sync can write an entry that a sync can write. It is
// made without a lock, because the patterns of a tenant decide how long it takes. The write, which
// holds the lock of the workspace, then checks only that the comparison still holds.
type comparison struct {
	next   *store.Sync          // the sync that was compared
	others map[*store.Sync]bool // the syncs to the same service that it was compared with
}

// compareDraft compares a sync as c would leave it with the other syncs of its workspace. It fails
// if they overlap.
func (s *Service) compareDraft(call caller.Request, path Path, mustExist bool, c Change) (comparison, error) {
	loc, before, err := s.find(call, path)
	if err != nil || before != nil && call.Replays(before.record.Stamp.RequestID) {
		return comparison{}, err
	}
	if err := s.checkPut(call, loc, path, before, mustExist); err != nil {
		return comparison{}, err
	}
	next, err := s.draft(call, loc, path, before, c)
	if err != nil {
		return comparison{}, err
	}
	return s.compare(next)
}

// compare fails if another sync of the workspace could write an entry that next could write, or could
// replace an object that next writes to.
func (s *Service) compare(next *syncDef) (comparison, error) {
	known := comparison{next: next.record, others: make(map[*store.Sync]bool)}
	work := nametemplate.NewWork(nametemplate.MaxWork)
	for _, other := range s.inWorkspace(next.Workspace) {
		if !other.concerns(next) {
			continue
		}
		object, verdict := syncplan.Collide(other.writer(), next.writer(), work)
		switch {
		case verdict == nametemplate.Unknown:
			return known, fault.New(fault.Limit, "include: this sync and sync %s write to the same service and may write the same entries; their patterns are too many or too long to compare; use fewer and shorter patterns, or a fixed prefix in name_template", other.path())
		case verdict == nametemplate.Meet && object == "":
			return known, fault.New(fault.Conflict, "sync %s has the same target, and both syncs could write entries of the same name; separate the names with include, exclude or name_template", other.path())
		case verdict == nametemplate.Meet:
			return known, fault.New(fault.Conflict, "sync %s and this sync could both write %s at the destination, and one would replace what the other has written; use another target, or exclude the secret that has the name of the other target", other.path(), object)
		}
		known.others[other.record] = true
	}
	return known, nil
}

// concerns reports whether another sync writes to the same service, so that the two have to be
// compared.
func (e *syncDef) concerns(next *syncDef) bool {
	return e.At != next.At && !e.unsupported && e.record.Target.Host == next.record.Target.Host
}

// writer returns what decides which objects the sync writes to.
func (e *syncDef) writer() syncplan.Writer {
	target := provider.Target{Host: e.record.Target.Host, Path: e.record.Target.Path}
	return syncplan.Writer{
		Host: target.Host, Object: e.declared.Object(target, provider.Granularity(e.record.Granularity)),
		Namer: e.namer(), Fold: e.declared.Fold, Limits: e.declared.Limits,
	}
}

// covers reports whether a comparison holds for next and for all syncs of its workspace. The caller
// holds the workspace's change lock.
func (s *Service) covers(known comparison, next *syncDef) bool {
	if known.next == nil || !sameDefinition(known.next, next.record) {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for other := range s.records.In(next.Workspace) {
		if other.concerns(next) && !known.others[other.record] {
			return false
		}
	}
	return true
}

// sameDefinition reports whether two drafts of one write define the same sync.
func sameDefinition(a, b *store.Sync) bool {
	x, y := *a, *b
	x.ID, x.Stamp, x.Definition = "", store.Stamp{}, nil
	y.ID, y.Stamp, y.Definition = "", store.Stamp{}, nil
	return reflect.DeepEqual(x, y)
}
