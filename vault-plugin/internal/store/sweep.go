package store

import (
	"context"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"
)

// Known is what a sweep must not touch: the ids of everything that has a record.
type Known struct {
	Workspace   func(ID) bool
	Project     func(ID) bool
	Environment func(ID) bool
	Integration func(ID) bool
	Sync        func(ID) bool
}

// Orphans lists the prefixes, and the entries, of everything whose parent has no record. known is asked only after the listing: what is created
// meanwhile has its record, and is known, before anything is stored beneath it.
func (s *Store) Orphans(ctx context.Context, known Known) ([]string, error) {
	kinds := []struct {
		prefix string
		known  func(ID) bool
	}{
		{projectPrefix, known.Workspace},
		{environmentPrefix, known.Project},
		{headPrefix, known.Environment},
		{versionPrefix, known.Environment},
		{logPrefix, known.Environment},
		{tombstonePrefix, known.Environment},
		{integrationPrefix, known.Workspace},
		{syncPrefix, known.Environment},
		{ledgerPrefix, known.Sync},
	}
	var orphans []string
	for _, kind := range kinds {
		ids, err := s.children(ctx, kind.prefix)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			if !kind.known(id) {
				orphans = append(orphans, kind.prefix+string(id)+"/")
			}
		}
	}
	credentials, err := s.list(ctx, credentialPrefix)
	if err != nil {
		return nil, err
	}
	for _, name := range credentials {
		if id := ID(name); !known.Integration(id) {
			orphans = append(orphans, credentialKey(id))
		}
	}
	states, err := s.list(ctx, syncStatePrefix)
	for _, name := range states {
		if id := ID(name); !known.Sync(id) {
			orphans = append(orphans, syncStateKey(id))
		}
	}
	return orphans, err
}

// Remove deletes what Orphans answered: an entry, or everything under a prefix that ends with a slash.
func (s *Store) Remove(ctx context.Context, prefix string) error {
	if !strings.HasSuffix(prefix, "/") {
		return s.storage.Delete(ctx, prefix)
	}
	return logical.ClearView(ctx, prefixed{s.storage, prefix})
}

// prefixed is the part of the storage under a prefix, in the form the SDK's recursive deletion takes.
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
