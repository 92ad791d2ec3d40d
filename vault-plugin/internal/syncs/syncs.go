// Package syncs owns the syncs of environments: their definitions, which are all in memory, when they run, how they stand, and their
// end. What a run does is decided by package syncplan and done by package syncrun. It knows destinations by what they declare, and none
// by name.
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

// Trigger is what has a sync run.
type Trigger string

// The triggers.
const (
	OnChange Trigger = provider.TriggerChange // a change of what the environment delivers
	Manual   Trigger = provider.TriggerManual // only a person, or a program, that asks for it
)

// Deps are what a Service works with.
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
}

// Service holds the syncs of one mount.
type Service struct {
	Deps
	ledgers   *ledger.Service
	scheduler *schedule.Scheduler
	looks     chan struct{} // holds one element for each look that is under way

	mu       sync.RWMutex
	records  *recordset.Set[*entry]
	standing map[store.ID]*standing
	holds    map[store.ID]*held
	circuits map[store.ID]circuit // by integration
	paused   bool                 // everything that goes out, when it was last looked at

	mounted atomic.Pointer[string] // path of the mount, as the last request had it
}

// location is where a sync is stored, and the names of its environment. Nothing is renamed, so a
// location is valid as long as the environment exists.
type location struct {
	recordset.Member
	names workspaces.Path
}

// environment returns project/environment.
func (l location) environment() string { return l.names.Project + "/" + l.names.Environment }

// entry is a sync in memory. It is immutable: a change replaces it.
type entry struct {
	location
	record   *store.Sync
	state    *store.SyncState // read with the record; nil once the sync's standing has it
	declared provider.Destination
	provider string
	settings provider.Values // complete
	template nametemplate.Template
	lost     bool // this version does not know its destination, or cannot read its template
}

// path answers project/environment/destination/name, by which errors and lists name a sync of a workspace.
func (e *entry) path() string { return e.environment() + "/" + e.At.String() }

// destination is the name of the sync's destination.
func (e *entry) destination() string { return e.At.Group }

// stored is the storage key of the record, for errors.
func (e *entry) stored() string { return e.At.Stored(store.KindSync) }

func (e *entry) owner() ledger.Owner {
	return ledger.Owner{
		Workspace: e.Workspace, Sync: e.ID,
		Project: e.names.Project, Environment: e.names.Environment, Destination: e.At.Group, Name: e.At.Name,
	}
}

func (e *entry) namer() nametemplate.Namer {
	return nametemplate.Namer{
		Template: e.template, Include: e.record.Include, Exclude: e.record.Exclude,
		Fields: nametemplate.Fields{Project: e.names.Project, Environment: e.names.Environment, Workspace: e.names.Workspace},
	}
}

// mount is the path of the mount, for commands in hints; "" where no request has told it yet.
func (s *Service) mount() string {
	if path := s.mounted.Load(); path != nil {
		return *path
	}
	return ""
}

func (s *Service) now() time.Time { return s.Clock.Now().UTC() }

// byID answers the sync with an id; nil where it does not exist.
func (s *Service) byID(id store.ID) *entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records.ByID(id)
}

// find looks a sync up; nil where there is none.
func (s *Service) find(call caller.Request, path Path) (location, *entry, error) {
	env, err := s.Tree.Find(call, path.Path)
	if err != nil {
		return location{}, nil, err
	}
	if call.Mount != "" && call.Mount != s.mount() {
		s.mounted.Store(&call.Mount)
	}
	at := recordset.Key{Parent: env.EnvironmentID, Group: path.Destination, Name: path.Name}
	s.mu.RLock()
	defer s.mu.RUnlock()
	found, err := s.records.Find(at)
	return location{recordset.Member{At: at, Workspace: env.WorkspaceID}, path.Path}, found, err
}

// must is find for a sync that is to exist: a missing one is an error of status 400 that tells how to make it, for whatever is asked about
// it stands behind its name.
func (s *Service) must(call caller.Request, path Path) (*entry, error) {
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

// of lists the syncs of a workspace by their paths.
func (s *Service) of(ws store.ID) []*entry {
	s.mu.RLock()
	all := slices.Collect(s.records.In(ws))
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b *entry) int { return strings.Compare(a.path(), b.path()) })
	return all
}

// dependentsOf answers the syncs that use an integration.
func (s *Service) dependentsOf(integration store.ID) []integrations.Dependent {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var users []integrations.Dependent
	for e := range s.records.All() {
		if e.record.Integration == integration {
			users = append(users, e.user())
		}
	}
	return users
}

// user is the sync as its integration knows it.
func (e *entry) user() integrations.Dependent {
	u := integrations.Dependent{Name: e.path(), Environment: e.environment(), Target: e.record.Target.Path}
	if e.lost {
		return u
	}
	fields := e.namer().Fields
	fields.Name = "NAME"
	name, err := e.template.Execute(fields)
	if err != nil {
		name = fields.Name
	}
	u.Place, u.Entry = e.place(), folded(e.declared, name)
	return u
}

// place is where its entries are kept.
func (e *entry) place() provider.Place {
	return provider.Place{Destination: e.destination(), Granularity: provider.Granularity(e.record.Granularity), Settings: e.settings}
}

// dependents names the syncs of environments; of all of a workspace where those are nil.
func (s *Service) dependents(ws store.ID, environments map[string]bool) []string {
	var names []string
	for _, e := range s.of(ws) {
		if environments == nil || environments[e.environment()] {
			names = append(names, "sync "+e.path())
		}
	}
	return names
}

// Health names what could not be read, and what this version does not know.
func (s *Service) Health() []string {
	wrong := s.records.Health()
	s.mu.RLock()
	defer s.mu.RUnlock()
	for e := range s.records.All() {
		if e.lost {
			wrong = append(wrong, fmt.Sprintf("the sync %s is of a kind that this version of the plugin does not know; run the version that wrote it, or a newer one", e.stored()))
		}
	}
	return wrong
}

// took gives a sync that is new in memory a standing.
func (s *Service) took(e *entry) {
	st := s.standing[e.ID]
	if st == nil {
		st = &standing{dirty: true}
		s.standing[e.ID] = st
	}
	if e.state != nil && st.stored == nil {
		st.stored, st.now = e.state, *e.state
	}
	e.state = nil
}

// dropped ends the run of a sync that is removed from memory.
func (s *Service) dropped(e *entry) {
	if st := s.standing[e.ID]; st != nil {
		st.end()
	}
	delete(s.standing, e.ID)
	s.scheduler.Drop(e.ID)
}

// rechecked is called when the outcome of a change to e is known.
func (s *Service) rechecked(_ context.Context, e, stored *entry, begun *undone.Change) {
	if stored == nil {
		s.settle(e.ID, begun)
		return
	}
	begun.Settle()
	s.again(stored.ID)
}

// Forget drops the syncs of environments that were deleted, and ends their runs.
func (s *Service) Forget() { s.records.Forget() }
