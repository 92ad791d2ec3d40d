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
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/recordset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Path names an integration.
type Path struct{ Workspace, Provider, Name string }

// String returns the names joined by slashes, as the paths of the API have them.
func (p Path) String() string { return p.Workspace + "/" + p.InWorkspace() }

// InWorkspace returns provider/name, by which errors and lists name an integration of a workspace.
func (p Path) InWorkspace() string { return p.Provider + "/" + p.Name }

func (p Path) missing() error {
	return fault.Missing("integration %s of %s does not exist", p.InWorkspace(), p.Workspace)
}

// Integration is an integration as the engine knows it, in memory. It is immutable.
type Integration struct {
	Path
	WorkspaceID, ID store.ID
	Declaration     provider.Declaration
	Auth            string
	Settings        provider.Values // complete
	Record          *store.Integration
}

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
	records    *recordset.Set[*entry]
	untidy     map[store.ID]bool    // their credential's entry holds a generation that may not exist
	usage      map[store.ID]noted   // since it was last stored
	clients    map[store.ID]*client // by integration
	uses       map[*use]bool
	stopped    bool
	watchers   []func(ws, integration store.ID)
	dependents recordset.Dependents[Dependent]
}

// entry is an integration in memory. It is immutable: a change replaces it.
type entry struct {
	recordset.Member
	record      *store.Integration
	sealed      *store.Credential // nil: its entry is missing or damaged
	declaration provider.Declaration
	settings    provider.Values // complete
	endpoint    [32]byte        // of the settings in force
	lost        bool            // this version has no such provider, or no such auth kind
}

// provider is the name of the integration's provider.
func (e *entry) provider() string { return e.At.Group }

// stored is the storage key of the record, for errors.
func (e *entry) stored() string { return e.At.Stored(store.KindIntegration) }

// owner is the owner of the integration's credential.
func (e *entry) owner() credseal.Owner {
	return credseal.Owner{Workspace: e.Workspace, Provider: e.At.Group, Name: e.At.Name, ID: e.ID}
}

// Watch has f called after an integration has changed or was deleted, outside of locks. It must be called before the service is
// shared.
func (s *Service) Watch(f func(ws, integration store.ID)) { s.watchers = append(s.watchers, f) }

func (s *Service) changed(e *entry) {
	for _, f := range s.watchers {
		f(e.Workspace, e.ID)
	}
}

// Find returns an integration that is to be used. One that does not exist is an error of status 400
// with the command that creates it.
func (s *Service) Find(call caller.Request, at Path) (Integration, error) {
	_, e, err := s.find(call, at)
	if err != nil {
		return Integration{}, err
	}
	if e == nil {
		return Integration{}, fault.New(fault.NotFound, "integration %s of %s does not exist; create it with: vault write %sintegrations/%s ...", at.InWorkspace(), at.Workspace, call.Mount, at)
	}
	return e.integration(at.Workspace), nil
}

// Read returns an integration.
func (s *Service) Read(call caller.Request, at Path) (Described, error) {
	e, err := s.must(call, at)
	if err != nil {
		return Described{}, err
	}
	return s.describe(at.Workspace, e), nil
}

// Exists reports whether an integration exists.
func (s *Service) Exists(at Path) bool {
	_, e, _ := s.find(caller.Request{}, at)
	return e != nil
}

// find looks an integration up; nil where there is none.
func (s *Service) find(call caller.Request, at Path) (recordset.Member, *entry, error) {
	ws, err := s.Tree.WorkspaceID(call, at.Workspace)
	if err != nil {
		return recordset.Member{}, nil, err
	}
	m := recordset.Member{At: recordset.Key{Parent: ws, Group: at.Provider, Name: at.Name}, Workspace: ws}
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, err := s.records.Find(m.At)
	return m, e, err
}

// must is find for an integration that has to exist.
func (s *Service) must(call caller.Request, at Path) (*entry, error) {
	_, e, err := s.find(call, at)
	if err == nil && e == nil {
		err = at.missing()
	}
	return e, err
}

// List returns the integrations of a workspace, sorted by their paths: those of one provider if
// prov is not empty.
func (s *Service) List(call caller.Request, w, prov string) ([]Described, error) {
	id, err := s.Tree.WorkspaceID(call, w)
	if err != nil {
		return nil, err
	}
	var all []Described
	for _, e := range s.of(id) {
		if prov == "" || e.provider() == prov {
			all = append(all, s.describe(w, e))
		}
	}
	return all, nil
}

// of lists the integrations of a workspace by their paths.
func (s *Service) of(ws store.ID) []*entry {
	s.mu.RLock()
	all := slices.Collect(s.records.In(ws))
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b *entry) int { return strings.Compare(a.At.String(), b.At.String()) })
	return all
}

// ByID returns the integration with an id, of whatever workspace; false where it does not exist.
func (s *Service) ByID(id store.ID) (Integration, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.records.ByID(id)
	if e == nil {
		return Integration{}, false
	}
	condition, exists := s.Tree.Condition(e.Workspace)
	return e.integration(condition.Name), exists
}

func (e *entry) integration(w string) Integration {
	return Integration{
		Path: Path{w, e.At.Group, e.At.Name}, WorkspaceID: e.Workspace, ID: e.ID,
		Declaration: e.declaration, Auth: e.record.Auth, Settings: maps.Clone(e.settings), Record: e.record,
	}
}

func (s *Service) describe(w string, e *entry) Described {
	d := Described{Integration: e.integration(w), State: Ready, Set: make(map[string]bool), Syncs: s.syncsOf(e.record.ID)}
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

// Count returns the number of integrations of a workspace.
func (s *Service) Count(ws store.ID) int { return s.records.Count(ws) }

// Total returns the number of integrations.
func (s *Service) Total() int { return s.records.Total() }

// Health names what could not be read, and what this version does not know.
func (s *Service) Health() []string {
	wrong := s.records.Health()
	s.mu.RLock()
	defer s.mu.RUnlock()
	for e := range s.records.All() {
		_, held := e.sealed.Find(e.record.Credential.Generation)
		switch {
		case e.lost:
			wrong = append(wrong, fmt.Sprintf("the integration %s is of a kind that this version of the plugin does not know; run the version that wrote it, or a newer one", e.stored()))
		case !held:
			wrong = append(wrong, fmt.Sprintf("the credential cred/%s of the integration %s is missing or damaged; supply it again", e.ID, e.stored()))
		}
	}
	return wrong
}

func (s *Service) now() time.Time { return s.Clock.Now().UTC() }
