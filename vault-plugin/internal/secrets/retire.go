package secrets

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Below counts what is sealed under key versions below some version.
type Below struct {
	Newest int // newest versions of secrets
	Older  int // older versions of secrets
	Unread int // secrets that could not be read, and so may be
}

// Below counts, in words, the secrets of a workspace that need a key version below lowest, or cannot be read and so may.
func (s *Service) Below(ctx context.Context, ws store.ID, lowest uint32) ([]string, error) {
	below, err := s.countBelow(ctx, ws, lowest)
	var found []string
	for _, part := range []struct {
		count int
		of    string
	}{{below.Newest, "secrets"}, {below.Older, "older versions of secrets"}, {below.Unread, "secrets that cannot be read"}} {
		if part.count > 0 {
			found = append(found, fmt.Sprintf("%d %s", part.count, part.of))
		}
	}
	return found, err
}

// countBelow looks at every stored envelope of a workspace. It opens none.
func (s *Service) countBelow(ctx context.Context, ws store.ID, lowest uint32) (Below, error) {
	var newest, older, unread atomic.Int64
	for _, place := range s.tree.Places(ws) {
		a := at{place, s.environment(place.EnvironmentID)}
		// Whoever took the keyring before the last rotation has stored what it sealed when this lock is granted.
		a.env.commit.Lock()
		err := s.drain(ctx, a.EnvironmentID, a.env)
		names := a.env.names()
		a.env.commit.Unlock()
		if err != nil {
			return Below{}, err
		}
		err = s.reads.each(ctx, len(names), parallelism, func(ctx context.Context, i int) error {
			head, err := s.head(ctx, a, names[i])
			var known *fault.Error
			switch {
			case errors.As(err, &known):
				unread.Add(1)
				return nil
			case err != nil || head == nil:
				return err
			}
			n, err := s.olderBelow(ctx, a, names[i], head, lowest)
			older.Add(int64(n))
			if !head.Newest().Destroyed && keyVersion(head.Sealed) < lowest {
				newest.Add(1)
			}
			return err
		})
		if err != nil {
			return Below{}, fmt.Errorf("look for what is sealed under older keys: %w", err)
		}
	}
	return Below{int(newest.Load()), int(older.Load()), int(unread.Load())}, nil
}

func (s *Service) olderBelow(ctx context.Context, a at, name string, head *store.Head, lowest uint32) (below int, err error) {
	for _, v := range head.Versions[:len(head.Versions)-1] {
		if v.Destroyed {
			continue
		}
		sealed, inline := head.Value(v.Number)
		if !inline {
			old, err := s.store.OldValue(ctx, a.EnvironmentID, name, v.Number)
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

// keyVersion reads from an envelope which key version seals it; 0 where it is damaged.
func keyVersion(sealed []byte) uint32 {
	ciphertext, err := keyring.ParseCiphertext[keyring.SecretLocation](sealed)
	if err != nil {
		return 0
	}
	return ciphertext.KeyVersion()
}
