package secrets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// errInterrupted ends a rewrap because its workspace was locked. The rewrap resumes when the
// workspace is unlocked.
var errInterrupted = errors.New("the workspace is locked")

const (
	// rewrapParallelism is low, so that requests do not wait for the background work.
	rewrapParallelism = 4
	// rewrapsAtOnce bounds the secrets of all workspaces that are rewrapped at one time.
	rewrapsAtOnce = 16
	// rewrapBatch is the number of secrets between two saves of the progress. After a crash, at
	// most one batch is repeated.
	rewrapBatch = 256
)

// Sealed returns the number of secrets of a workspace.
func (s *Service) Sealed(ws store.ID) int {
	total := 0
	for _, place := range s.tree.Places(ws) {
		total += s.Count(place.EnvironmentID)
	}
	return total
}

// Reseal seals the secrets of a workspace again under its latest key version. It visits the
// environments in the order of their ids, and the secrets of each by name. The cursor is
// <environment id>/<name>. A secret that is already under that version costs one read and no write.
// A damaged import, and a project or environment whose record is damaged, count as failed: what
// they hold may be under an older version.
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
		if err := s.rewrapEnvironment(ctx, located{place, s.environment(place.EnvironmentID)}, after, save); err != nil {
			return 0, 0, err
		}
	}
	failed = s.tree.Hidden(ws)
	for _, place := range s.tree.Places(ws) {
		if s.environment(place.EnvironmentID).fault() != nil {
			failed++
		}
	}
	return 0, failed, nil
}

func (s *Service) rewrapEnvironment(ctx context.Context, loc located, after string, save func(cursor string, done, failed int) error) error {
	// Once this lock is granted, every writer that got its keyring before the rotation has stored
	// its values. Writers that take the lock later seal under the target version.
	loc.env.commit.Lock()
	if err := loc.env.checkPendingImport(); err != nil {
		loc.env.commit.Unlock()
		return err // the import was sealed before the rotation, and a start may find it
	}
	err := s.drain(ctx, loc.EnvironmentID, loc.env)
	names := loc.env.names()
	gone := loc.env.gone.Load()
	loc.env.commit.Unlock()
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
		err := s.rewraps.Each(ctx, len(batch), rewrapParallelism, func(ctx context.Context, i int) error {
			err := s.rewrapSecret(ctx, loc, batch[i])
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
		failures := int(failed.Load())
		if err := save(string(loc.EnvironmentID)+"/"+batch[len(batch)-1], len(batch)-failures, failures); err != nil {
			return err
		}
	}
	return nil
}

// rewrapSecret seals all versions of a secret again: each spilled version with its own Put, then
// all values in the head with one Put. A crash between the Puts leaves some versions under the old
// key version, and the next pass finds them. A version that cannot be opened makes the secret fail,
// but does not stop the other versions.
func (s *Service) rewrapSecret(ctx context.Context, loc located, name string) error {
	loc.env.commit.RLock()
	defer loc.env.commit.RUnlock()
	if loc.env.gone.Load() {
		return nil
	}
	if s.tree.Locked(loc.WorkspaceID) {
		return errInterrupted
	}
	defer loc.env.locks.Lock(name)()
	prev, err := s.current(ctx, loc, name)
	head := prev.head
	if err != nil || head == nil {
		return err
	}
	return s.withEncryption(ctx, loc.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		var failure error
		for _, v := range head.Versions {
			if v.Destroyed || v.Number >= head.FirstInline() {
				continue
			}
			failure = errors.Join(failure, s.rewrapSpilled(ctx, loc, seal, name, v.Number))
		}
		return errors.Join(failure, s.rewrapHead(ctx, loc, seal, name, head))
	})
}

func (s *Service) rewrapSpilled(ctx context.Context, loc located, seal *keyring.Context[keyring.SecretLocation], name string, n uint64) error {
	sealed, err := s.storedOldValue(ctx, loc, name, n)
	if err != nil {
		return err
	}
	resealed, changed, err := reseal(seal, loc.Place, name, n, sealed)
	if err != nil || !changed {
		return err
	}
	return s.store.PutOldValue(ctx, loc.EnvironmentID, name, n, &store.OldValue{Sealed: resealed})
}

// rewrapHead seals the values in a head again. A value that cannot be opened stays unchanged.
func (s *Service) rewrapHead(ctx context.Context, loc located, seal *keyring.Context[keyring.SecretLocation], name string, head *store.Head) error {
	var failure error
	changed := false
	next := head.WithValues(func(v store.Version, sealed []byte) []byte {
		if v.Destroyed {
			return nil
		}
		resealed, differs, err := reseal(seal, loc.Place, name, v.Number, sealed)
		if err != nil {
			failure = errors.Join(failure, err)
			return sealed
		}
		changed = changed || differs
		return resealed
	})
	if !changed {
		return failure
	}
	key := loc.key(name)
	next, err := s.putHead(ctx, key, next)
	if err != nil {
		loc.env.publish(&s.cache, key, nil)
		return errors.Join(failure, err)
	}
	loc.env.publish(&s.cache, key, next)
	return failure
}

// reseal seals a value under the latest key version. The plaintext stays in package keyring.
func reseal(seal *keyring.Context[keyring.SecretLocation], place workspaces.Place, name string, n uint64, sealed []byte) (resealed []byte, changed bool, err error) {
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

// Below counts the values that are sealed under a key version below a given one.
type Below struct {
	Newest int // newest versions of secrets
	Older  int // older versions of secrets
	Unread int // secrets that could not be read, so their key version is unknown

	Imports int // environments with imports that cannot be read, or whose outcome is unknown
	Hidden  int // projects and environments whose record is damaged
}

// Below counts the values of a workspace that need a key version below lowest, and the secrets that
// cannot be read. It returns one phrase for each kind, such as "2 older versions of secrets".
func (s *Service) Below(ctx context.Context, ws store.ID, lowest uint32) ([]string, error) {
	below, err := s.countBelow(ctx, ws, lowest)
	var found []string
	for _, part := range []struct {
		count int
		of    string
	}{
		{below.Newest, "secrets"}, {below.Older, "older versions of secrets"}, {below.Unread, "secrets that cannot be read"},
		{below.Imports, "imports that cannot be read"}, {below.Hidden, "projects and environments whose records are damaged"},
	} {
		if part.count > 0 {
			found = append(found, fmt.Sprintf("%d %s", part.count, part.of))
		}
	}
	return found, err
}

// countBelow inspects every stored envelope of a workspace without opening it.
func (s *Service) countBelow(ctx context.Context, ws store.ID, lowest uint32) (Below, error) {
	var newest, older, unread atomic.Int64
	imports := 0
	for _, place := range s.tree.Places(ws) {
		loc := located{place, s.environment(place.EnvironmentID)}
		// Once this lock is granted, every writer that got its keyring before the last rotation has
		// stored its values.
		loc.env.commit.Lock()
		err := s.drain(ctx, loc.EnvironmentID, loc.env)
		names := loc.env.names()
		if cmp.Or(loc.env.fault(), loc.env.checkPendingImport()) != nil {
			imports++
		}
		loc.env.commit.Unlock()
		if err != nil {
			return Below{}, err
		}
		err = s.reads.Each(ctx, len(names), parallelism, func(ctx context.Context, i int) error {
			head, err := s.head(ctx, loc, names[i])
			var known *fault.Error
			switch {
			case errors.As(err, &known):
				unread.Add(1)
				return nil
			case err != nil || head == nil:
				return err
			}
			n, err := s.olderBelow(ctx, loc, names[i], head, lowest)
			older.Add(int64(n))
			if !head.Newest().Destroyed && keyVersion(head.Sealed) < lowest {
				newest.Add(1)
			}
			return err
		})
		if err != nil {
			return Below{}, fmt.Errorf("count the values under older key versions: %w", err)
		}
	}
	return Below{int(newest.Load()), int(older.Load()), int(unread.Load()), imports, s.tree.Hidden(ws)}, nil
}

func (s *Service) olderBelow(ctx context.Context, loc located, name string, head *store.Head, lowest uint32) (below int, err error) {
	for _, v := range head.Versions[:len(head.Versions)-1] {
		if v.Destroyed {
			continue
		}
		sealed, inline := head.Value(v.Number)
		if !inline {
			old, err := s.store.OldValue(ctx, loc.EnvironmentID, name, v.Number)
			if err != nil && !errors.Is(err, store.ErrDamaged) {
				return below, err
			}
			if old != nil {
				sealed = old.Sealed
			}
		}
		if keyVersion(sealed) < lowest {
			below++
		}
	}
	return below, nil
}

// keyVersion returns the key version that an envelope is sealed under, or 0 if the envelope is
// damaged.
func keyVersion(sealed []byte) uint32 {
	ciphertext, err := keyring.ParseCiphertext[keyring.SecretLocation](sealed)
	if err != nil {
		return 0
	}
	return ciphertext.KeyVersion()
}
