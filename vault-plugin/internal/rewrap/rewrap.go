// Package rewrap owns the rotation of workspaces' keys and its consequences. After a rotation,
// everything sealed under the keys is sealed again; old key versions can then be excluded and
// destroyed. The package does not know the sealed records: their owners register with it.
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

// Save stores the progress of a kind. cursor is where to continue. done counts the records sealed
// since the last call of Save, and failed those that could not be opened or stored.
type Save = func(cursor string, done, failed int) error

// Kind is a kind of record that is sealed under workspaces' keys.
type Kind interface {
	// Sealed returns the number of a workspace's records.
	Sealed(ws store.ID) int
	// Reseal seals a workspace's records again under its latest key version, starting at cursor,
	// which is empty at first. It does not write a record that is already under that version.
	// Reseal returns the counts that it has not passed to save. After an error, Reseal is called
	// again with the last saved cursor.
	Reseal(ctx context.Context, ws store.ID, cursor string, save Save) (done, failed int, err error)
	// Below returns, in words, how many of a workspace's records need a key version below lowest.
	// An unreadable record counts, because it may need one. Below returns nothing if there are no
	// such records.
	Below(ctx context.Context, ws store.ID, lowest uint32) ([]string, error)
}

// registered is a kind and its plural name, which progress and errors use.
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

// New returns a service without registered kinds.
func New(k *keys.Service, tree *workspaces.Tree, group *jobs.Group) *Service {
	return &Service{keys: k, tree: tree, jobs: group}
}

// RegisterSealed adds a kind of record to rewraps and to key retirement. name is the plural name of
// the kind; it is stored with the progress of a rewrap. RegisterSealed must be called before the
// service is shared.
func (s *Service) RegisterSealed(name string, k Kind) { s.kinds = append(s.kinds, registered{k, name}) }

// Rotate adds a version to a workspace's key, and starts a background job that seals everything in
// the workspace again under it.
func (s *Service) Rotate(ctx context.Context, call caller.Request, ws store.ID) error {
	_, err := s.keys.Rotate(ctx, call, ws, s.total(ws))
	if err == nil {
		s.start(ws)
	}
	return err
}

// Rewrap starts a background job that seals everything in a workspace again under the latest key
// version.
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

// Start continues the rewraps that a restart interrupted or that stopped with an error.
func (s *Service) Start() {
	for _, id := range s.keys.IDs() {
		if entry, _ := s.keys.Entry(id); entry.Rewrap.State == store.RewrapRunning {
			s.start(id)
		}
	}
}

// Wake continues unfinished rewraps, and rotates the keys that have reached their maximum age.
func (s *Service) Wake() {
	s.Start()
	s.jobs.Start("auto-rotate", func(ctx context.Context) {
		for _, ws := range s.keys.Due() {
			_ = s.Rotate(ctx, caller.Request{}, ws) // a rotation that fails stays due
		}
	})
}

// Unlocked continues the rewraps that stopped when the workspace was locked: that of what the keys
// seal, and that of the keys under a new master key.
func (s *Service) Unlocked(ws store.ID) {
	s.start(ws)
	s.keys.Start()
}

func (s *Service) start(ws store.ID) {
	s.jobs.Start("rewrap "+string(ws), func(ctx context.Context) {
		// An error here is a storage error. The progress is stored, and Wake continues from it.
		_ = s.run(ctx, ws)
	})
}

// run processes the kinds in the order of their registration, from the stored cursor. A rotation
// during the pass ends the pass, because the rotation begins another rewrap. The next pass
// processes that rewrap.
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
		r.Total = r.Done + r.Failed // records were created and removed meanwhile
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

// Health describes the rewraps that left records under older key versions.
func (s *Service) Health() []string {
	var wrong []string
	for _, id := range s.keys.IDs() {
		if entry, _ := s.keys.Entry(id); entry.Rewrap.State == store.RewrapFailed {
			wrong = append(wrong, fmt.Sprintf("the rewrap of workspace id %s left %d records under older key versions, because they cannot be opened or stored; repair them and start the rewrap again", id, entry.Rewrap.Failed))
		}
	}
	return wrong
}
