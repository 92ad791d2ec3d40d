package integrations

import (
	"context"
	"errors"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/credseal"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/recordset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
)

// Load reads all integrations and their sealed credentials, and returns the Service that owns them.
func Load(ctx context.Context, d Deps) (*Service, error) {
	s := &Service{
		Deps: d, sealing: credseal.New(d.Keys),
		untidy: make(map[store.ID]bool), usage: make(map[store.ID]unsavedUsage),
		clients: make(map[store.ID]*client), uses: make(map[*use]bool),
	}
	s.records = recordset.New(&s.mu, recordset.Family[*entry]{
		Kind: store.KindIntegration, Tree: d.Tree, Undone: d.Undone,
		Exists: func(ws store.ID) bool { _, exists := d.Tree.Condition(ws); return exists },
		Owns:   s.owns, Read: s.read, Took: s.took, Dropped: s.dropped, Rechecked: s.rechecked,
	})
	return s, s.records.Load(ctx, recordset.Listing[*entry]{
		Parents: d.Store.IntegrationOwners, Names: d.Store.Integrations,
		Blank: func(at recordset.Key) *entry { return &entry{Member: recordset.Member{At: at, Workspace: at.Parent}} },
	})
}

// read reads the integration stored at the key of e, and its sealed credential. It returns nil if
// no record is stored. A damaged credential is not an error: the integration is then unreadable.
func (s *Service) read(ctx context.Context, e *entry) (*entry, error) {
	record, err := s.Store.Integration(ctx, e.At.Parent, e.At.Group, e.At.Name)
	if err != nil || record == nil {
		return nil, err
	}
	sealed, err := s.Store.Credential(ctx, record.ID)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return nil, err
	}
	return s.newEntry(e.Member, record, sealed), nil
}

// took updates untidy for an entry that is put into memory. The caller holds the lock.
func (s *Service) took(e *entry) {
	if sealed := s.allowed(e.record, e.sealed); sealed != nil && len(sealed.Generations) < len(e.sealed.Generations) {
		s.untidy[e.ID] = true
	} else {
		delete(s.untidy, e.ID)
	}
}

// dropped ends the uses of an integration that is removed from memory, and closes its client. The
// caller holds the lock.
func (s *Service) dropped(e *entry) {
	delete(s.usage, e.ID)
	delete(s.untidy, e.ID)
	for u := range s.uses {
		if u.integration == e.ID {
			u.cancel()
		}
	}
	if c := s.clients[e.ID]; c != nil {
		c.Close()
		delete(s.clients, e.ID)
	}
}

// rechecked tidies the stored integration and ends the change, once the outcome of a change to e is
// known. stored is nil if the integration does not exist.
func (s *Service) rechecked(ctx context.Context, e, stored *entry, begun *undone.Change) {
	if stored != nil {
		s.tidy(ctx, stored)
	}
	begun.Settle()
	s.notify(e)
}

// Start records the integrations that a person must repair. It also starts the removal of
// generations that an interrupted change has left in storage.
func (s *Service) Start() {
	s.recordUnreadable()
	s.Jobs.Start("tidy credentials", s.tidyAll)
}

// Wake retries the removal of generations, and stores the last uses of integrations. The engine
// calls it every minute.
func (s *Service) Wake() {
	s.Jobs.Start("tidy credentials", s.tidyAll)
	s.Jobs.Start("store integration usage", s.storeUsage)
}

// Forget removes the integrations of deleted workspaces from memory, and ends their uses.
func (s *Service) Forget() { s.records.Forget() }
