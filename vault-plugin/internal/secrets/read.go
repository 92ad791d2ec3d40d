package secrets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	Value   []byte // nil if the version is deleted or destroyed
}

// Read returns one version of a secret; version 0 means the newest. A deleted or destroyed version
// is returned without its value.
func (s *Service) Read(ctx context.Context, call caller.Request, path workspaces.Path, name string, version uint64) (Secret, error) {
	loc, err := s.locate(call, path)
	if err != nil {
		return Secret{}, err
	}
	head, err := s.head(ctx, loc, name)
	if err != nil {
		return Secret{}, err
	}
	if head == nil {
		return Secret{}, errNoSecret(loc.Place, name)
	}
	meta := head.Newest()
	if version != 0 {
		var kept bool
		if meta, kept = head.Version(version); !kept {
			return Secret{}, fault.Missing("version %d of secret %s of %s does not exist or is no longer kept", version, name, loc.Path())
		}
	}
	secret := Secret{Name: name, Version: meta, Tags: head.Tags}
	if !meta.Live(s.now()) {
		return secret, nil
	}
	sealed, err := s.sealedValue(ctx, loc, name, head, meta.Number)
	if err != nil {
		return Secret{}, err
	}
	err = s.withEncryption(ctx, loc.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		secret.Value, err = open(seal, loc.Place, name, meta.Number, sealed)
		return err
	})
	return secret, err
}

// sealedValue returns the envelope of a kept version, from its head or with one storage read.
func (s *Service) sealedValue(ctx context.Context, loc located, name string, head *store.Head, n uint64) ([]byte, error) {
	if sealed, inline := head.Value(n); inline {
		return sealed, nil
	}
	sealed, err := s.storedOldValue(ctx, loc, name, n)
	if err != nil || sealed != nil {
		return sealed, err
	}
	return nil, s.whyGone(ctx, loc, name, n)
}

// whyGone returns why a version that was kept a moment ago has no value under ver/.
func (s *Service) whyGone(ctx context.Context, loc located, name string, n uint64) error {
	head, err := s.store.Head(ctx, loc.EnvironmentID, name)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return fmt.Errorf("read a secret: %w", err)
	}
	if !loc.env.has(name) || head != nil && head.Dying {
		return errNoSecret(loc.Place, name)
	}
	if head != nil {
		if v, kept := head.Version(n); !kept || v.Destroyed {
			return fault.Missing("version %d of secret %s of %s is no longer kept", n, name, loc.Path())
		}
	}
	return errUnopened(loc.Place, name, n)
}

func (s *Service) storedOldValue(ctx context.Context, loc located, name string, n uint64) ([]byte, error) {
	old, err := s.store.OldValue(ctx, loc.EnvironmentID, name, n)
	switch {
	case errors.Is(err, store.ErrDamaged):
		return nil, errUnopened(loc.Place, name, n)
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
	Versions []store.Version // the kept versions, oldest first; empty if the head is damaged
	Tags     []string
	Custom   map[string]string
	Settings store.SecretSettings
	Damaged  bool
}

func metadata(name string, head *store.Head) Metadata {
	return Metadata{Name: name, Versions: head.Versions, Tags: head.Tags, Custom: head.Metadata, Settings: head.Settings}
}

// Newest returns the metadata of the newest version. It returns false if the head is damaged.
func (m Metadata) Newest() (store.Version, bool) {
	if m.Damaged {
		return store.Version{}, false
	}
	return m.Versions[len(m.Versions)-1], true
}

// MetadataOf returns the metadata of one secret.
func (s *Service) MetadataOf(ctx context.Context, call caller.Request, path workspaces.Path, name string) (Metadata, error) {
	loc, err := s.locate(call, path)
	if err != nil {
		return Metadata{}, err
	}
	head, err := s.head(ctx, loc, name)
	if err != nil {
		return Metadata{}, err
	}
	if head == nil {
		return Metadata{}, errNoSecret(loc.Place, name)
	}
	return metadata(name, head), nil
}

// Metadata returns the metadata of every secret of an environment, sorted by name. A damaged secret
// is listed as damaged and hides no other secret.
func (s *Service) Metadata(ctx context.Context, call caller.Request, path workspaces.Path) ([]Metadata, error) {
	loc, err := s.locate(call, path)
	if err != nil {
		return nil, err
	}
	heads, err := s.snapshot(ctx, loc)
	if err != nil {
		return nil, err
	}
	all := make([]Metadata, len(heads))
	for i, h := range heads {
		if h.err != nil {
			all[i] = Metadata{Name: h.name, Damaged: true}
			continue
		}
		all[i] = metadata(h.name, h.head)
	}
	return all, nil
}

// Describe changes the tags, the custom metadata and the settings of a secret. It drops no version:
// it rejects a lower max_versions while versions beyond it have values, because who may change
// settings need not have the right to destroy.
func (s *Service) Describe(ctx context.Context, call caller.Request, path workspaces.Path, name string, change func(*Metadata)) (Metadata, error) {
	loc, head, unlock, err := s.lockSecret(ctx, call, path, name, leaveLogs)
	if err != nil {
		return Metadata{}, err
	}
	defer unlock()
	wanted := metadata(name, head)
	change(&wanted)
	if err := checkDescription(wanted); err != nil {
		return Metadata{}, err
	}
	if err := checkKept(call, loc.Place, name, head, wanted.Settings); err != nil {
		return Metadata{}, err
	}
	next := *head
	next.Tags, next.Metadata, next.Settings = wanted.Tags, wanted.Custom, wanted.Settings
	release, err := s.admit(ctx, loc, growth{weight: weight{bytes: weigh(name, &next).bytes - weigh(name, head).bytes}})
	if err != nil {
		return Metadata{}, err
	}
	defer release()
	stored, err := s.replace(ctx, loc, name, &next)
	if err != nil {
		return Metadata{}, err
	}
	return metadata(name, stored), nil
}

// checkKept rejects settings that keep fewer versions than before, and fewer than there are. A
// destroyed version does not count, because it has no value to lose.
func checkKept(call caller.Request, place workspaces.Place, name string, head *store.Head, wanted store.SecretSettings) error {
	keep := cmp.Or(wanted.MaxVersions, place.Settings.MaxVersions)
	if keep >= cmp.Or(head.Settings.MaxVersions, place.Settings.MaxVersions) {
		return nil
	}
	var beyond []string
	for _, v := range head.Versions[:max(0, len(head.Versions)-keep)] {
		if !v.Destroyed {
			beyond = append(beyond, strconv.FormatUint(v.Number, 10))
		}
	}
	if len(beyond) == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "max_versions: secret %s of %s has %d versions beyond the newest %d, and a setting removes no version; destroy them first with: vault write %sdestroy/%s/%s versions=%s",
		name, place.Path(), len(beyond), keep, call.Mount, place.Path(), name, strings.Join(beyond, ","))
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

// Exists reports from memory whether a secret exists. A soft-deleted secret exists.
func (s *Service) Exists(path workspaces.Path, name string) bool {
	loc, err := s.locate(caller.Request{}, path)
	return err == nil && loc.env.has(name)
}

// Referring lists the secrets of a workspace that refer to a secret in one of the given
// environments, and are in none of these environments.
func (s *Service) Referring(ctx context.Context, ws store.ID, environments map[string]bool) ([]string, error) {
	var found []string
	for _, place := range s.tree.Places(ws) {
		path := place.Project + "/" + place.Environment
		if environments[path] {
			continue
		}
		heads, err := s.snapshot(ctx, located{place, s.environment(place.EnvironmentID)})
		if err != nil {
			return nil, err
		}
		for _, h := range heads {
			if h.err != nil || !h.head.Newest().Live(s.now()) {
				continue
			}
			if slices.ContainsFunc(h.head.Newest().Targets, func(target string) bool {
				return environments[target[:strings.LastIndexByte(target, '/')]]
			}) {
				found = append(found, path+"/"+h.name)
			}
		}
	}
	return found, nil
}
