package secrets

import (
	"context"
	"fmt"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/headcache"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Purge removes a secret with all its versions. The commit is a head that is marked as dying. Then
// the values are removed, a tombstone is stored, and the head is removed last. The tombstone keeps
// the version number for a later secret of the same name. A crash leaves a dying head. Readers
// treat a dying head as no secret, and the first one to read it starts the rest of the purge.
func (s *Service) Purge(ctx context.Context, call caller.Request, path workspaces.Path, name string) (Metadata, error) {
	loc, head, unlock, err := s.lockSecret(ctx, call, path, name, applyLogs)
	if err != nil {
		return Metadata{}, err
	}
	defer unlock()
	dying := &store.Head{
		Dying: true, Removed: s.now().UTC(),
		Versions: head.Versions, Floor: head.Floor, Doomed: head.Doomed, First: head.First,
	}
	key := loc.key(name)
	defer s.notify(loc.Place)
	if err := s.store.PutHead(ctx, key.Environment, name, dying); err != nil {
		loc.env.publish(&s.cache, key, nil)
		return Metadata{}, fmt.Errorf("remove a secret: %w", err)
	}
	loc.env.hide(&s.cache, key, dying)
	if s.finishPurge(ctx, loc.EnvironmentID, loc.env, name, dying) != nil {
		s.startFinishingPurges(loc.EnvironmentID, loc.env)
	}
	return metadata(name, head), nil
}

// hide makes a purged secret invisible.
func (e *environment) hide(cache *headcache.Cache, key headcache.Key, dying *store.Head) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dying[key.Name] = dying
	cache.Drop(key)
	if slot := e.secrets[key.Name]; slot != nil {
		e.forget(key.Name, slot)
	}
}

// forget drops a secret that does not exist from memory. The caller holds mu.
func (e *environment) forget(name string, s *slot) {
	e.measure(s, weight{})
	delete(e.secrets, name)
}

// finishPurge removes what a dying head has left in storage. The caller holds the lock of the name.
func (s *Service) finishPurge(ctx context.Context, id store.ID, env *environment, name string, dying *store.Head) error {
	if env.gone.Load() {
		return errStopped
	}
	key := headcache.Key{Environment: id, Name: name}
	doomed := leftover(dying)
	// The newest is included, because an interrupted write may have spilled its value.
	for _, v := range dying.Versions {
		doomed = append(doomed, v.Number)
	}
	if err := s.removeValues(ctx, key, doomed); err != nil {
		return fmt.Errorf("remove the versions of a secret: %w", err)
	}
	if err := s.putTombstone(ctx, id, env, name, dying); err != nil {
		return fmt.Errorf("store the tombstone of a secret: %w", err)
	}
	if err := s.store.DeleteHead(ctx, id, name); err != nil {
		return fmt.Errorf("remove a secret: %w", err)
	}
	env.mu.Lock()
	delete(env.dying, name)
	env.mu.Unlock()
	return nil
}

// putTombstone stores what a later secret of the same name needs from a purged one.
func (s *Service) putTombstone(ctx context.Context, id store.ID, env *environment, name string, dying *store.Head) error {
	tomb := &store.Tombstone{Last: dying.Newest().Number, Removed: dying.Removed}
	if dying.Versions[0].Number == dying.First {
		tomb.Born = dying.Versions[0].Created
	}
	if env.hasTombstone(name) {
		earlier, err := s.store.Tombstone(ctx, id, name)
		if err != nil {
			return err
		}
		if earlier != nil && (earlier.Born.IsZero() || earlier.Born.Before(tomb.Born)) {
			tomb.Born = earlier.Born
		}
	}
	if err := s.store.PutTombstone(ctx, id, name, tomb); err != nil {
		return err
	}
	env.mu.Lock()
	defer env.mu.Unlock()
	env.tombstones[name] = true
	return nil
}

func (e *environment) hasTombstone(name string) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.tombstones[name]
}

// startFinishingPurges finishes the purges of an environment in the background.
func (s *Service) startFinishingPurges(id store.ID, env *environment) {
	s.jobs.Start("clear "+string(id), func(ctx context.Context) {
		for _, name := range env.dyingNames() {
			unlock := env.locks.Lock(name)
			if dying := env.dyingHead(name); dying != nil {
				_ = s.finishPurge(ctx, id, env, name, dying) // Start retries
			}
			unlock()
		}
	})
}

func (e *environment) dyingNames() []string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	names := make([]string, 0, len(e.dying))
	for name := range e.dying {
		names = append(names, name)
	}
	return names
}

func (e *environment) dyingHead(name string) *store.Head {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.dying[name]
}

// loadTombstones lists the names that were purged before. A tombstone itself is read when its name
// is used again.
func (s *Service) loadTombstones(ctx context.Context) error {
	ids, err := s.store.TombstonedEnvironments(ctx)
	if err != nil {
		return fmt.Errorf("list the removed secrets: %w", err)
	}
	for _, id := range ids {
		names, err := s.store.Tombstones(ctx, id)
		if err != nil {
			return fmt.Errorf("list the removed secrets: %w", err)
		}
		s.mu.RLock()
		env := s.envs[id]
		s.mu.RUnlock()
		if env == nil {
			continue // a deleted environment; the sweep removes its tombstones
		}
		for _, name := range names {
			env.tombstones[name] = true
		}
	}
	return nil
}

// lastOf returns the last version number of a secret that does not exist, after it has finished the
// purge of the secret. The caller holds the lock of the name, or the environment exclusively.
func (s *Service) lastOf(ctx context.Context, loc located, name string) (uint64, error) {
	if dying := loc.env.dyingHead(name); dying != nil {
		if err := s.finishPurge(ctx, loc.EnvironmentID, loc.env, name, dying); err != nil {
			return 0, err
		}
	}
	if !loc.env.hasTombstone(name) {
		return 0, nil
	}
	tomb, err := s.store.Tombstone(ctx, loc.EnvironmentID, name)
	if err != nil || tomb == nil {
		// With an unknown number, a new version could get a number that an old ciphertext opens
		// under.
		return 0, errDamagedTombstone(loc.Place, name)
	}
	return tomb.Last, nil
}
