package secrets

import (
	"context"
	"errors"
	"fmt"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
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
func (s *Service) Read(ctx context.Context, call workspaces.Call, w, p, e, name string, version uint64) (Secret, error) {
	a, err := s.read(call, w, p, e)
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

// sealedValue answers the sealed value of a kept version.
func (s *Service) sealedValue(ctx context.Context, a at, name string, head *store.Head, n uint64) ([]byte, error) {
	if n == head.Newest().Number {
		return head.Sealed, nil
	}
	return s.oldValue(ctx, a, name, n)
}

// oldValue reads the sealed value of a version that is not the newest. Where a redo log is still being applied, it may stand in
// the stored head, as its newest.
func (s *Service) oldValue(ctx context.Context, a at, name string, n uint64) ([]byte, error) {
	old, err := s.storedOldValue(ctx, a, name, n)
	if err != nil || old != nil {
		return old, err
	}
	head, err := s.store.Head(ctx, a.EnvironmentID, name)
	switch {
	case errors.Is(err, store.ErrDamaged):
		return nil, errDamagedHead(a.Place, name)
	case err != nil:
		return nil, fmt.Errorf("read a secret: %w", err)
	case head != nil && head.Newest().Number == n:
		return head.Sealed, nil
	}
	// It may have been put aside between the two looks.
	old, err = s.storedOldValue(ctx, a, name, n)
	if err == nil && old == nil {
		if head != nil && head.Versions[0].Number > n {
			return nil, fault.Missing("version %d of secret %s of %s is no longer kept", n, name, a.Path())
		}
		err = errUnopened(a.Place, name, n)
	}
	return old, err
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
