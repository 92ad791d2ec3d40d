package secrets

import (
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

const (
	// rewrapParallelism is low so that requests are not kept waiting behind the background work.
	rewrapParallelism = 4
	// rewrapBatch is how many secrets are sealed again between two saves of the progress: what a crash has done again.
	rewrapBatch = 256
)

// Rotate adds a version to a workspace's key, and has everything stored sealed again under it in the background.
func (s *Service) Rotate(ctx context.Context, ws store.ID, requestID string) error {
	_, err := s.keys.Rotate(ctx, ws, requestID, s.total(ws))
	if err == nil {
		s.startRewrap(ws)
	}
	return err
}

// Rewrap has everything stored in a workspace sealed again under the latest key version, in the background.
func (s *Service) Rewrap(ctx context.Context, ws store.ID) error {
	_, err := s.keys.BeginRewrap(ctx, ws, s.total(ws))
	if err == nil {
		s.startRewrap(ws)
	}
	return err
}

func (s *Service) total(ws store.ID) int {
	total := 0
	for _, place := range s.tree.Places(ws) {
		total += s.Count(place.EnvironmentID)
	}
	return total
}

func (s *Service) startRewrap(ws store.ID) {
	s.jobs.Start("rewrap "+string(ws), func(ctx context.Context) {
		// A failure here is one of storage: the progress is stored, and Wake starts from there.
		_ = s.rewrapWorkspace(ctx, ws)
	})
}

// rewrapWorkspace goes through the environments in the order of their ids, and in each through the names, from the stored cursor
// on. A record already under the target version costs a read and no write. A rotation meanwhile ends this pass, whose progress is
// not that of the rewrap it begins; the next pass is that one's.
func (s *Service) rewrapWorkspace(ctx context.Context, ws store.ID) error {
	entry, ok := s.keys.Entry(ws)
	if !ok || entry.Rewrap.State != store.RewrapRunning {
		return nil
	}
	job := entry.Rewrap
	for _, place := range s.tree.Places(ws) {
		if place.EnvironmentID < job.Env {
			continue
		}
		after := ""
		if place.EnvironmentID == job.Env {
			after = job.Name
		}
		if err := s.rewrapEnvironment(ctx, ws, at{place, s.environment(place.EnvironmentID)}, after, job.Target); err != nil {
			return err
		}
	}
	return s.keys.SaveRewrap(ctx, ws, job.Target, func(r *store.Rewrap) {
		r.Env, r.Name = "", ""
		r.Total = r.Done + r.Failed // secrets came and went meanwhile
		if r.State = store.RewrapDone; r.Failed > 0 {
			r.State = store.RewrapFailed
		}
	})
}

func (s *Service) rewrapEnvironment(ctx context.Context, ws store.ID, a at, after string, target uint32) error {
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
		work, workCtx := errgroup.WithContext(ctx)
		work.SetLimit(rewrapParallelism)
		for _, name := range batch {
			work.Go(func() error {
				if err := s.rewrapSecret(workCtx, a, name); err != nil {
					failed.Add(1)
				}
				return nil
			})
		}
		_ = work.Wait()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := s.keys.SaveRewrap(ctx, ws, target, func(r *store.Rewrap) {
			r.Env, r.Name = a.EnvironmentID, batch[len(batch)-1]
			r.Done += len(batch) - int(failed.Load())
			r.Failed += int(failed.Load())
			r.Total = max(r.Total, r.Done+r.Failed)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rewrapSecret seals all versions of a secret again, the old ones first. Each is one Put, so a crash between them leaves some
// under the old key version, where the next pass finds them.
func (s *Service) rewrapSecret(ctx context.Context, a at, name string) error {
	a.env.commit.RLock()
	defer a.env.commit.RUnlock()
	if a.env.gone.Load() {
		return nil
	}
	defer a.env.locks.Lock(name)()
	head, err := s.current(ctx, a, name)
	if err != nil || head == nil {
		return err
	}
	return s.with(ctx, a.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		var failure error
		for _, v := range head.Versions[:len(head.Versions)-1] {
			failure = errors.Join(failure, s.rewrapOld(ctx, a, seal, name, v.Number))
		}
		return errors.Join(failure, s.rewrapHead(ctx, a, seal, name, head))
	})
}

func (s *Service) rewrapOld(ctx context.Context, a at, seal *keyring.Context[keyring.SecretLocation], name string, n uint64) error {
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

func (s *Service) rewrapHead(ctx context.Context, a at, seal *keyring.Context[keyring.SecretLocation], name string, head *store.Head) error {
	again, changed, err := reseal(seal, a.Place, name, head.Newest().Number, head.Sealed)
	if err != nil || !changed {
		return err
	}
	next := *head
	next.Sealed = again
	key := cacheKey{a.EnvironmentID, name}
	if err := s.store.PutHead(ctx, key.env, name, &next); err != nil {
		a.env.settle(&s.cache, key, nil)
		return err
	}
	a.env.settle(&s.cache, key, &next)
	return nil
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
