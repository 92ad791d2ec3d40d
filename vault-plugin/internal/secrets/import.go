package secrets

import (
	"context"
	"crypto/subtle"
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
	Comment string            // of every new version
	Replace bool              // delete the live secrets that Values does not name
	// CAS gives, by secret, the version that the value was based on, as Input.CAS does for one
	// secret. If cas_required is set, every secret that gets a new version must have an element.
	CAS map[string]*uint64
	// References is Input.References for every secret of the import.
	References *bool
	// Confirm is the name of the environment. Replace requires it if the import deletes much.
	Confirm string
	DryRun  bool
}

// Imported lists what an import does to each secret, sorted by name.
type Imported struct{ Created, Updated, Unchanged, Deleted []string }

// Import writes many secrets, all or nothing to every reader and across a crash. The changes go
// into a redo log, whose last chunk is the commit. A secret that already has the value gets no new
// version.
func (s *Service) Import(ctx context.Context, call caller.Request, path workspaces.Path, in Import) (Imported, error) {
	return s.transact(ctx, call, path, in.DryRun, func(loc located) (plan, error) { return s.planImport(ctx, call, loc, in) })
}

// transact makes and carries out a plan for many secrets. All other writers of the environment are
// excluded while prepare makes the plan.
func (s *Service) transact(ctx context.Context, call caller.Request, path workspaces.Path, dryRun bool, prepare func(located) (plan, error)) (Imported, error) {
	before, err := s.locate(call, path)
	if err != nil {
		return Imported{}, err
	}
	// Cold heads are read before other writers have to wait.
	if _, err := s.snapshot(ctx, before); err != nil {
		return Imported{}, err
	}
	loc, unlock, err := s.lockEnvironment(call, path, true)
	if err != nil {
		return Imported{}, err
	}
	defer unlock()
	if err := s.drain(ctx, loc.EnvironmentID, loc.env); err != nil {
		return Imported{}, err
	}
	made, err := prepare(loc)
	if err != nil || len(made.changes) == 0 {
		return made.Imported, err
	}
	release, err := s.admit(ctx, loc, made.growth)
	if err != nil {
		return Imported{}, err
	}
	defer release()
	if dryRun {
		return made.Imported, nil
	}
	return made.Imported, s.commitAll(ctx, loc, made)
}

// chunkBytes bounds the size of a chunk of a redo log. It is well below the limit of every storage
// backend.
const chunkBytes = 400 << 10

// changeOverhead is the most that a change adds to a chunk besides its sealed value: its name,
// comment, tags and actors.
const changeOverhead = 4 << 10

func chunks(changes []store.Change) ([]store.LogChunk, error) {
	var all []store.LogChunk
	used := 0
	for _, c := range changes {
		weight := len(c.Sealed) + changeWeight(c)
		if weight > chunkBytes+changeOverhead {
			return nil, fault.New(fault.Limit, "secrets: %s is too large for an import; write it in a request of its own", c.Name)
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

// commitAll writes the redo log, makes all its changes visible at one moment, and starts applying
// them in the background.
func (s *Service) commitAll(ctx context.Context, loc located, plan plan) error {
	parts, err := chunks(plan.changes)
	if err != nil {
		return err
	}
	txn := &transaction{id: store.NewID(), changes: plan.changes, chunks: len(parts)}
	if err := s.storeLog(ctx, loc, txn, parts); err != nil {
		return fmt.Errorf("store an import: %w", err)
	}
	loc.env.publishTransaction(&s.cache, loc.EnvironmentID, txn, plan.heads)
	s.notify(loc.Place)
	s.startApply(loc.EnvironmentID, loc.env)
	return nil
}

// plan is a write of many secrets, sealed and ready to be stored. It is made while all other
// writers of the environment are excluded.
type plan struct {
	Imported
	growth
	call    caller.Request // the request that makes the plan
	at      time.Time      // the time of all its versions and deletions
	changes []store.Change
	heads   map[string]*store.Head // before the write; nil for a new secret
	lasts   map[string]uint64      // the last version number of purged secrets
}

// planImport compares the wanted values with the stored ones.
func (s *Service) planImport(ctx context.Context, call caller.Request, loc located, in Import) (plan, error) {
	heads, err := s.headsFor(ctx, loc, in)
	if err != nil {
		return plan{}, err
	}
	lasts := make(map[string]uint64)
	for name := range in.Values {
		if heads[name] != nil {
			continue
		}
		if lasts[name], err = s.lastOf(ctx, loc, name); err != nil {
			return plan{}, err
		}
	}
	var made plan
	err = s.withEncryption(ctx, loc.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		made = plan{call: call, at: s.now().UTC(), heads: heads, lasts: lasts}
		for _, name := range slices.Sorted(maps.Keys(in.Values)) {
			if err := s.planValue(loc, seal, &made, name, in); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return plan{}, err
	}
	if in.Replace {
		if err := planDeletions(&made, loc.Place, in); err != nil {
			return plan{}, err
		}
	}
	return made, s.planTargets(ctx, call, loc, &made, in)
}

// planValue extends a plan so that a secret gets a value. A secret that has the value stays
// unchanged.
func (s *Service) planValue(loc located, seal *keyring.Context[keyring.SecretLocation], made *plan, name string, in Import) error {
	value, head := in.Values[name], made.heads[name]
	input := Input{Value: value, Comment: in.Comment, References: in.References}.after(head)
	if err := checkValue("secrets: "+name, loc.Place, input); err != nil {
		return err
	}
	if head == nil {
		if err := checkCAS(loc.Place, name, head, in.CAS[name]); err != nil {
			return err
		}
		return planVersion(loc, seal, made, name, previous{last: made.lasts[name]}, input)
	}
	same, err := s.holds(seal, loc.Place, name, head, value, store.Version{References: input.refers()})
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
	// If the caller gives a version, it must be right in any case. A caller that changes nothing
	// need not give one.
	if err := checkCAS(loc.Place, name, head, in.CAS[name]); err != nil && (in.CAS[name] != nil || !same) {
		return err
	}
	if same {
		made.Unchanged = append(made.Unchanged, name)
		return nil
	}
	return planVersion(loc, seal, made, name, previousOf(head), input)
}

// planVersion adds a new version to a plan.
func planVersion(loc located, seal *keyring.Context[keyring.SecretLocation], made *plan, name string, prev previous, in Input) error {
	change := nextVersion(made.call, loc.Place, name, prev, in, made.at)
	made.growth = made.plus(growthOf(name, prev, change))
	var err error
	if change.Sealed, err = sealWith(seal, name, change.Version.Number, in.Value); err != nil {
		return err
	}
	made.changes = append(made.changes, change)
	if prev.head == nil {
		made.Created = append(made.Created, name)
	} else {
		made.Updated = append(made.Updated, name)
	}
	return nil
}

// planTargets checks the references of the new versions as they will be after the import, and stores
// their targets with the versions.
func (s *Service) planTargets(ctx context.Context, call caller.Request, loc located, made *plan, in Import) error {
	proposed := &proposal{env: loc.EnvironmentID, values: make(map[string]proposedValue), gone: make(map[string]bool)}
	refers := false
	for _, change := range made.changes {
		if change.IsDelete {
			proposed.gone[change.Name] = true
			continue
		}
		proposed.values[change.Name] = proposedValue{in.Values[change.Name], store.Version{References: change.Version.References}}
		refers = refers || change.Version.References
	}
	if !refers {
		return nil
	}
	targets, err := s.checkProposal(ctx, call, loc, proposed)
	if err != nil {
		return err
	}
	for i := range made.changes {
		made.changes[i].Version.Targets = targets[made.changes[i].Name]
	}
	return nil
}

// planDeletion adds the soft deletion of a live secret to a plan.
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
	made.bytes -= len(name) + newest.Size
}

// holds reports whether the newest version is live and has this value, with the encoding and the
// references of like.
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
	return subtle.ConstantTimeCompare(current, value) == 1, nil
}

// headsFor returns the heads of the secrets that an import may change: the named ones, or all if
// the import replaces.
func (s *Service) headsFor(ctx context.Context, loc located, in Import) (map[string]*store.Head, error) {
	all, err := s.snapshot(ctx, loc)
	if err != nil {
		return nil, err
	}
	heads := make(map[string]*store.Head, len(all))
	for _, h := range all {
		if _, named := in.Values[h.name]; !named && !in.Replace {
			continue
		}
		if h.err != nil {
			return nil, h.err
		}
		heads[h.name] = h.head
	}
	return heads, nil
}

// fewSecrets is the largest number of secrets of an environment of which an import may delete more
// than half without confirmation.
const fewSecrets = 10

// planDeletions extends the plan of an import with mode=replace by the deletions of the live secrets
// that the import does not name. An empty or wrong file would delete most of an environment, so the
// caller must then confirm it. A dry run needs no confirmation.
func planDeletions(made *plan, place workspaces.Place, in Import) error {
	live, before := 0, len(made.changes)
	for _, name := range slices.Sorted(maps.Keys(made.heads)) {
		head := made.heads[name]
		if head == nil {
			continue
		}
		if head.Newest().Live(made.at) {
			live++
		}
		if _, wanted := in.Values[name]; !wanted {
			planDeletion(made, name, head)
		}
	}
	deletes := len(made.changes) - before
	if in.DryRun || in.Confirm == place.Environment || !doubtful(deletes, live, place.Production) {
		return nil
	}
	return fault.New(fault.Conflict, "confirm: this import would delete %d of the %d secrets of environment %s; check it with dry_run=true, and to delete them, repeat the environment's name: confirm=%s",
		deletes, live, place.Path(), place.Environment)
}

// doubtful reports whether an import that deletes some of the live secrets of an environment is more
// likely a mistake than a wish.
func doubtful(deletes, live int, production bool) bool {
	return deletes > 0 && (production || deletes == live || live > fewSecrets && 2*deletes > live)
}
