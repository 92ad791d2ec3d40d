package secrets

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// plan is what a write of many secrets comes to, sealed and ready to be stored. It is made while all other writers of the
// environment are kept out.
type plan struct {
	Imported
	growth
	at      time.Time // of every version it makes and every deletion: one moment
	changes []store.Change
	heads   map[string]*store.Head // before the write; nil for a new secret
	lasts   map[string]uint64      // of secrets that were removed: the number their versions had reached
}

// planImport compares what is wanted with what there is.
func (s *Service) planImport(ctx context.Context, a at, in Import) (plan, error) {
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
		made = plan{at: s.now().UTC(), heads: heads, lasts: lasts}
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
			planDeletion(&made, name, heads[name], in.Origin)
		}
	}
	return made, nil
}

// planValue adds to a plan that a secret gets a value, unless it has it.
func (s *Service) planValue(a at, seal *keyring.Context[keyring.SecretLocation], made *plan, name string, in Import) error {
	value, head := in.Values[name], made.heads[name]
	input := Input{Value: value, Comment: in.Comment, Origin: in.Origin}
	if err := checkValue("secrets: "+name, a.Place, input); err != nil {
		return err
	}
	if head == nil {
		return planVersion(a, seal, made, name, base{last: made.lasts[name]}, input)
	}
	same, err := s.holds(seal, a.Place, name, head, value, store.Version{})
	switch {
	case err != nil:
		return err
	case replayed(head, in.RequestID) && head.Newest().Number == head.First:
		made.Created = append(made.Created, name)
		return nil
	case replayed(head, in.RequestID):
		made.Updated = append(made.Updated, name)
		return nil
	case same:
		made.Unchanged = append(made.Unchanged, name)
		return nil
	}
	return planVersion(a, seal, made, name, on(head), input)
}

// planVersion adds a new version to a plan.
func planVersion(a at, seal *keyring.Context[keyring.SecretLocation], made *plan, name string, upon base, in Input) error {
	change := nextVersion(a.Place, name, upon, in, made.at)
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
func planDeletion(made *plan, name string, head *store.Head, by Origin) {
	newest := head.Newest()
	if !newest.Live(made.at) {
		if by.RequestID != "" && newest.DeletedID == by.RequestID {
			made.Deleted = append(made.Deleted, name) // a replay
		}
		return
	}
	deleted := newest
	deleted.Deleted, deleted.DeletedBy, deleted.DeletedID = made.at, by.By, by.RequestID
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
