package secrets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Secret is one version of a secret with its value.
type Secret struct {
	Name    string
	Version store.Version
	Tags    []string
	Value   []byte // nil for a version that is deleted or destroyed
}

// Read answers one version of a secret, the newest where version is 0. A version that is deleted or
// destroyed is answered without its value.
func (s *Service) Read(ctx context.Context, call caller.Request, path workspaces.Path, name string, version uint64) (Secret, error) {
	a, err := s.read(call, path)
	if err != nil {
		return Secret{}, err
	}
	head, err := s.head(ctx, a, name)
	if err != nil {
		return Secret{}, err
	}
	if head == nil {
		return Secret{}, errNoSecret(a.Place, name)
	}
	meta := head.Newest()
	if version != 0 {
		var kept bool
		if meta, kept = head.Version(version); !kept {
			return Secret{}, fault.Missing("version %d of secret %s of %s does not exist or is no longer kept", version, name, a.Path())
		}
	}
	secret := Secret{Name: name, Version: meta, Tags: head.Tags}
	if !meta.Live(s.now()) {
		return secret, nil
	}
	sealed, err := s.sealedValue(ctx, a, name, head, meta.Number)
	if err != nil {
		return Secret{}, err
	}
	err = s.with(ctx, a.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		secret.Value, err = open(seal, a.Place, name, meta.Number, sealed)
		return err
	})
	return secret, err
}

// sealedValue returns the envelope of a kept version: from its head, or with one storage read.
func (s *Service) sealedValue(ctx context.Context, a at, name string, head *store.Head, n uint64) ([]byte, error) {
	if sealed, inline := head.Value(n); inline {
		return sealed, nil
	}
	sealed, err := s.storedOldValue(ctx, a, name, n)
	if err != nil || sealed != nil {
		return sealed, err
	}
	return nil, s.whyGone(ctx, a, name, n)
}

// whyGone returns why a version that was kept a moment ago has no value under ver/.
func (s *Service) whyGone(ctx context.Context, a at, name string, n uint64) error {
	head, err := s.store.Head(ctx, a.EnvironmentID, name)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return fmt.Errorf("read a secret: %w", err)
	}
	if !a.env.has(name) || head != nil && head.Dying {
		return errNoSecret(a.Place, name)
	}
	if head != nil {
		if v, kept := head.Version(n); !kept || v.Destroyed {
			return fault.Missing("version %d of secret %s of %s is no longer kept", n, name, a.Path())
		}
	}
	return errUnopened(a.Place, name, n)
}

func (s *Service) storedOldValue(ctx context.Context, a at, name string, n uint64) ([]byte, error) {
	old, err := s.store.OldValue(ctx, a.EnvironmentID, name, n)
	switch {
	case errors.Is(err, store.ErrDamaged):
		return nil, errUnopened(a.Place, name, n)
	case err != nil:
		return nil, fmt.Errorf("read an old version: %w", err)
	case old == nil:
		return nil, nil
	}
	return old.Sealed, nil
}

// Metadata is what is known of a secret without its value.
type Metadata struct {
	Name     string
	Versions []store.Version // kept ones, oldest first; none where the entry is damaged
	Tags     []string
	Custom   map[string]string
	Settings store.SecretSettings
	Damaged  bool
}

func metadata(name string, head *store.Head) Metadata {
	return Metadata{Name: name, Versions: head.Versions, Tags: head.Tags, Custom: head.Metadata, Settings: head.Settings}
}

// Newest is the metadata of the newest version; false where the entry is damaged.
func (m Metadata) Newest() (store.Version, bool) {
	if m.Damaged {
		return store.Version{}, false
	}
	return m.Versions[len(m.Versions)-1], true
}

// MetadataOf answers the history of one secret.
func (s *Service) MetadataOf(ctx context.Context, call caller.Request, path workspaces.Path, name string) (Metadata, error) {
	a, err := s.read(call, path)
	if err != nil {
		return Metadata{}, err
	}
	head, err := s.head(ctx, a, name)
	if err != nil {
		return Metadata{}, err
	}
	if head == nil {
		return Metadata{}, errNoSecret(a.Place, name)
	}
	return metadata(name, head), nil
}

// Metadata answers what is known of every secret of an environment, by name. A damaged entry hides no other.
func (s *Service) Metadata(ctx context.Context, call caller.Request, path workspaces.Path) ([]Metadata, error) {
	a, err := s.read(call, path)
	if err != nil {
		return nil, err
	}
	entries, err := s.snapshot(ctx, a)
	if err != nil {
		return nil, err
	}
	all := make([]Metadata, len(entries))
	for i, entry := range entries {
		if entry.err != nil {
			all[i] = Metadata{Name: entry.name, Damaged: true}
			continue
		}
		all[i] = metadata(entry.name, entry.head)
	}
	return all, nil
}

// Describe changes what a secret carries beside its versions: tags, custom metadata and its own settings. A lower max_versions
// prunes at once.
func (s *Service) Describe(ctx context.Context, call caller.Request, path workspaces.Path, name string, change func(*Metadata)) (Metadata, error) {
	a, head, leave, err := s.enter(ctx, call, path, name, ignored)
	if err != nil {
		return Metadata{}, err
	}
	defer leave()
	wanted := metadata(name, head)
	change(&wanted)
	if err := checkDescription(wanted); err != nil {
		return Metadata{}, err
	}
	next := *head
	next.Tags, next.Metadata, next.Settings = wanted.Tags, wanted.Custom, wanted.Settings
	keep := a.Settings.MaxVersions
	if own := wanted.Settings.MaxVersions; own != 0 {
		keep = own
	}
	cut(&next, keep)
	stored, err := s.replace(ctx, a, name, &next)
	if err != nil {
		return Metadata{}, err
	}
	return metadata(name, stored), nil
}

func checkDescription(m Metadata) error {
	if err := checkTags(m.Tags); err != nil {
		return err
	}
	if err := workspaces.CheckMetadata("custom_metadata", m.Custom); err != nil {
		return err
	}
	if n := m.Settings.MaxVersions; n != 0 {
		if err := settings.MaxVersions.Check("max_versions", n); err != nil {
			return err
		}
	}
	if after := m.Settings.DeleteVersionAfter; after > settings.MaxDeleteVersionAfter || after < -time.Second {
		return fault.New(fault.Invalid, "delete_version_after: must be at most %d days, or -1s for never", settings.MaxDeleteVersionAfter/(24*time.Hour))
	}
	return nil
}

// Exists reports from memory whether a secret exists, soft-deleted or not.
func (s *Service) Exists(path workspaces.Path, name string) bool {
	a, err := s.read(caller.Request{}, path)
	return err == nil && a.env.has(name)
}
