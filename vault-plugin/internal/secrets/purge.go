package secrets

import (
	"context"
	"fmt"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/headcache"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Purge removes a secret with all its versions. The commit is a head that is marked as dying; then the values go, a tombstone
// keeps the number for a secret that may come back under the name, and the head goes last. What a crash leaves is a dying head,
// which is no secret to anyone and is cleared away by whoever meets it.
func (s *Service) Purge(ctx context.Context, call caller.Request, path workspaces.Path, name string) (Metadata, error) {
	a, head, leave, err := s.enter(ctx, call, path, name, drained)
	if err != nil {
		return Metadata{}, err
	}
	defer leave()
	dying := &store.Head{
		Dying: true, Removed: s.now().UTC(),
		Versions: head.Versions, Floor: head.Floor, Doomed: head.Doomed, First: head.First,
	}
	key := a.key(name)
	defer s.changed(a.Place)
	if err := s.store.PutHead(ctx, key.Environment, name, dying); err != nil {
		a.env.settle(&s.cache, key, nil)
		return Metadata{}, fmt.Errorf("remove a secret: %w", err)
	}
	a.env.bury(&s.cache, key, dying)
	if s.clearAway(ctx, a.EnvironmentID, a.env, name, dying) != nil {
		s.startClearing(a.EnvironmentID, a.env)
	}
	return metadata(name, head), nil
}

// bury makes a removed secret invisible.
func (e *environment) bury(cache *headcache.Cache, key headcache.Key, dying *store.Head) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dying[key.Name] = dying
	cache.Drop(key)
	if slot := e.secrets[key.Name]; slot != nil {
		e.forget(key.Name, slot)
	}
}

// forget drops a secret that does not exist. The caller holds mu.
func (e *environment) forget(name string, s *slot) {
	if s.size == unknownSize {
		e.unmeasured--
	} else {
		e.bytes -= s.size
	}
	delete(e.secrets, name)
}

// clearAway removes what a dying head has left in storage. The caller holds the name's lock.
func (s *Service) clearAway(ctx context.Context, id store.ID, env *environment, name string, dying *store.Head) error {
	if env.gone.Load() {
		return errStopped
	}
	key := headcache.Key{Environment: id, Name: name}
	doomed := leftover(dying)
	for _, v := range dying.Versions { // the newest too: a write that went no further may have put its value aside
		doomed = append(doomed, v.Number)
	}
	if err := s.removeValues(ctx, key, doomed); err != nil {
		return fmt.Errorf("remove the versions of a secret: %w", err)
	}
	if err := s.entomb(ctx, id, env, name, dying); err != nil {
		return fmt.Errorf("remember the versions of a secret: %w", err)
	}
	if err := s.store.DeleteHead(ctx, id, name); err != nil {
		return fmt.Errorf("remove a secret: %w", err)
	}
	env.mu.Lock()
	delete(env.dying, name)
	env.mu.Unlock()
	return nil
}

// entomb keeps of a removed secret what its successors need.
func (s *Service) entomb(ctx context.Context, id store.ID, env *environment, name string, dying *store.Head) error {
	tomb := &store.Tombstone{Last: dying.Newest().Number, Removed: dying.Removed}
	if dying.Versions[0].Number == dying.First {
		tomb.Born = dying.Versions[0].Created
	}
	if env.buried(name) {
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
	env.tombs[name] = true
	return nil
}

func (e *environment) buried(name string) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.tombs[name]
}

// startClearing has the dying secrets of an environment cleared away in the background.
func (s *Service) startClearing(id store.ID, env *environment) {
	s.jobs.Start("clear "+string(id), func(ctx context.Context) {
		for _, name := range env.dyingNames() {
			unlock := env.locks.Lock(name)
			if dying := env.dyingHead(name); dying != nil {
				_ = s.clearAway(ctx, id, env, name, dying) // Wake tries again
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

// learnTombstones takes in which names have been removed before; what their tombstones say is read when a name comes back.
func (s *Service) learnTombstones(ctx context.Context) error {
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
			continue // deleted, and about to be swept
		}
		for _, name := range names {
			env.tombs[name] = true
		}
	}
	return nil
}

// lastOf answers the number that the versions of a secret that does not exist have reached, after clearing away what is left of
// it. The caller holds the name's lock, or the environment exclusively.
func (s *Service) lastOf(ctx context.Context, a at, name string) (uint64, error) {
	if dying := a.env.dyingHead(name); dying != nil {
		if err := s.clearAway(ctx, a.EnvironmentID, a.env, name, dying); err != nil {
			return 0, err
		}
	}
	if !a.env.buried(name) {
		return 0, nil
	}
	tomb, err := s.store.Tombstone(ctx, a.EnvironmentID, name)
	if err != nil || tomb == nil {
		// Going on from an unknown number could give an old ciphertext a version to fit.
		return 0, errDamagedHead(a.Place, name)
	}
	return tomb.Last, nil
}
