// Package syncs owns the syncs of environments: their definitions, which are all in memory, their
// schedule, their states and their deletion. Package syncplan decides the actions of a run, and
// package syncrun takes them. The package knows only what destinations declare, and none by name.
package syncs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/activity"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/budget"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/clock"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/nametemplate"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/recordset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/schedule"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Trigger is what starts runs of a sync.
type Trigger string

// The triggers.
const (
	OnChange Trigger = provider.TriggerChange // a change to what the environment delivers
	Manual   Trigger = provider.TriggerManual // only a request
)

// Deps are the services that a Service uses.
type Deps struct {
	Store        *store.Store
	Keys         *keys.Service
	Tree         *workspaces.Tree
	Settings     *settings.Service
	Secrets      *secrets.Service
	Integrations *integrations.Service
	Jobs         *jobs.Group
	Providers    *provider.Registry
	Clock        clock.Clock
	Undone       *undone.Service
	Activity     activity.Sink
}

// Service holds the syncs of one mount.
type Service struct {
	Deps
	ledgers   *ledger.Service
	scheduler *schedule.Scheduler
	reads     *budget.Budget // of the reads that startRead has started

	mu        sync.RWMutex
	records   *recordset.Set[*syncDef]
	runStates map[store.ID]*runState
	holds     map[store.ID]*holdCount
	circuits  map[store.ID]circuit // by integration; see circuitOpen
	paused    bool                 // the mount's setting paused, as configChanged last saw it

	mounted atomic.Pointer[string] // path of the mount in the last request
}

// location is where a sync is stored, and the names of its environment. Environments cannot be
// renamed, so a location is valid as long as the environment exists.
type location struct {
	recordset.Member
	names workspaces.Path
}

// environment returns project/environment.
func (l location) environment() string { return l.names.Project + "/" + l.names.Environment }

// syncDef is the definition of a sync in memory. It is immutable: a change replaces it.
type syncDef struct {
	location
	record      *store.Sync
	state       *store.SyncState // read with the record; nil once took has moved it to a runState
	declared    provider.Destination
	provider    string
	settings    provider.Values // complete
	template    nametemplate.Template
	unsupported bool // this version does not know the destination or cannot parse the template
}

// path returns project/environment/destination/name. Errors and lists use it to name a sync of a
// workspace.
func (e *syncDef) path() string { return e.environment() + "/" + e.At.String() }

// destination returns the name of the sync's destination.
func (e *syncDef) destination() string { return e.At.Group }

// stored returns the storage key of the record, for errors.
func (e *syncDef) stored() string { return e.At.Stored(store.KindSync) }

func (e *syncDef) owner() ledger.Owner {
	return ledger.Owner{
		Workspace: e.Workspace, Sync: e.ID,
		Project: e.names.Project, Environment: e.names.Environment, Destination: e.At.Group, Name: e.At.Name,
	}
}

func (e *syncDef) namer() nametemplate.Namer {
	return nametemplate.Namer{
		Template: e.template, Include: e.record.Include, Exclude: e.record.Exclude,
		Fields: nametemplate.Fields{Project: e.names.Project, Environment: e.names.Environment, Workspace: e.names.Workspace},
	}
}

// mount returns the path of the mount, for commands in hints. It is empty before the first request.
func (s *Service) mount() string {
	if path := s.mounted.Load(); path != nil {
		return *path
	}
	return ""
}

func (s *Service) now() time.Time { return s.Clock.Now().UTC() }

// byID returns the sync with an id, or nil if it does not exist.
func (s *Service) byID(id store.ID) *syncDef {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records.ByID(id)
}

// find returns the location of a sync, and the sync or nil if it does not exist.
func (s *Service) find(call caller.Request, path Path) (location, *syncDef, error) {
	env, err := s.Tree.Find(call, path.Path)
	if err != nil {
		return location{}, nil, err
	}
	if call.Mount != "" && call.Mount != s.mount() {
		s.mounted.Store(&call.Mount)
	}
	key := recordset.Key{Parent: env.EnvironmentID, Group: path.Destination, Name: path.Name}
	s.mu.RLock()
	defer s.mu.RUnlock()
	found, err := s.records.Find(key)
	return location{recordset.Member{At: key, Workspace: env.WorkspaceID}, path.Path}, found, err
}

// mustFind returns a sync. If the sync does not exist, the error has status 400 and contains the
// command that creates the sync; see fault.Missing.
func (s *Service) mustFind(call caller.Request, path Path) (*syncDef, error) {
	_, found, err := s.find(call, path)
	if err == nil && found == nil {
		err = fault.New(fault.NotFound, "sync %s/%s of %s does not exist; create it with: vault write %s ...",
			path.Destination, path.Name, path.Path, path.command(call))
	}
	return found, err
}

// Exists reports whether a sync exists.
func (s *Service) Exists(path Path) bool {
	_, found, _ := s.find(caller.Request{}, path)
	return found != nil
}

// Count returns the number of syncs of a workspace.
func (s *Service) Count(ws store.ID) int { return s.records.Count(ws) }

// Total returns the number of syncs.
func (s *Service) Total() int { return s.records.Total() }

// inWorkspace returns the syncs of a workspace, sorted by path.
func (s *Service) inWorkspace(ws store.ID) []*syncDef {
	s.mu.RLock()
	all := slices.Collect(s.records.In(ws))
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b *syncDef) int { return strings.Compare(a.path(), b.path()) })
	return all
}

// dependentsOf returns the syncs that use an integration.
func (s *Service) dependentsOf(integration store.ID) []integrations.Dependent {
	found, exists := s.Integrations.ByID(integration)
	if !exists {
		return nil
	}
	s.mu.RLock()
	syncs := slices.Collect(s.records.In(found.WorkspaceID)) // an integration serves its own workspace only
	s.mu.RUnlock()
	var all []integrations.Dependent
	for _, e := range syncs {
		if e.record.Integration == integration {
			all = append(all, e.dependent())
		}
	}
	return all
}

// dependent describes the sync to its integration.
func (e *syncDef) dependent() integrations.Dependent {
	d := integrations.Dependent{Name: e.path(), Environment: e.environment(), Target: e.record.Target.Path}
	if e.unsupported {
		return d
	}
	fields := e.namer().Fields
	fields.Name = "NAME"
	name, err := e.template.Execute(fields)
	if err != nil {
		name = fields.Name
	}
	d.Place, d.Entry = e.place(), fold(e.declared, name)
	return d
}

// place returns the place of its entries at the destination.
func (e *syncDef) place() provider.Place {
	return provider.Place{Destination: e.destination(), Granularity: provider.Granularity(e.record.Granularity), Settings: e.settings}
}

// dependents names the syncs of the given environments, or all syncs of a workspace if environments
// is nil.
func (s *Service) dependents(ws store.ID, environments map[string]bool) []string {
	var names []string
	for _, e := range s.inWorkspace(ws) {
		if environments == nil || environments[e.environment()] {
			names = append(names, "sync "+e.path())
		}
	}
	return names
}

// Health describes records that could not be read and syncs that this version does not support.
func (s *Service) Health() []string {
	wrong := s.records.Health()
	s.mu.RLock()
	defer s.mu.RUnlock()
	for e := range s.records.All() {
		if e.unsupported {
			wrong = append(wrong, fmt.Sprintf("this version of the plugin does not support the destination or name_template of the sync %s; run the version that wrote the sync, or a newer one", e.stored()))
		}
	}
	return wrong
}

// took is called when memory has received a sync. It gives a new sync a runState.
func (s *Service) took(e *syncDef) {
	st := s.runStates[e.ID]
	if st == nil {
		st = &runState{dirty: true}
		s.runStates[e.ID] = st
	}
	if e.state != nil && st.stored == nil {
		st.stored, st.current = e.state, *e.state
	}
	e.state = nil
}

// dropped is called when a sync was removed from memory. It ends the run of the sync.
func (s *Service) dropped(e *syncDef) {
	if st := s.runStates[e.ID]; st != nil {
		st.end()
	}
	delete(s.runStates, e.ID)
	s.scheduler.Drop(e.ID)
}

// rechecked is called when the outcome of a pending change to e has become known. stored is nil if
// the sync does not exist.
func (s *Service) rechecked(_ context.Context, e, stored *syncDef, begun *undone.Change) {
	if stored == nil {
		s.settle(e.ID, begun)
		return
	}
	begun.Settle()
	s.retryNow(stored.ID)
}

// Forget removes the syncs of deleted environments from memory and ends their runs.
func (s *Service) Forget() { s.records.Forget() }
