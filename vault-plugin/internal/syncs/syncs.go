// Package syncs owns the syncs of environments: their definitions, which are all in memory, when they run, how they stand, and their
// end. What a run does is decided by package syncplan and done by package syncrun. It knows destinations by what they declare, and none
// by name.
package syncs

import (
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
	entries  map[place]*entry
	places   map[store.ID]place
	inside   map[store.ID]map[store.ID]bool // of each workspace, the ids of its syncs
	ending   map[place]bool                 // it is not known whether they were deleted
	damaged  []string                       // records that could not be read when the mount was loaded; sorted
	standing map[store.ID]*standing
	holds    map[store.ID]*held
	circuits map[store.ID]circuit // by integration
	paused   bool                 // everything that goes out, when it was last looked at

	mounted atomic.Pointer[string] // path of the mount, as the last request had it
}

// place is where a sync stands.
type place struct {
	environment       store.ID
	destination, name string
}

// stored is its place in storage, for errors.
func (p place) stored() string {
	return "sync/" + string(p.environment) + "/" + p.destination + "/" + p.name
}

// mark is what marks its creation or deletion.
func (p place) mark(deletion bool) store.Undone {
	return store.Undone{Kind: store.KindSync, Parent: p.environment, Name: p.destination + "/" + p.name, Deletion: deletion}
}

// home is the environment that a sync is one of. Nothing is renamed, so it holds as long as the environment exists.
type home struct {
	workspace   store.ID
	names       workspaces.Path
	environment store.ID
}

// path answers project/environment.
func (h home) path() string { return h.names.Project + "/" + h.names.Environment }

// entry is a sync in memory. It is immutable: a change replaces it.
type entry struct {
	at       place
	home     home
	record   *store.Sync
	declared provider.Destination
	provider string
	settings provider.Values // complete
	template nametemplate.Template
	lost     bool // this version does not know its destination, or cannot read its template
}

// path answers project/environment/destination/name, by which errors and lists name a sync of a workspace.
func (e *entry) path() string { return e.home.path() + "/" + e.at.destination + "/" + e.at.name }

func (e *entry) owner() ledger.Owner {
	return ledger.Owner{
		Workspace: e.home.workspace, Sync: e.record.ID,
		Project: e.home.names.Project, Environment: e.home.names.Environment, Destination: e.at.destination, Name: e.at.name,
	}
}

func (e *entry) namer() nametemplate.Namer {
	return nametemplate.Namer{
		Template: e.template, Include: e.record.Include, Exclude: e.record.Exclude,
		Fields: nametemplate.Fields{Project: e.home.names.Project, Environment: e.home.names.Environment, Workspace: e.home.names.Workspace},
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
	at, known := s.places[id]
	if !known {
		return nil
	}
	return s.entries[at]
}

// find looks a sync up; nil where there is none.
func (s *Service) find(call caller.Request, path Path) (home, *entry, error) {
	env, err := s.Tree.Find(call, path.Path)
	if err != nil {
		return home{}, nil, err
	}
	if call.Mount != "" && call.Mount != s.mount() {
		s.mounted.Store(&call.Mount)
	}
	h := home{env.WorkspaceID, path.Path, env.EnvironmentID}
	at := place{env.EnvironmentID, path.Destination, path.Name}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.ending[at] {
		return h, nil, fault.New(fault.Unavailable, "whether sync %s/%s was deleted is not known, because storage failed; try again when it is well", path.Destination, path.Name)
	}
	found := s.entries[at]
	if found == nil && slices.Contains(s.damaged, at.stored()) {
		return h, nil, fault.Damaged("the record %s is damaged, and what it holds is out of reach; restore it from a snapshot of Vault's storage", at.stored())
	}
	return h, found, nil
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

// Count answers how many syncs a workspace has.
func (s *Service) Count(ws store.ID) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.inside[ws])
}

// Total answers how many syncs there are.
func (s *Service) Total() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.entries)
}

// of lists the syncs of a workspace by their paths.
func (s *Service) of(ws store.ID) []*entry {
	s.mu.RLock()
	all := make([]*entry, 0, len(s.inside[ws]))
	for id := range s.inside[ws] {
		all = append(all, s.entries[s.places[id]])
	}
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b *entry) int { return strings.Compare(a.path(), b.path()) })
	return all
}

// dependentsOf answers the syncs that use an integration.
func (s *Service) dependentsOf(integration store.ID) []integrations.Dependent {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var users []integrations.Dependent
	for _, e := range s.entries {
		if e.record.Integration == integration {
			users = append(users, e.user())
		}
	}
	return users
}

// user is the sync as its integration knows it.
func (e *entry) user() integrations.Dependent {
	u := integrations.Dependent{Name: e.path(), Environment: e.home.path(), Target: e.record.Target.Path}
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
	return provider.Place{Destination: e.at.destination, Granularity: provider.Granularity(e.record.Granularity), Settings: e.settings}
}

// dependents names the syncs of environments; of all of a workspace where those are nil.
func (s *Service) dependents(ws store.ID, environments map[string]bool) []string {
	var names []string
	for _, e := range s.of(ws) {
		if environments == nil || environments[e.home.path()] {
			names = append(names, "sync "+e.path())
		}
	}
	return names
}

// HasRecord reports whether a sync has a record.
func (s *Service) HasRecord(_ store.Kind, id store.ID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, has := s.places[id]
	return has
}

// HidesRecord reports whether a record is damaged.
func (s *Service) HidesRecord(store.Kind) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.damaged) > 0
}

// Health names what could not be read, and what this version does not know.
func (s *Service) Health() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var wrong []string
	for _, at := range s.damaged {
		wrong = append(wrong, fmt.Sprintf("the record %s is damaged; restore it from a snapshot of Vault's storage", at))
	}
	for at, e := range s.entries {
		if e.lost {
			wrong = append(wrong, fmt.Sprintf("the sync %s is of a kind that this version of the plugin does not know; run the version that wrote it, or a newer one", at.stored()))
		}
	}
	return wrong
}

// take puts a sync into memory in place of what stood there.
func (s *Service) take(h home, at place, record *store.Sync) *entry {
	e := s.newEntry(h, at, record)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[at] = e
	s.places[record.ID] = at
	if s.inside[h.workspace] == nil {
		s.inside[h.workspace] = make(map[store.ID]bool)
	}
	s.inside[h.workspace][record.ID] = true
	if s.standing[record.ID] == nil {
		s.standing[record.ID] = &standing{dirty: true}
	}
	return e
}

// forget takes a sync out of memory, and ends its run.
func (s *Service) forget(at place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[at]
	if e == nil {
		return
	}
	id := e.record.ID
	if st := s.standing[id]; st != nil {
		st.end()
	}
	delete(s.entries, at)
	delete(s.places, id)
	delete(s.standing, id)
	if delete(s.inside[e.home.workspace], id); len(s.inside[e.home.workspace]) == 0 {
		delete(s.inside, e.home.workspace)
	}
	s.scheduler.Drop(id)
}

// Forget drops the syncs of environments that are gone. What they leave in storage is swept.
func (s *Service) Forget() {
	s.mu.RLock()
	var gone []place
	for at := range s.entries {
		if !s.Tree.HasRecord(store.KindEnvironment, at.environment) {
			gone = append(gone, at)
		}
	}
	s.mu.RUnlock()
	for _, at := range gone {
		s.forget(at)
	}
}
