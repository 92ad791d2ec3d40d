package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"
)

// Kind is the kind of thing that an incarnation id names.
type Kind string

// The kinds that have incarnation ids.
const (
	KindWorkspace   Kind = "workspace"
	KindProject     Kind = "project"
	KindEnvironment Kind = "environment"
	KindIntegration Kind = "integration"
	KindSync        Kind = "sync"
)

// kindLayout describes where records of a kind are stored, and what is stored beneath their ids.
type kindLayout struct {
	prefix string // of the records
	nested bool   // the records are grouped in folders beneath the parent's id
	read   func(ctx context.Context, s *Store, key string) (ID, error)

	children []Kind   // kinds whose records are stored beneath the id
	folders  []string // prefixes of folders <prefix><id>/
	entries  []string // prefixes of single entries <prefix><id>
	kept     []string // prefixes of single entries that a sweep never removes
}

var layouts = map[Kind]kindLayout{
	KindWorkspace: {
		prefix: workspacePrefix, read: idOf(func(r *Workspace) ID { return r.ID }),
		children: []Kind{KindProject, KindIntegration}, kept: []string{keysPrefix},
	},
	KindProject: {
		prefix: projectPrefix, read: idOf(func(r *Project) ID { return r.ID }), children: []Kind{KindEnvironment},
	},
	KindEnvironment: {
		prefix: environmentPrefix, read: idOf(func(r *Environment) ID { return r.ID }), children: []Kind{KindSync},
		folders: []string{headPrefix, versionPrefix, logPrefix, tombstonePrefix},
	},
	KindIntegration: {
		prefix: integrationPrefix, nested: true, read: idOf(func(r *Integration) ID { return r.ID }), entries: []string{credentialPrefix},
	},
	KindSync: {
		prefix: syncPrefix, nested: true, read: idOf(func(r *Sync) ID { return r.ID }),
		folders: []string{ledgerPrefix}, entries: []string{syncStatePrefix},
	},
}

// AllKinds returns all kinds, parents before their children.
func AllKinds() []Kind {
	return []Kind{KindWorkspace, KindProject, KindEnvironment, KindIntegration, KindSync}
}

// RecordPrefix returns the storage prefix of the records of a kind, for reports.
func (k Kind) RecordPrefix() string { return layouts[k].prefix }

// BeforeCommit returns the storage key of the entry that a creation stores beneath the id before it
// stores the record. It returns "" for the kinds without such an entry.
func BeforeCommit(k Kind, id ID) string {
	switch k {
	case KindWorkspace:
		return keysKey(id)
	case KindIntegration:
		return credentialKey(id)
	default:
		return ""
	}
}

// idOf returns a function that reads the id in a record. The id is "" if there is no record.
func idOf[R any, P interface {
	*R
	record
}](id func(*R) ID) func(ctx context.Context, s *Store, key string) (ID, error) {
	return func(ctx context.Context, s *Store, key string) (ID, error) {
		found, err := get[R, P](ctx, s, key)
		if err != nil || found == nil {
			return "", err
		}
		return id(found), nil
	}
}

// recordKey returns the storage key of a record of a kind. The name has the form of Undone.Name.
func recordKey(k Kind, parent ID, name string) string {
	if k == KindWorkspace {
		return workspaceKey(name)
	}
	return layouts[k].prefix + string(parent) + "/" + name
}

// childKeys lists the storage keys of the records of a kind beneath a parent's id.
func (s *Store) childKeys(ctx context.Context, k Kind, parent ID) ([]string, error) {
	prefixes := []string{layouts[k].prefix + string(parent) + "/"}
	if layouts[k].nested {
		folders, err := s.list(ctx, prefixes[0])
		if err != nil {
			return nil, err
		}
		beneath := prefixes[0]
		prefixes = nil
		for _, folder := range folders {
			if strings.HasSuffix(folder, "/") {
				prefixes = append(prefixes, beneath+folder)
			}
		}
	}
	var keys []string
	for _, prefix := range prefixes {
		names, err := s.list(ctx, prefix)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			keys = append(keys, prefix+name)
		}
	}
	return keys, nil
}

// Sweep removes everything stored beneath an id, except a workspace's keys. It works from the
// bottom up: it removes what is stored beneath an id before the record that holds this id. An
// interrupted sweep can therefore be repeated. A damaged record hides the id that it holds. Sweep
// leaves such a record in storage, sweeps the rest, and returns ErrDamaged.
func (s *Store) Sweep(ctx context.Context, k Kind, id ID) error {
	var damaged error
	for _, child := range layouts[k].children {
		keys, err := s.childKeys(ctx, child, id)
		if err != nil {
			return err
		}
		for _, key := range keys {
			switch err := s.sweepChild(ctx, child, key); {
			case errors.Is(err, ErrDamaged):
				damaged = err
			case err != nil:
				return err
			}
		}
	}
	for _, prefix := range layouts[k].folders {
		if err := logical.ClearView(ctx, prefixed{s.storage, prefix + string(id) + "/"}); err != nil {
			return err
		}
	}
	for _, prefix := range layouts[k].entries {
		if err := s.storage.Delete(ctx, prefix+string(id)); err != nil {
			return err
		}
	}
	return damaged
}

func (s *Store) sweepChild(ctx context.Context, k Kind, key string) error {
	id, err := layouts[k].read(ctx, s, key)
	if errors.Is(err, ErrDamaged) {
		return fmt.Errorf("%s: %w", key, err)
	}
	if err != nil {
		return err
	}
	if id != "" {
		if err := s.Sweep(ctx, k, id); err != nil {
			return err
		}
	}
	return s.storage.Delete(ctx, key)
}

// Beneath describes what is stored beneath an id.
type Beneath struct {
	// Places are the prefixes, which end with a slash, and the single entries directly beneath the
	// id, sorted.
	Places []string
	Within map[ID]Kind   // the ids of all records beneath the id, at any depth
	Hidden map[Kind]bool // the kinds of damaged records beneath the id, whose own ids are unknown
}

// Beneath describes what is stored beneath an id. It opens only the records that hold other ids.
func (s *Store) Beneath(ctx context.Context, k Kind, id ID) (Beneath, error) {
	b := Beneath{Within: make(map[ID]Kind), Hidden: make(map[Kind]bool)}
	for _, child := range layouts[k].children {
		keys, err := s.childKeys(ctx, child, id)
		if err != nil {
			return b, err
		}
		if len(keys) > 0 {
			b.Places = append(b.Places, layouts[child].prefix+string(id)+"/")
		}
		for _, key := range keys {
			within, err := layouts[child].read(ctx, s, key)
			switch {
			case errors.Is(err, ErrDamaged):
				b.Hidden[child] = true
				continue
			case err != nil:
				return b, err
			case within == "":
				continue // the record was removed after it was listed
			}
			below, err := s.Beneath(ctx, child, within)
			if err != nil {
				return b, err
			}
			b.Within[within] = child
			maps.Copy(b.Within, below.Within)
			maps.Copy(b.Hidden, below.Hidden)
		}
	}
	for _, prefix := range layouts[k].folders {
		names, err := s.list(ctx, prefix+string(id)+"/")
		if err != nil {
			return b, err
		}
		if len(names) > 0 {
			b.Places = append(b.Places, prefix+string(id)+"/")
		}
	}
	for _, prefix := range slices.Concat(layouts[k].entries, layouts[k].kept) {
		entry, err := s.storage.Get(ctx, prefix+string(id))
		if err != nil {
			return b, err
		}
		if entry != nil {
			b.Places = append(b.Places, prefix+string(id))
		}
	}
	slices.Sort(b.Places)
	return b, nil
}

// Parents lists, by kind, the ids beneath which anything is stored.
func (s *Store) Parents(ctx context.Context) (map[Kind][]ID, error) {
	all := make(map[Kind][]ID)
	for _, k := range AllKinds() {
		folders := slices.Clone(layouts[k].folders)
		for _, child := range layouts[k].children {
			folders = append(folders, layouts[child].prefix)
		}
		for _, prefix := range folders {
			ids, err := s.children(ctx, prefix)
			if err != nil {
				return nil, err
			}
			all[k] = append(all[k], ids...)
		}
		for _, prefix := range slices.Concat(layouts[k].entries, layouts[k].kept) {
			names, err := s.list(ctx, prefix)
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				all[k] = append(all[k], ID(name))
			}
		}
		slices.Sort(all[k])
		all[k] = slices.Compact(all[k])
	}
	return all, nil
}

// prefixed is the part of the storage under a prefix, in the form that the SDK's recursive deletion
// takes.
type prefixed struct {
	logical.Storage
	prefix string
}

func (p prefixed) List(ctx context.Context, prefix string) ([]string, error) {
	return p.Storage.List(ctx, p.prefix+prefix)
}

func (p prefixed) Delete(ctx context.Context, key string) error {
	return p.Storage.Delete(ctx, p.prefix+key)
}
