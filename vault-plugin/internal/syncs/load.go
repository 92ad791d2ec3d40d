package syncs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/budget"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/nametemplate"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/recordset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/schedule"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// maxReads bounds the syncs that read their environment and their ledger at the same time. All
// syncs do so after a start, while requests use the same storage. The syncs of one workspace are at
// most maxReadsOfOne of them, because they may wait until their values fit into memory.
const (
	maxReads      = 4
	maxReadsOfOne = 3
)

// Load reads all syncs and their states.
func Load(ctx context.Context, d Deps) (*Service, error) {
	s := &Service{
		Deps: d, ledgers: ledger.New(d.Store, d.Keys),
		runStates: make(map[store.ID]*runState), holds: make(map[store.ID]*holdCount), circuits: make(map[store.ID]circuit), paused: d.Settings.Config().Paused,
		reads: budget.New(maxReads, maxReadsOfOne),
	}
	s.scheduler = schedule.New(d.Clock, d.Jobs, s)
	s.records = recordset.New(&s.mu, recordset.Family[*syncDef]{
		Kind: store.KindSync, Tree: d.Tree, Undone: d.Undone,
		Exists: func(env store.ID) bool { return d.Tree.HasRecord(store.KindEnvironment, env) },
		Owns:   s.owns, Read: s.read, Took: s.took, Dropped: s.dropped, Rechecked: s.rechecked,
	})
	environments := s.environments()
	err := s.records.Load(ctx, recordset.Listing[*syncDef]{
		Parents: d.Store.SyncedEnvironments, Names: d.Store.Syncs,
		Blank: func(key recordset.Key) *syncDef {
			env := environments[key.Parent]
			return &syncDef{location: location{recordset.Member{At: key, Workspace: env.WorkspaceID}, env.Path()}}
		},
	})
	if err != nil {
		return nil, err
	}
	s.watch()
	return s, nil
}

// environments returns all environments by id.
func (s *Service) environments() map[store.ID]workspaces.Place {
	all := make(map[store.ID]workspaces.Place)
	for _, ws := range s.Keys.IDs() {
		for _, p := range s.Tree.Places(ws) {
			all[p.EnvironmentID] = p
		}
	}
	return all
}

// read reads the sync at the location of the given one, and its state. It returns nil if there is
// no sync. A damaged state is ignored.
func (s *Service) read(ctx context.Context, of *syncDef) (*syncDef, error) {
	record, err := s.Store.Sync(ctx, of.At.Parent, of.At.Group, of.At.Name)
	if err != nil || record == nil {
		return nil, err
	}
	state, err := s.Store.SyncState(ctx, record.ID)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return nil, err
	}
	e := s.newDef(of.location, record)
	e.state = state
	return e, nil
}

// newDef returns the definition that a record contains.
func (s *Service) newDef(loc location, record *store.Sync) *syncDef {
	loc.ID = record.ID
	e := &syncDef{location: loc, record: record, unsupported: true}
	declared, p, known := s.Providers.Destination(loc.At.Group)
	if !known {
		return e
	}
	e.declared, e.provider = declared, p.Declare().Name
	e.settings = integrations.ValuesOf(declared.Fields, record.Settings)
	template, err := nametemplate.Parse(record.Template)
	e.template, e.unsupported = template, err != nil
	return e
}

// startEvery is the time between the first visits after a start, so that the visits of 1,000 syncs
// are spread over five seconds. A sync without changes does not contact its destination.
const startEvery = 5 * time.Millisecond

// Start schedules a visit of every sync. Syncs whose stored state is not Synced come first.
func (s *Service) Start() {
	s.mu.RLock()
	type first struct {
		id   store.ID
		idle bool
		next time.Time
	}
	var all []first
	for id, st := range s.runStates {
		f := first{id: id, idle: State(st.current.State) == Synced}
		if st.backsOff() {
			f.next = st.current.Next
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

// Wake stores states that could not be stored before, and starts visits that are due.
func (s *Service) Wake() {
	s.Jobs.Start("store sync states", s.storeStates)
	s.scheduler.Wake()
}

// Stop stops the scheduler: no further visit becomes due.
func (s *Service) Stop() { s.scheduler.Stop() }
