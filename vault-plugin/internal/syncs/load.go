package syncs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/nametemplate"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/schedule"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// looksAtOnce bounds how many syncs read their environment and their ledger at the same time. After a
// start all of them do, and a request that reads an environment shares the storage with those that
// are at it.
const looksAtOnce = 4

// loadParallelism bounds the storage reads in flight while a mount starts.
const loadParallelism = 64

// Load reads all syncs, and how they stand.
func Load(ctx context.Context, d Deps) (*Service, error) {
	s := &Service{
		Deps: d, ledgers: ledger.New(d.Store, d.Keys),
		entries: make(map[place]*entry), places: make(map[store.ID]place), inside: make(map[store.ID]map[store.ID]bool), ending: make(map[place]bool),
		standing: make(map[store.ID]*standing), holds: make(map[store.ID]*held), circuits: make(map[store.ID]circuit), paused: d.Settings.Config().Paused,
		looks: make(chan struct{}, looksAtOnce),
	}
	s.scheduler = schedule.New(d.Clock, d.Jobs, s)
	homes := s.homes()
	owners, err := d.Store.SyncedEnvironments(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the syncs: %w", err)
	}
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(loadParallelism)
	for _, env := range owners {
		h, exists := homes[env]
		if !exists {
			continue // it is being swept, or its record is lost
		}
		work.Go(func() error {
			names, err := d.Store.Syncs(workCtx, env)
			if err != nil {
				return err
			}
			for destination, all := range names {
				for _, name := range all {
					if err := s.reload(workCtx, h, place{env, destination, name}); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return nil, fmt.Errorf("load the syncs: %w", err)
	}
	slices.Sort(s.damaged)
	d.Undone.Own(s, store.KindSync)
	d.Undone.Before(s.Forget)
	s.watch()
	return s, nil
}

// homes answers all environments by their ids.
func (s *Service) homes() map[store.ID]home {
	homes := make(map[store.ID]home)
	for _, ws := range s.Keys.IDs() {
		for _, p := range s.Tree.Places(ws) {
			homes[p.EnvironmentID] = home{p.WorkspaceID, p.Path(), p.EnvironmentID}
		}
	}
	return homes
}

// reload takes in what is stored of a sync, and drops one that is not stored.
func (s *Service) reload(ctx context.Context, h home, at place) error {
	record, err := s.Store.Sync(ctx, at.environment, at.destination, at.name)
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
	state, err := s.Store.SyncState(ctx, record.ID)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return err
	}
	s.take(h, at, record)
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.standing[record.ID]; state != nil && st.stored == nil {
		st.stored, st.now = state, *state
	}
	return nil
}

// newEntry makes an entry of what is stored.
func (s *Service) newEntry(h home, at place, record *store.Sync) *entry {
	e := &entry{at: at, home: h, record: record, lost: true}
	declared, p, known := s.Providers.Destination(at.destination)
	if !known {
		return e
	}
	e.declared, e.provider = declared, p.Declare().Name
	e.settings = integrations.ValuesOf(declared.Fields, record.Settings)
	template, err := nametemplate.Parse(record.Template)
	e.template, e.lost = template, err != nil
	return e
}

// startEvery is how far apart the first looks of a start are: a thousand of them take five seconds, and none of them a destination.
const startEvery = 5 * time.Millisecond

// Start has every sync looked at: those first that a restart has found with something to do.
func (s *Service) Start() {
	s.mu.RLock()
	type first struct {
		id   store.ID
		idle bool
		next time.Time
	}
	var all []first
	for id, st := range s.standing {
		f := first{id: id, idle: State(st.now.State) == Synced}
		if st.waits() {
			f.next = st.now.Next
		}
		all = append(all, f)
	}
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b first) int {
		if a.idle != b.idle {
			if a.idle {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.id, b.id)
	})
	now := s.now()
	for i, f := range all {
		when := now.Add(time.Duration(i) * startEvery)
		if f.next.After(when) {
			when = f.next
		}
		s.scheduler.At(f.id, when)
	}
}

// Wake tries again what is left to do.
func (s *Service) Wake() {
	s.Jobs.Start("note syncs", s.storeStates)
	s.scheduler.Wake()
}

// Stop ends all runs.
func (s *Service) Stop() { s.scheduler.Stop() }
