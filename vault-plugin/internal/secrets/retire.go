package secrets

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Resealer is what else is sealed under the keys of workspaces.
type Resealer interface {
	// Reseal seals everything of a workspace anew under its latest key version: how much is done, and how much could not be opened or
	// stored. It may be called again after an error, and when all is done.
	Reseal(ctx context.Context, ws store.ID) (done, failed int, err error)
	// Below counts what of a workspace needs a key version below lowest, or cannot be read and so may.
	Below(ctx context.Context, ws store.ID, lowest uint32) (int, error)
	// Count answers how much there is of a workspace.
	Count(ws store.ID) int
}

// beside is a kind of records that a rewrap covers after the secrets.
type beside struct {
	Resealer
	kind string
}

// Also has rewraps, and what retires keys, cover another kind of records; kind is their name in the plural, for errors. It must be
// called before the service is shared.
func (s *Service) Also(kind string, r Resealer) { s.beside = append(s.beside, beside{r, kind}) }

// Below counts what is sealed under key versions below some version.
type Below struct {
	Newest int // newest versions of secrets
	Older  int // older versions of secrets
	Unread int // secrets that could not be read, and so may be
}

func (b Below) any() bool { return b != Below{} }

// SetMinDecryption rules out a workspace's key versions below lowest. It is refused while something stored may need them, unless
// it is forced.
func (s *Service) SetMinDecryption(ctx context.Context, call caller.Request, name string, ws store.ID, lowest uint32, force bool) error {
	if err := s.mayRetire(ctx, call, name, ws, lowest, force); err != nil {
		return err
	}
	_, err := s.keys.SetMinDecryption(ctx, ws, lowest)
	return err
}

// Trim destroys a workspace's key versions below the minimum. It is refused while something stored may need them, unless it is
// forced; what is sealed under them is then lost for ever.
func (s *Service) Trim(ctx context.Context, call caller.Request, name string, ws store.ID, force bool) error {
	entry, _ := s.keys.Entry(ws)
	// The minimum may have been forced, so what it rules out is looked for again.
	if !force && (entry.Rewrap.State != store.RewrapDone || entry.Rewrap.Target < entry.MinDecryption) {
		if err := s.refuseBelow(ctx, call, name, ws, entry.MinDecryption); err != nil {
			return err
		}
	}
	_, err := s.keys.Trim(ctx, ws)
	return err
}

func (s *Service) mayRetire(ctx context.Context, call caller.Request, name string, ws store.ID, lowest uint32, force bool) error {
	entry, _ := s.keys.Entry(ws)
	if force || entry.Covered(lowest) || lowest > entry.Latest {
		return nil // one beyond the latest is refused by the keyring, with what would be right
	}
	return s.refuseBelow(ctx, call, name, ws, lowest)
}

func (s *Service) refuseBelow(ctx context.Context, call caller.Request, name string, ws store.ID, lowest uint32) error {
	below, err := s.countBelow(ctx, ws, lowest)
	if err != nil {
		return err
	}
	others, needed := "", below.any()
	for _, b := range s.beside {
		n, err := b.Below(ctx, ws, lowest)
		if err != nil {
			return fmt.Errorf("look for %s sealed under older keys: %w", b.kind, err)
		}
		others, needed = fmt.Sprintf("%s, %d %s", others, n, b.kind), needed || n > 0
	}
	if !needed {
		return nil
	}
	return fault.New(fault.Conflict, "%d secrets and %d older versions%s are sealed under key versions below %d, and %d secrets cannot be read; "+
		"seal them again first with: vault write -force %skeys/%s/rewrap, or give force=true after an exposure, to lose them",
		below.Newest, below.Older, others, lowest, below.Unread, call.Mount, name)
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
		work, workCtx := errgroup.WithContext(ctx)
		work.SetLimit(parallelism)
		for _, name := range names {
			work.Go(func() error {
				head, err := s.head(workCtx, a, name)
				var known *fault.Error
				switch {
				case errors.As(err, &known):
					unread.Add(1)
					return nil
				case err != nil || head == nil:
					return err
				}
				n, err := s.olderBelow(workCtx, a, name, head, lowest)
				older.Add(int64(n))
				if !head.Newest().Destroyed && keyVersion(head.Sealed) < lowest {
					newest.Add(1)
				}
				return err
			})
		}
		if err := work.Wait(); err != nil {
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
		old, err := s.store.OldValue(ctx, a.EnvironmentID, name, v.Number)
		if err != nil && !errors.Is(err, store.ErrDamaged) {
			return below, err
		}
		if old == nil || keyVersion(old.Sealed) < lowest {
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
