package integrations

import (
	"context"
	"errors"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/credseal"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/recordset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
)

// Load reads all integrations, with their sealed credentials.
func Load(ctx context.Context, d Deps) (*Service, error) {
	s := &Service{
		Deps: d, sealing: credseal.New(d.Keys),
		untidy: make(map[store.ID]bool), usage: make(map[store.ID]noted),
		clients: make(map[store.ID]*client), uses: make(map[*use]bool),
	}
	s.records = recordset.New(&s.mu, recordset.Family[*entry]{
		Kind: store.KindIntegration, Tree: d.Tree, Undone: d.Undone,
		Exists: func(ws store.ID) bool { _, exists := d.Tree.Condition(ws); return exists },
		Read:   s.read, Took: s.took, Dropped: s.dropped, Rechecked: s.rechecked,
	})
	return s, s.records.Load(ctx, recordset.Listing[*entry]{
		Parents: d.Store.IntegrationOwners, Names: d.Store.Integrations,
		Blank: func(at recordset.Key) *entry { return &entry{Member: recordset.Member{At: at, Workspace: at.Parent}} },
	})
}

// read reads the integration that is stored where of is, with its sealed credential.
func (s *Service) read(ctx context.Context, of *entry) (*entry, error) {
	record, err := s.Store.Integration(ctx, of.At.Parent, of.At.Group, of.At.Name)
	if err != nil || record == nil {
		return nil, err
	}
	sealed, err := s.Store.Credential(ctx, record.ID)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return nil, err
	}
	return s.newEntry(of.Member, record, sealed), nil
}

// took notes whether a credential has to be tidied.
func (s *Service) took(e *entry) {
	if sealed := s.allowed(e.record, e.sealed); sealed != nil && len(sealed.Generations) < len(e.sealed.Generations) {
		s.untidy[e.ID] = true
	} else {
		delete(s.untidy, e.ID)
	}
}

// dropped ends the uses of an integration that is removed from memory.
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

// rechecked is called when the outcome of a change to e is known.
func (s *Service) rechecked(ctx context.Context, e, stored *entry, begun *undone.Change) {
	if stored != nil {
		s.tidy(ctx, stored)
	}
	begun.Settle()
	s.changed(e)
}

// Start continues what a restart has interrupted.
func (s *Service) Start() {
	s.Jobs.Start("tidy credentials", s.tidyAll)
}

// Wake tries again what is left to do, and stores how integrations were used.
func (s *Service) Wake() {
	s.Jobs.Start("tidy credentials", s.tidyAll)
	s.Jobs.Start("note integrations", s.storeUsage)
}

// Forget drops the integrations of workspaces that were deleted, and ends their uses.
func (s *Service) Forget() { s.records.Forget() }
