package keys

import (
	"context"
	"errors"
	"fmt"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// SetName records the name of workspace id, as the tree loaded it. A key entry is wrapped for that
// name and opens under no other name. It therefore does not open before the workspace's record is
// loaded.
func (s *Service) SetName(id store.ID, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[id] = name
}

// Genuine returns the name that the keys of workspace id are wrapped for. names lists the names of
// all records that hold this id. Genuine returns "" if the keys open under none of them.
func (s *Service) Genuine(ctx context.Context, id store.ID, names []string) (string, error) {
	defer s.locks.Lock(id)()
	record, err := s.store.Keys(ctx, id)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return "", fmt.Errorf("read a workspace's keys: %w", err)
	}
	if record == nil {
		return "", nil
	}
	s.master.mu.RLock()
	defer s.master.mu.RUnlock()
	for _, name := range names {
		of, err := scope(id, name)
		if err != nil {
			return "", err
		}
		if s.master.ring.Opens(of, record.Ring) {
			return name, nil
		}
	}
	return "", nil
}

// scope returns the name and the id that a workspace's keys are wrapped for.
func (s *Service) scope(id store.ID) (keyring.WorkspaceScope, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	name, known := s.names[id]
	if !known {
		return keyring.WorkspaceScope{}, ErrDamaged(id)
	}
	return scope(id, name)
}

func scope(id store.ID, name string) (keyring.WorkspaceScope, error) {
	parsed, err := keyring.ParseID(string(id))
	if err != nil {
		return keyring.WorkspaceScope{}, ErrDamaged(id)
	}
	return keyring.WorkspaceScope{Name: name, ID: parsed}, nil
}

// waiting reports whether the workspace's record must be restored before its keys can be wrapped
// again. The caller holds mu.
func (s *Service) waiting(id store.ID) bool {
	_, known := s.names[id]
	return !known && !s.entries[id].Damaged
}

// waitingHealth describes the entries that keep an older master key alive because their workspace's
// record is missing. The caller holds mu.
func (s *Service) waitingHealth(latest uint32) (wrong []string) {
	for id, entry := range s.entries {
		if s.waiting(id) && entry.MasterVersion < latest {
			wrong = append(wrong, fmt.Sprintf("the key entry keys/%s stays under master key version %d, because the record ws/<name> of its "+
				"workspace is missing or damaged; restore the record from a snapshot of Vault's storage", id, entry.MasterVersion))
		}
	}
	return wrong
}
