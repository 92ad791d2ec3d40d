package secrets

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Import is a write of many secrets at once.
type Import struct {
	Values  map[string][]byte // UTF-8
	Comment string            // of every version it makes
	Replace bool              // live secrets it does not name are deleted
	// CAS holds secrets to the version their values were made upon, as Input.CAS does for one. Where cas_required holds, whatever
	// gets a new version must stand in it.
	CAS    map[string]*uint64
	DryRun bool
}

// Imported names what an import has done to each secret, sorted.
type Imported struct{ Created, Updated, Unchanged, Deleted []string }

// Import writes many secrets, all or nothing to every reader and across a crash: the changes go into a redo log whose last chunk
// is the commit. A secret whose value is the same already gets no new version.
func (s *Service) Import(ctx context.Context, call caller.Request, path workspaces.Path, in Import) (Imported, error) {
	return s.transact(ctx, call, path, in.DryRun, func(a at) (plan, error) { return s.planImport(ctx, call, a, in) })
}

// transact carries out a plan for many secrets, which is made while all other writers of the environment are kept out.
func (s *Service) transact(ctx context.Context, call caller.Request, path workspaces.Path, dryRun bool, prepare func(at) (plan, error)) (Imported, error) {
	before, err := s.read(call, path)
	if err != nil {
		return Imported{}, err
	}
	if _, err := s.snapshot(ctx, before); err != nil { // reads what is cold before others are kept waiting
		return Imported{}, err
	}
	a, leave, err := s.write(call, path, true)
	if err != nil {
		return Imported{}, err
	}
	defer leave()
	if err := s.drain(ctx, a.EnvironmentID, a.env); err != nil {
		return Imported{}, err
	}
	made, err := prepare(a)
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
	s.changed(a.Place)
	s.startApply(a.EnvironmentID, a.env)
	return nil
}

// plan is what a write of many secrets comes to, sealed and ready to be stored. It is made while all other writers of the
// environment are kept out.
type plan struct {
	Imported
	growth
	call    caller.Request // who asks for it
	at      time.Time      // of every version it makes and every deletion: one moment
	changes []store.Change
	heads   map[string]*store.Head // before the write; nil for a new secret
	lasts   map[string]uint64      // of secrets that were removed: the number their versions had reached
}

// planImport compares what is wanted with what there is.
func (s *Service) planImport(ctx context.Context, call caller.Request, a at, in Import) (plan, error) {
	heads, err := s.headsFor(ctx, a, in)
	if err != nil {
		return plan{}, err
	}
	lasts := make(map[string]uint64)
	for name := range in.Values {
		if heads[name] != nil {
			continue
		}
		if lasts[name], err = s.lastOf(ctx, a, name); err != nil {
			return plan{}, err
		}
	}
	var made plan
	err = s.with(ctx, a.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		made = plan{call: call, at: s.now().UTC(), heads: heads, lasts: lasts}
		for _, name := range slices.Sorted(maps.Keys(in.Values)) {
			if err := s.planValue(a, seal, &made, name, in); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !in.Replace {
		return made, err
	}
	for _, name := range slices.Sorted(maps.Keys(heads)) {
		if _, wanted := in.Values[name]; !wanted && heads[name] != nil {
			planDeletion(&made, name, heads[name])
		}
	}
	return made, nil
}

// planValue adds to a plan that a secret gets a value, unless it has it.
func (s *Service) planValue(a at, seal *keyring.Context[keyring.SecretLocation], made *plan, name string, in Import) error {
	value, head := in.Values[name], made.heads[name]
	input := Input{Value: value, Comment: in.Comment}
	if err := checkValue("secrets: "+name, a.Place, input); err != nil {
		return err
	}
	if head == nil {
		if err := checkCAS(a.Place, name, head, in.CAS[name]); err != nil {
			return err
		}
		return planVersion(a, seal, made, name, base{last: made.lasts[name]}, input)
	}
	same, err := s.holds(seal, a.Place, name, head, value, store.Version{})
	switch {
	case err != nil:
		return err
	case replayed(head, made.call.ID) && head.Newest().Number == head.First:
		made.Created = append(made.Created, name)
		return nil
	case replayed(head, made.call.ID):
		made.Updated = append(made.Updated, name)
		return nil
	}
	// What a caller says to have seen must be so in any case; who changes nothing need not have said it.
	if err := checkCAS(a.Place, name, head, in.CAS[name]); err != nil && (in.CAS[name] != nil || !same) {
		return err
	}
	if same {
		made.Unchanged = append(made.Unchanged, name)
		return nil
	}
	return planVersion(a, seal, made, name, on(head), input)
}

// planVersion adds a new version to a plan.
func planVersion(a at, seal *keyring.Context[keyring.SecretLocation], made *plan, name string, upon base, in Input) error {
	change := nextVersion(made.call, a.Place, name, upon, in, made.at)
	var err error
	if change.Sealed, err = sealWith(seal, name, change.Version.Number, in.Value); err != nil {
		return err
	}
	g := grown(name, upon.head, len(in.Value))
	made.secrets += g.secrets
	made.bytes += g.bytes
	made.changes = append(made.changes, change)
	if upon.head == nil {
		made.Created = append(made.Created, name)
	} else {
		made.Updated = append(made.Updated, name)
	}
	return nil
}

// planDeletion adds to a plan that a live secret is soft-deleted.
func planDeletion(made *plan, name string, head *store.Head) {
	newest := head.Newest()
	if !newest.Live(made.at) {
		if made.call.Replays(newest.DeletedID) {
			made.Deleted = append(made.Deleted, name) // a replay
		}
		return
	}
	deleted := newest
	deleted.Deleted, deleted.DeletedBy, deleted.DeletedID = made.at, made.call.Actor, made.call.ID
	made.Deleted = append(made.Deleted, name)
	made.changes = append(made.changes, store.Change{Name: name, Version: deleted, IsDelete: true})
	made.bytes -= size(name, head)
}

// holds reports whether the newest version is live and has this value, and the encoding and references of another.
func (s *Service) holds(seal *keyring.Context[keyring.SecretLocation], place workspaces.Place, name string, head *store.Head, value []byte, like store.Version) (bool, error) {
	newest := head.Newest()
	if !newest.Live(s.now()) || newest.Encoding != like.Encoding || newest.References != like.References || newest.Size != len(value) {
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
