package keys

import (
	"context"
	"errors"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// With calls use with a workspace's unwrapped keyring. The cache may evict and wipe the keyring
// during the call. With then calls use again with a keyring that is not in the cache. Therefore use
// must have no effect if it returns keyring.ErrWiped. A use may neither lock a workspace nor
// wait for a change of one, because a lock waits for the uses.
func (s *Service) With(ctx context.Context, id store.ID, use func(*keyring.Workspace) error) error {
	end, err := s.begin(id)
	if err != nil {
		return err
	}
	defer end()
	ring, err := s.ring(ctx, id)
	if err != nil {
		return err
	}
	if err := use(ring); !errors.Is(err, keyring.ErrWiped) {
		return err
	}
	if ring, err = s.openUncached(ctx, id); err != nil {
		return err
	}
	defer ring.Wipe()
	return use(ring)
}

// begin registers a use of a workspace's keys, unless the workspace is locked. A lock that comes
// later therefore finds the use and waits for end.
func (s *Service) begin(id store.ID) (end func(), refusal error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refusal := s.locked[id]; refusal != nil {
		return nil, refusal
	}
	ended := make(chan struct{})
	if s.uses[id] == nil {
		s.uses[id] = make(map[chan struct{}]bool, 1)
	}
	s.uses[id][ended] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(ended)
		delete(s.uses[id], ended)
		if len(s.uses[id]) == 0 {
			delete(s.uses, id)
		}
	}, nil
}

// awaitUses waits until the uses that have begun so far have ended.
func (s *Service) awaitUses(id store.ID) {
	s.mu.RLock()
	var running []chan struct{}
	for ended := range s.uses[id] {
		running = append(running, ended)
	}
	s.mu.RUnlock()
	for _, ended := range running {
		<-ended
	}
}

// openUncached returns a keyring that is not in the cache. The caller wipes it.
func (s *Service) openUncached(ctx context.Context, id store.ID) (*keyring.Workspace, error) {
	defer s.locks.Lock(id)()
	_, ring, err := s.open(ctx, id)
	return ring, err
}

func (s *Service) ring(ctx context.Context, id store.ID) (*keyring.Workspace, error) {
	if ring := s.cache.get(id, s.now()); ring != nil {
		return ring, nil
	}
	// The entry's lock makes this the only load of this keyring, and excludes a rotation during the
	// load.
	defer s.locks.Lock(id)()
	if ring := s.cache.get(id, s.now()); ring != nil {
		return ring, nil
	}
	record, ring, err := s.open(ctx, id)
	if err != nil {
		return nil, err
	}
	s.remember(id, record, true)
	s.cache.add(id, ring, s.now())
	return ring, nil
}

// Lock removes a workspace's keys from memory and refuses every use of them with refusal. Once Lock
// has returned, no use is running, and no key of the workspace is unwrapped until Unlock.
func (s *Service) Lock(id store.ID, refusal error) {
	s.mu.Lock()
	s.locked[id] = refusal
	s.mu.Unlock()
	s.evictLoaded(id)
	s.awaitUses(id)
}

// evictLoaded evicts a keyring, also one whose load is under way.
func (s *Service) evictLoaded(id store.ID) {
	defer s.locks.Lock(id)() // a load that passed the check of the lock has cached its keyring by now
	s.cache.evict(id)
}

// Unlock allows the use of a workspace's keys again.
func (s *Service) Unlock(id store.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.locked, id)
}

// refusal returns the error that Lock was called with, or nil if the workspace is not locked.
func (s *Service) refusal(id store.ID) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.locked[id]
}
