package secrets

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/stashbase/vault-stashbase/shared/keyring"
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
	plan, err := s.plan(ctx, a, in)
	if err != nil || len(plan.changes) == 0 {
		return plan.Imported, err
	}
	release, err := s.admit(ctx, a, plan.growth)
	if err != nil {
		return Imported{}, err
	}
	defer release()
	if in.DryRun {
		return plan.Imported, nil
	}
	return plan.Imported, s.commitAll(ctx, a, plan)
}

// importPlan is what an import comes to.
type importPlan struct {
	Imported
	growth
	changes []store.Change
	heads   map[string]*store.Head // before the import; nil for a new secret
	lasts   map[string]uint64      // of secrets that were removed: the number their versions had reached
}

// plan compares what is wanted with what there is, and seals what is to be stored. The caller holds the environment exclusively.
func (s *Service) plan(ctx context.Context, a at, in Import) (plan importPlan, err error) {
	heads, err := s.headsFor(ctx, a, in)
	if err != nil {
		return importPlan{}, err
	}
	lasts := make(map[string]uint64)
	for name := range in.Values {
		if heads[name] != nil {
			continue
		}
		if lasts[name], err = s.lastOf(ctx, a, name); err != nil {
			return importPlan{}, err
		}
	}
	err = s.with(ctx, a.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		plan = importPlan{heads: heads, lasts: lasts}
		for _, name := range slices.Sorted(maps.Keys(in.Values)) {
			if err := s.planValue(a, seal, &plan, name, in); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !in.Replace {
		return plan, err
	}
	for _, name := range slices.Sorted(maps.Keys(heads)) {
		head := heads[name]
		if _, wanted := in.Values[name]; wanted || head == nil {
			continue
		}
		newest := head.Newest()
		if !newest.Live(s.now()) {
			if in.RequestID != "" && newest.DeletedID == in.RequestID {
				plan.Deleted = append(plan.Deleted, name) // a replay
			}
			continue
		}
		plan.Deleted = append(plan.Deleted, name)
		plan.changes = append(plan.changes, s.deletion(name, head, in.Origin))
		plan.bytes -= size(name, head)
	}
	return plan, nil
}

func (s *Service) planValue(a at, seal *keyring.Context[keyring.SecretLocation], plan *importPlan, name string, in Import) error {
	value, head := in.Values[name], plan.heads[name]
	input := Input{Value: value, Comment: in.Comment, Origin: in.Origin}
	if err := checkValue("secrets: "+name, a.Place, input); err != nil {
		return err
	}
	if head != nil {
		newest := head.Newest()
		replayed := in.RequestID != "" && newest.RequestID == in.RequestID
		same, err := s.holds(seal, a.Place, name, head, value)
		switch {
		case err != nil:
			return err
		case replayed && newest.Number == 1:
			plan.Created = append(plan.Created, name)
			return nil
		case replayed:
			plan.Updated = append(plan.Updated, name)
			return nil
		case same:
			plan.Unchanged = append(plan.Unchanged, name)
			return nil
		}
	}
	upon := on(head)
	if head == nil {
		upon.last = plan.lasts[name]
	}
	change := s.change(a.Place, name, upon, input)
	if !in.DryRun {
		var err error
		if change.Sealed, err = sealWith(seal, name, change.Version.Number, value); err != nil {
			return err
		}
	}
	g := grown(name, head, len(value))
	plan.secrets += g.secrets
	plan.bytes += g.bytes
	plan.changes = append(plan.changes, change)
	if head == nil {
		plan.Created = append(plan.Created, name)
	} else {
		plan.Updated = append(plan.Updated, name)
	}
	return nil
}

// deletion describes a soft delete of the newest version.
func (s *Service) deletion(name string, head *store.Head, by Origin) store.Change {
	v := head.Newest()
	v.Deleted, v.DeletedBy, v.DeletedID = s.now().UTC(), by.By, by.RequestID
	return store.Change{Name: name, Version: v, IsDelete: true}
}

// holds reports whether the newest version is live text and has this value.
func (s *Service) holds(seal *keyring.Context[keyring.SecretLocation], place workspaces.Place, name string, head *store.Head, value []byte) (bool, error) {
	newest := head.Newest()
	if !newest.Live(s.now()) || newest.Encoding != store.Text || newest.Size != len(value) {
		return false, nil
	}
	current, err := open(seal, place, name, newest.Number, head.Sealed)
	if err != nil {
		return false, err
	}
	defer clear(current)
	return bytes.Equal(current, value), nil
}

// headsFor answers the heads of the secrets an import may touch: those it names, or all where it replaces.
func (s *Service) headsFor(ctx context.Context, a at, in Import) (map[string]*store.Head, error) {
	entries, err := s.snapshot(ctx, a)
	if err != nil {
		return nil, err
	}
	heads := make(map[string]*store.Head, len(entries))
	for _, entry := range entries {
		if _, named := in.Values[entry.name]; !named && !in.Replace {
			continue
		}
		if entry.err != nil {
			return nil, entry.err
		}
		heads[entry.name] = entry.head
	}
	return heads, nil
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
func (s *Service) commitAll(ctx context.Context, a at, plan importPlan) error {
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
