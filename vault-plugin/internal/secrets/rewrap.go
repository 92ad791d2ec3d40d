package secrets

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// errInterrupted ends a rewrap of a workspace that was locked; it goes on when the workspace is unlocked.
var errInterrupted = errors.New("the workspace is locked")

const (
	// rewrapParallelism is low so that requests are not kept waiting behind the background work.
	rewrapParallelism = 4
	// rewrapsAtOnce bounds the secrets of all workspaces that are sealed again at the same time.
	rewrapsAtOnce = 16
	// rewrapBatch is how many secrets are sealed again between two saves of the progress: what a crash has done again.
	rewrapBatch = 256
)

// Sealed counts the secrets of a workspace.
func (s *Service) Sealed(ws store.ID) int {
	total := 0
	for _, place := range s.tree.Places(ws) {
		total += s.Count(place.EnvironmentID)
	}
	return total
}

// Reseal seals the secrets of a workspace again under its latest key version. It goes through the environments in the order of
// their ids, and in each through the names; the cursor is environment id/name. A secret that is under that version already costs a
// read and no write.
func (s *Service) Reseal(ctx context.Context, ws store.ID, cursor string, save func(cursor string, done, failed int) error) (done, failed int, err error) {
	reached, name, _ := strings.Cut(cursor, "/")
	for _, place := range s.tree.Places(ws) {
		after := ""
		switch {
		case string(place.EnvironmentID) < reached:
			continue
		case string(place.EnvironmentID) == reached:
			after = name
		}
		if err := s.rewrapEnvironment(ctx, at{place, s.environment(place.EnvironmentID)}, after, save); err != nil {
			return 0, 0, err
		}
	}
	return 0, 0, nil
}

func (s *Service) rewrapEnvironment(ctx context.Context, a at, after string, save func(cursor string, done, failed int) error) error {
	// Whoever took the keyring before the rotation has stored what it sealed when this lock is granted; whoever enters later
	// seals under the target version.
	a.env.commit.Lock()
	if err := a.env.unsure(); err != nil {
		a.env.commit.Unlock()
		return err // it was sealed before the rotation, and a start may find it
	}
	err := s.drain(ctx, a.EnvironmentID, a.env)
	names := a.env.names()
	gone := a.env.gone.Load()
	a.env.commit.Unlock()
	if err != nil || gone {
		return err
	}
	for len(names) > 0 && names[0] <= after {
		names = names[1:]
	}
	for len(names) > 0 {
		batch := names[:min(rewrapBatch, len(names))]
		names = names[len(batch):]
		var failed atomic.Int64
		err := s.rewraps.each(ctx, len(batch), rewrapParallelism, func(ctx context.Context, i int) error {
			err := s.rewrapSecret(ctx, a, batch[i])
			if errors.Is(err, errInterrupted) {
				return err
			}
			if err != nil {
				failed.Add(1)
			}
			return nil
		})
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		lost := int(failed.Load())
		if err := save(string(a.EnvironmentID)+"/"+batch[len(batch)-1], len(batch)-lost, lost); err != nil {
			return err
		}
	}
	return nil
}

// rewrapSecret seals all versions of a secret again: each spilled one with a Put of its own, then
// all that the head holds with one. A crash between them leaves some under the old key version,
// where the next pass finds them. A version that cannot be opened fails the secret, and does not
// stop the others.
func (s *Service) rewrapSecret(ctx context.Context, a at, name string) error {
	a.env.commit.RLock()
	defer a.env.commit.RUnlock()
	if a.env.gone.Load() {
		return nil
	}
	if s.tree.Locked(a.WorkspaceID) {
		return errInterrupted
	}
	defer a.env.locks.Lock(name)()
	upon, err := s.current(ctx, a, name)
	head := upon.head
	if err != nil || head == nil {
		return err
	}
	return s.with(ctx, a.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		var failure error
		for _, v := range head.Versions {
			if v.Destroyed || v.Number >= head.FirstInline() {
				continue
			}
			failure = errors.Join(failure, s.rewrapSpilled(ctx, a, seal, name, v.Number))
		}
		return errors.Join(failure, s.rewrapHead(ctx, a, seal, name, head))
	})
}

func (s *Service) rewrapSpilled(ctx context.Context, a at, seal *keyring.Context[keyring.SecretLocation], name string, n uint64) error {
	sealed, err := s.storedOldValue(ctx, a, name, n)
	if err != nil {
		return err
	}
	again, changed, err := reseal(seal, a.Place, name, n, sealed)
	if err != nil || !changed {
		return err
	}
	return s.store.PutOldValue(ctx, a.EnvironmentID, name, n, &store.OldValue{Sealed: again})
}

// rewrapHead seals again what a head holds. A value that cannot be opened stays as it is.
func (s *Service) rewrapHead(ctx context.Context, a at, seal *keyring.Context[keyring.SecretLocation], name string, head *store.Head) error {
	var failure error
	changed := false
	next := head.WithValues(func(v store.Version, sealed []byte) []byte {
		if v.Destroyed {
			return nil
		}
		again, differs, err := reseal(seal, a.Place, name, v.Number, sealed)
		if err != nil {
			failure = errors.Join(failure, err)
			return sealed
		}
		changed = changed || differs
		return again
	})
	if !changed {
		return failure
	}
	key := a.key(name)
	next, err := s.putHead(ctx, key, next)
	if err != nil {
		a.env.settle(&s.cache, key, nil)
		return errors.Join(failure, err)
	}
	a.env.settle(&s.cache, key, next)
	return failure
}

// reseal seals a value under the latest key version; the plaintext stays in package keyring.
func reseal(seal *keyring.Context[keyring.SecretLocation], place workspaces.Place, name string, n uint64, sealed []byte) (again []byte, changed bool, err error) {
	ciphertext, err := keyring.ParseCiphertext[keyring.SecretLocation](sealed)
	if err != nil {
		return nil, false, errUnopened(place, name, n)
	}
	next, err := seal.Rewrap(keyring.SecretLocation{Name: name, Version: n}, ciphertext)
	if errors.Is(err, keyring.ErrWiped) {
		return nil, false, err
	}
	if err != nil {
		return nil, false, errUnopened(place, name, n)
	}
	return next.Bytes(), next.KeyVersion() != ciphertext.KeyVersion(), nil
}
