// Package rewrap owns the rotation of workspaces' keys and what follows from a rotation: whatever is sealed under the keys is sealed
// again, and old key versions are ruled out and destroyed. It knows nothing of what is sealed: that registers with it.
package rewrap

import (
	"context"
	"fmt"
	"slices"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Save stores how far a kind has come: the cursor to go on from, and how many records were done, and how many could not be opened
// or stored, since Save was called last.
type Save = func(cursor string, done, failed int) error

// Kind is a kind of records that are sealed under the keys of workspaces.
type Kind interface {
	// Sealed counts the records of a workspace.
	Sealed(ws store.ID) int
	// Reseal seals the records of a workspace again under its latest key version, from a cursor on; it is empty at first. A record
	// that is under that version already costs no write. Reseal returns the counts that it has not saved. After an error it is
	// called again, with the cursor saved last.
	Reseal(ctx context.Context, ws store.ID, cursor string, save Save) (done, failed int, err error)
	// Below counts, in words, the records of a workspace that need a key version below lowest, or cannot be read and so may. It
	// returns nothing where there are none.
	Below(ctx context.Context, ws store.ID, lowest uint32) ([]string, error)
}

// registered is a kind with its name in the plural, by which progress and errors name it.
type registered struct {
	Kind
	name string
}

// Service rotates the keys of one mount's workspaces.
type Service struct {
	keys  *keys.Service
	tree  *workspaces.Tree
	jobs  *jobs.Group
	kinds []registered
}

// New makes a service that nothing has registered with.
func New(k *keys.Service, tree *workspaces.Tree, group *jobs.Group) *Service {
	return &Service{keys: k, tree: tree, jobs: group}
}

// RegisterSealed has rewraps, and whatever retires keys, cover a kind of records. The name is the kind's in the plural, and is stored
// with the progress of a rewrap. RegisterSealed must be called before the service is shared.
func (s *Service) RegisterSealed(name string, k Kind) { s.kinds = append(s.kinds, registered{k, name}) }

// Rotate adds a version to a workspace's key, and has everything stored sealed again under it in the background.
func (s *Service) Rotate(ctx context.Context, call caller.Request, ws store.ID) error {
	_, err := s.keys.Rotate(ctx, call, ws, s.total(ws))
	if err == nil {
		s.start(ws)
	}
	return err
}

// Rewrap has everything stored in a workspace sealed again under the latest key version, in the background.
func (s *Service) Rewrap(ctx context.Context, _ caller.Request, ws store.ID) error {
	_, err := s.keys.BeginRewrap(ctx, ws, s.total(ws))
	if err == nil {
		s.start(ws)
	}
	return err
}

func (s *Service) total(ws store.ID) int {
	total := 0
	for _, k := range s.kinds {
		total += k.Sealed(ws)
	}
	return total
}

// Start goes on with the rewraps that a restart has interrupted, or that have failed since.
func (s *Service) Start() {
	for _, id := range s.keys.IDs() {
		if entry, _ := s.keys.Entry(id); entry.Rewrap.State == store.RewrapRunning {
			s.start(id)
		}
	}
}

// Wake tries again what is left to do, and rotates the keys that have reached their age.
func (s *Service) Wake() {
	s.Start()
	s.jobs.Start("auto-rotate", func(ctx context.Context) {
		for _, ws := range s.keys.Due() {
			_ = s.Rotate(ctx, caller.Request{}, ws) // a rotation that fails stays due
		}
	})
}

// Unlocked goes on with a rewrap that had to stop when a workspace was locked.
func (s *Service) Unlocked(ws store.ID) { s.start(ws) }

func (s *Service) start(ws store.ID) {
	s.jobs.Start("rewrap "+string(ws), func(ctx context.Context) {
		// A failure here is one of storage: the progress is stored, and Wake starts from there.
		_ = s.run(ctx, ws)
	})
}

// run goes through the kinds in the order they were registered in, from the stored cursor on. A rotation meanwhile ends this pass,
// whose progress is not that of the rewrap it begins; the next pass is that one's.
func (s *Service) run(ctx context.Context, ws store.ID) error {
	entry, ok := s.keys.Entry(ws)
	if !ok || entry.Rewrap.State != store.RewrapRunning || s.tree.Locked(ws) {
		return nil
	}
	job := entry.Rewrap
	for _, k := range s.kinds {
		if slices.Contains(job.Finished, k.name) {
			continue
		}
		done, failed, err := k.Reseal(ctx, ws, job.Cursor, func(cursor string, done, failed int) error {
			return s.save(ctx, ws, job.Target, done, failed, func(r *store.Rewrap) { r.Cursor = cursor })
		})
		if err != nil {
			return err
		}
		job.Cursor = ""
		err = s.save(ctx, ws, job.Target, done, failed, func(r *store.Rewrap) {
			r.Cursor, r.Finished = "", append(slices.Clone(r.Finished), k.name)
		})
		if err != nil {
			return err
		}
	}
	return s.keys.SaveRewrap(ctx, ws, job.Target, func(r *store.Rewrap) {
		r.Cursor, r.Finished = "", nil
		r.Total = r.Done + r.Failed // records came and went meanwhile
		if r.State = store.RewrapDone; r.Failed > 0 {
			r.State = store.RewrapFailed
		}
	})
}

func (s *Service) save(ctx context.Context, ws store.ID, target uint32, done, failed int, change func(*store.Rewrap)) error {
	return s.keys.SaveRewrap(ctx, ws, target, func(r *store.Rewrap) {
		change(r)
		r.Done += done
		r.Failed += failed
		r.Total = max(r.Total, r.Done+r.Failed)
	})
}

// Health names the rewraps that have left something behind.
func (s *Service) Health() []string {
	var wrong []string
	for _, id := range s.keys.IDs() {
		if entry, _ := s.keys.Entry(id); entry.Rewrap.State == store.RewrapFailed {
			wrong = append(wrong, fmt.Sprintf("the rewrap of workspace id %s left %d records under older key versions, because they cannot be opened or stored; mend them and rewrap again", id, entry.Rewrap.Failed))
		}
	}
	return wrong
}
