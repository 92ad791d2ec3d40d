package secrets

import (
	"context"
	"fmt"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Import is a write of many secrets at once.
type Import struct {
	Values  map[string][]byte // UTF-8
	Comment string            // of every version it makes
	Replace bool              // live secrets it does not name are deleted
	DryRun  bool
	Origin
}

// Imported names what an import has done to each secret, sorted.
type Imported struct{ Created, Updated, Unchanged, Deleted []string }

// Import writes many secrets, all or nothing to every reader and across a crash: the changes go into a redo log whose last chunk
// is the commit. A secret whose value is the same already gets no new version.
func (s *Service) Import(ctx context.Context, call workspaces.Call, w, p, e string, in Import) (Imported, error) {
	return s.transact(ctx, call, w, p, e, in.DryRun, func(a at) (plan, error) { return s.planImport(ctx, a, in) })
}

// transact carries out a plan for many secrets, which is made while all other writers of the environment are kept out.
func (s *Service) transact(ctx context.Context, call workspaces.Call, w, p, e string, dryRun bool, make func(at) (plan, error)) (Imported, error) {
	before, err := s.read(call, w, p, e)
	if err != nil {
		return Imported{}, err
	}
	if _, err := s.snapshot(ctx, before); err != nil { // reads what is cold before others are kept waiting
		return Imported{}, err
	}
	a, leave, err := s.write(call, w, p, e, true)
	if err != nil {
		return Imported{}, err
	}
	defer leave()
	if err := s.drain(ctx, a.EnvironmentID, a.env); err != nil {
		return Imported{}, err
	}
	made, err := make(a)
	if err != nil || len(made.changes) == 0 {
		return made.Imported, err
	}
	release, err := s.admit(ctx, a, made.growth)
	if err != nil {
		return Imported{}, err
	}
	defer release()
	if dryRun {
		return made.Imported, nil
	}
	return made.Imported, s.commitAll(ctx, a, made)
}

// chunkBytes bounds a chunk of a redo log, well under what every storage backend takes.
const chunkBytes = 400 << 10

// changeOverhead is what a change takes in a chunk beside its sealed value, at the most: its name, comment, tags and attribution.
const changeOverhead = 4 << 10

func chunks(changes []store.Change) ([]store.LogChunk, error) {
	var all []store.LogChunk
	used := 0
	for _, c := range changes {
		weight := len(c.Sealed) + changeWeight(c)
		if weight > chunkBytes+changeOverhead {
			return nil, fault.New(fault.Limit, "secrets: %s is too large for one import; write it by itself", c.Name)
		}
		if len(all) == 0 || used+weight > chunkBytes {
			all, used = append(all, store.LogChunk{}), 0
		}
		last := &all[len(all)-1]
		last.Changes = append(last.Changes, c)
		used += weight
	}
	all[len(all)-1].Chunks = len(all)
	return all, nil
}

func changeWeight(c store.Change) int {
	weight := 512 + len(c.Name) + len(c.Version.Comment) + len(c.Version.By.DisplayName) + len(c.Version.DeletedBy.DisplayName)
	for _, tag := range c.Tags {
		weight += len(tag) + 4
	}
	return weight
}

// commitAll writes the redo log, makes its changes visible at once, and has them applied in the background.
func (s *Service) commitAll(ctx context.Context, a at, plan plan) error {
	parts, err := chunks(plan.changes)
	if err != nil {
		return err
	}
	txn := &transaction{id: store.NewID(), changes: plan.changes, chunks: len(parts)}
	if err := s.storeLog(ctx, a, txn, parts); err != nil {
		return fmt.Errorf("store an import: %w", err)
	}
	a.env.announce(&s.cache, a.EnvironmentID, txn, plan.heads)
	s.startApply(a.EnvironmentID, a.env)
	return nil
}
