package integrations

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/credseal"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// loadParallelism bounds the storage reads in flight while a mount starts.
const loadParallelism = 64

// Load reads all integrations, with their credentials as they are sealed.
func Load(ctx context.Context, d Deps) (*Service, error) {
	s := &Service{
		Deps: d, sealing: credseal.New(d.Keys),
		entries: make(map[place]*entry), places: make(map[store.ID]place),
		ending: make(map[place]bool), untidy: make(map[store.ID]bool), usage: make(map[store.ID]noted),
		clients: make(map[store.ID]*client), uses: make(map[*use]bool),
	}
	owners, err := d.Store.IntegrationOwners(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the integrations: %w", err)
	}
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(loadParallelism)
	for _, ws := range owners {
		if _, exists := d.Tree.Condition(ws); !exists {
			continue // it is being swept, or its record is lost
		}
		names, err := d.Store.Integrations(ctx, ws)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("list the integrations: %w", err), work.Wait())
		}
		for prov, all := range names {
			for _, name := range all {
				work.Go(func() error { return s.reload(workCtx, place{ws, prov, name}) })
			}
		}
	}
	if err := work.Wait(); err != nil {
		return nil, fmt.Errorf("load the integrations: %w", err)
	}
	slices.Sort(s.damaged)
	d.Undone.Own(s, store.KindIntegration)
	d.Undone.Before(s.Forget)
	return s, nil
}

// reload takes in what is stored of an integration, and drops one that is not stored.
func (s *Service) reload(ctx context.Context, at place) error {
	record, err := s.Store.Integration(ctx, at.workspace, at.provider, at.name)
	switch {
	case errors.Is(err, store.ErrDamaged):
		s.mu.Lock()
		defer s.mu.Unlock()
		if !slices.Contains(s.damaged, at.stored()) {
			s.damaged = append(s.damaged, at.stored())
		}
		return nil
	case err != nil:
		return err
	case record == nil:
		s.forget(at)
		return nil
	}
	sealed, err := s.Store.Credential(ctx, record.ID)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return err
	}
	s.take(at, record, sealed)
	return nil
}

// missing is the reason why there is no integration; nil where there is simply none. One whose record is damaged must not be made
// anew: that would take the place of the record. The caller holds mu.
func (s *Service) missing(at place) error {
	if !slices.Contains(s.damaged, at.stored()) {
		return nil
	}
	return fault.Damaged("the record %s is damaged, and what it holds is out of reach; restore it from a snapshot of Vault's storage", at.stored())
}

// Start goes on with what a restart has interrupted.
func (s *Service) Start() {
	s.Jobs.Start("tidy credentials", s.tidyAll)
}

// Wake tries again what is left to do, and stores how integrations were used.
func (s *Service) Wake() {
	s.Jobs.Start("tidy credentials", s.tidyAll)
	s.Jobs.Start("note integrations", s.storeUsage)
}

// tidyAll removes the generations of credentials that are not in force.
func (s *Service) tidyAll(ctx context.Context) {
	s.mu.RLock()
	var all []place
	for id := range s.untidy {
		all = append(all, s.places[id])
	}
	s.mu.RUnlock()
	for _, at := range all {
		_ = s.Tree.Exclusively(ctx, at.workspace, func() error { // what fails stays untidy
			s.tidy(ctx, at)
			return nil
		})
	}
}

// tidy removes from the entry of a credential what is not in force. The caller holds the workspace's change lock.
func (s *Service) tidy(ctx context.Context, at place) {
	s.mu.RLock()
	e := s.entries[at]
	s.mu.RUnlock()
	if e == nil {
		return
	}
	g, held := e.sealed.Find(e.record.Credential.Generation)
	if !held || len(e.sealed.Generations) == 1 {
		return
	}
	only := &store.Credential{Generations: []store.Generation{g}}
	if s.Store.PutCredential(ctx, e.record.ID, only) == nil {
		s.take(at, e.record, only)
	}
}
