// Package integrations owns the integrations of workspaces: a credential for one account at one provider, its settings, and what it
// may be used for. The records are all in memory; credentials are kept sealed, and opened for the time of one use. It knows
// providers by what they declare, and none by name.
package integrations

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/clock"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/credseal"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Integration is an integration as the engine knows it, in memory. It is immutable.
type Integration struct {
	Workspace, Provider, Name string
	WorkspaceID, ID           store.ID
	Declaration               provider.Declaration
	Auth                      string
	Settings                  provider.Values // complete
	Record                    *store.Integration
}

// Path answers provider/name, by which errors and lists name an integration of a workspace.
func (i Integration) Path() string { return i.Provider + "/" + i.Name }

// State says whether a credential can be used.
type State string

// The states of a credential.
const (
	Ready      State = "ready"
	Unreadable State = "unreadable" // until it is supplied again
)

// Described is an integration as it is answered.
type Described struct {
	Integration
	State State
	Why   string          // of one that is unreadable
	Set   map[string]bool // whether each secret field of its auth kind is set
	Used  store.Usage
	Syncs []string // that use it

	Expires time.Time // of the credential, as the provider has told; zero: never, or not told
}

// Deps are what a Service works with.
type Deps struct {
	Store     *store.Store
	Keys      *keys.Service
	Tree      *workspaces.Tree
	Settings  *settings.Service
	Jobs      *jobs.Group
	Gateway   *outbound.Gateway
	Providers *provider.Registry
	Clock     clock.Clock
	Undone    *undone.Service
}

// Service holds the integrations of one mount.
type Service struct {
	Deps
	sealing *credseal.Service

	mu         sync.RWMutex
	entries    map[place]*entry
	places     map[store.ID]place
	ending     map[place]bool       // it is not known whether they were deleted
	untidy     map[store.ID]bool    // their credential's entry holds a generation that is not in force
	usage      map[store.ID]noted   // since it was last stored
	clients    map[store.ID]*client // by integration
	uses       map[*use]bool
	stopped    bool
	damaged    []string // records that could not be read when the mount was loaded; sorted
	watchers   []func(ws, integration store.ID)
	dependents []func(integration store.ID) []Dependent
}

// place is where an integration stands.
type place struct {
	workspace      store.ID
	provider, name string
}

// stored is its place in storage, for errors.
func (p place) stored() string {
	return "int/" + string(p.workspace) + "/" + p.provider + "/" + p.name
}

// owner is the owner of the credential of the integration that was found here.
func (p place) owner(id store.ID) credseal.Owner {
	return credseal.Owner{Workspace: p.workspace, Provider: p.provider, Name: p.name, ID: id}
}

// mark is what marks its creation or deletion.
func (p place) mark(deletion bool) store.Undone {
	return store.Undone{Kind: store.KindIntegration, Parent: p.workspace, Name: p.provider + "/" + p.name, Deletion: deletion}
}

// entry is an integration in memory. It is immutable: a change replaces it.
type entry struct {
	record      *store.Integration
	sealed      *store.Credential // nil: its entry is missing or damaged
	declaration provider.Declaration
	settings    provider.Values // complete
	endpoint    [32]byte        // of the settings in force
	lost        bool            // this version has no such provider, or no such auth kind
}

// Watch has f called after an integration has changed or was deleted, outside of locks. It must be called before the service is
// shared.
func (s *Service) Watch(f func(ws, integration store.ID)) { s.watchers = append(s.watchers, f) }

func (s *Service) changed(at place, id store.ID) {
	for _, f := range s.watchers {
		f(at.workspace, id)
	}
}

// Find answers an integration that is to be used. One that does not exist is an error of status 400 that tells how to make it.
func (s *Service) Find(call caller.Request, w, prov, name string) (Integration, error) {
	at, e, err := s.find(call, w, prov, name)
	if err != nil {
		return Integration{}, err
	}
	if e == nil {
		return Integration{}, fault.New(fault.NotFound, "integration %s/%s of %s does not exist; create it with: vault write %sintegrations/%s/%s/%s ...", prov, name, w, call.Mount, w, prov, name)
	}
	return e.integration(w, at), nil
}

// Read answers an integration.
func (s *Service) Read(call caller.Request, w, prov, name string) (Described, error) {
	at, e, err := s.find(call, w, prov, name)
	if err != nil {
		return Described{}, err
	}
	if e == nil {
		return Described{}, fault.Missing("integration %s/%s of %s does not exist", prov, name, w)
	}
	return s.describe(w, at, e), nil
}

// Exists reports whether an integration exists.
func (s *Service) Exists(w, prov, name string) bool {
	_, e, _ := s.find(caller.Request{}, w, prov, name)
	return e != nil
}

// find looks an integration up; nil where there is none.
func (s *Service) find(call caller.Request, w, prov, name string) (place, *entry, error) {
	id, err := s.Tree.WorkspaceID(call, w)
	if err != nil {
		return place{}, nil, err
	}
	at := place{id, prov, name}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.open(at); err != nil {
		return at, nil, err
	}
	e := s.entries[at]
	if e == nil {
		return at, nil, s.missing(at)
	}
	return at, e, nil
}

// List answers the integrations of a workspace, of one provider where that is not empty, sorted by their paths.
func (s *Service) List(call caller.Request, w, prov string) ([]Described, error) {
	id, err := s.Tree.WorkspaceID(call, w)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	found := make(map[place]*entry)
	for at, e := range s.entries {
		if at.workspace == id && (prov == "" || at.provider == prov) {
			found[at] = e
		}
	}
	s.mu.RUnlock()
	all := make([]Described, 0, len(found))
	for at, e := range found {
		all = append(all, s.describe(w, at, e))
	}
	slices.SortFunc(all, func(a, b Described) int { return strings.Compare(a.Path(), b.Path()) })
	return all, nil
}

// ByID answers the integration with an id, of whatever workspace; false where it does not exist.
func (s *Service) ByID(id store.ID) (Integration, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at, known := s.places[id]
	if !known {
		return Integration{}, false
	}
	condition, exists := s.Tree.Condition(at.workspace)
	return s.entries[at].integration(condition.Name, at), exists
}

func (e *entry) integration(w string, at place) Integration {
	return Integration{
		Workspace: w, Provider: at.provider, Name: at.name, WorkspaceID: at.workspace, ID: e.record.ID,
		Declaration: e.declaration, Auth: e.record.Auth, Settings: maps.Clone(e.settings), Record: e.record,
	}
}

func (s *Service) describe(w string, at place, e *entry) Described {
	d := Described{Integration: e.integration(w, at), State: Ready, Set: make(map[string]bool), Syncs: s.syncsOf(e.record.ID)}
	g, held := e.sealed.Find(e.record.Credential.Generation)
	for _, f := range e.declaration.SecretsOf(e.record.Auth) {
		d.Set[f.Name] = held && g.Fields[f.Name] != nil
	}
	if d.Why = e.unreadable(); d.Why != "" {
		d.State = Unreadable
	}
	d.Used, d.Expires = s.usedOf(e.record)
	return d
}

// unreadable says why the credential cannot be opened, as far as that shows without opening it; "" where nothing is against it.
func (e *entry) unreadable() string {
	g, held := e.sealed.Find(e.record.Credential.Generation)
	switch {
	case e.lost:
		return "this version of the plugin does not know its provider or its way to prove who we are"
	case !held:
		return "its stored entry is missing or damaged"
	case g.Endpoint != e.endpoint:
		return "it was supplied for other settings, and is sent only to whom it was supplied for"
	}
	return ""
}

// Count answers how many integrations a workspace has.
func (s *Service) Count(ws store.ID) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	count := 0
	for at := range s.entries {
		if at.workspace == ws {
			count++
		}
	}
	return count
}

// Total answers how many integrations there are.
func (s *Service) Total() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.entries)
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
		_, held := e.sealed.Find(e.record.Credential.Generation)
		switch {
		case e.lost:
			wrong = append(wrong, fmt.Sprintf("the integration %s is of a kind that this version of the plugin does not know; run the version that wrote it, or a newer one", at.stored()))
		case !held:
			wrong = append(wrong, fmt.Sprintf("the credential cred/%s of the integration %s is missing or damaged; supply it again", e.record.ID, at.stored()))
		}
	}
	return wrong
}

// HasRecord reports whether an integration has a record.
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

func (s *Service) now() time.Time { return s.Clock.Now().UTC() }

// take puts an integration into memory in place of what stood there.
func (s *Service) take(at place, record *store.Integration, sealed *store.Credential) {
	e := s.newEntry(at, record, sealed)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[at] = e
	s.places[record.ID] = at
	if sealed != nil && len(sealed.Generations) > 1 {
		s.untidy[record.ID] = true
	} else {
		delete(s.untidy, record.ID)
	}
}

// forget takes an integration out of memory, and ends its uses.
func (s *Service) forget(at place) {
	s.mu.Lock()
	e := s.entries[at]
	if e != nil {
		delete(s.entries, at)
		delete(s.places, e.record.ID)
		delete(s.usage, e.record.ID)
		delete(s.untidy, e.record.ID)
	}
	s.mu.Unlock()
	if e != nil {
		s.interrupt(func(u *use) bool { return u.integration == e.record.ID })
		s.dropClient(e.record.ID)
	}
}

// Forget drops the integrations of workspaces that are gone, and ends their uses. What they leave in storage is swept.
func (s *Service) Forget() {
	s.mu.RLock()
	var gone []place
	for at := range s.entries {
		if _, exists := s.Tree.Condition(at.workspace); !exists {
			gone = append(gone, at)
		}
	}
	s.mu.RUnlock()
	for _, at := range gone {
		s.forget(at)
	}
}
