package syncs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/nametemplate"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/recordset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/schedule"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// looksAtOnce bounds how many syncs read their environment and their ledger at the same time. After a
// start all of them do, and a request that reads an environment shares the storage with those that
// are at it.
const looksAtOnce = 4

// Load reads all syncs, with their states.
func Load(ctx context.Context, d Deps) (*Service, error) {
	s := &Service{
		Deps: d, ledgers: ledger.New(d.Store, d.Keys),
		standing: make(map[store.ID]*standing), holds: make(map[store.ID]*held), circuits: make(map[store.ID]circuit), paused: d.Settings.Config().Paused,
		looks: make(chan struct{}, looksAtOnce),
	}
	s.scheduler = schedule.New(d.Clock, d.Jobs, s)
	s.records = recordset.New(&s.mu, recordset.Family[*entry]{
		Kind: store.KindSync, Tree: d.Tree, Undone: d.Undone,
		Exists: func(env store.ID) bool { return d.Tree.HasRecord(store.KindEnvironment, env) },
		Read:   s.read, Took: s.took, Dropped: s.dropped, Rechecked: s.rechecked,
	})
	environments := s.environments()
	err := s.records.Load(ctx, recordset.Listing[*entry]{
		Parents: d.Store.SyncedEnvironments, Names: d.Store.Syncs,
		Blank: func(at recordset.Key) *entry {
			env := environments[at.Parent]
			return &entry{location: location{recordset.Member{At: at, Workspace: env.WorkspaceID}, env.Path()}}
		},
	})
	if err != nil {
		return nil, err
	}
	s.watch()
	return s, nil
}

// environments returns all environments by their ids.
func (s *Service) environments() map[store.ID]workspaces.Place {
	all := make(map[store.ID]workspaces.Place)
	for _, ws := range s.Keys.IDs() {
		for _, p := range s.Tree.Places(ws) {
			all[p.EnvironmentID] = p
		}
	}
	return all
}

// read reads the sync that is stored where of is, with its state.
func (s *Service) read(ctx context.Context, of *entry) (*entry, error) {
	record, err := s.Store.Sync(ctx, of.At.Parent, of.At.Group, of.At.Name)
	if err != nil || record == nil {
		return nil, err
	}
	state, err := s.Store.SyncState(ctx, record.ID)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return nil, err
	}
	e := s.newEntry(of.location, record)
	e.state = state
	return e, nil
}

// newEntry makes an entry of what is stored.
func (s *Service) newEntry(at location, record *store.Sync) *entry {
	at.ID = record.ID
	e := &entry{location: at, record: record, lost: true}
	declared, p, known := s.Providers.Destination(at.At.Group)
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
