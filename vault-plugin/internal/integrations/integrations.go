// Package integrations owns the integrations of workspaces. An integration is a credential for one
// account at one provider, its settings, and grants that limit its use. All records are in memory.
// Credentials stay sealed, and each is opened only for the duration of one use. The package knows
// providers by their declarations, never by name.
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
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/activity"
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

// String returns the names joined by slashes, as in the paths of the API.
func (p Path) String() string { return p.Workspace + "/" + p.InWorkspace() }

// InWorkspace returns provider/name, which identifies an integration within its workspace in errors
// and lists.
func (p Path) InWorkspace() string { return p.Provider + "/" + p.Name }

func (p Path) missing() error {
	return fault.Missing("integration %s of %s does not exist", p.InWorkspace(), p.Workspace)
}

// Integration is the state of an integration at one time. It is immutable.
type Integration struct {
	Path
	WorkspaceID, ID store.ID
	Declaration     provider.Declaration
	Auth            string
	Settings        provider.Values // with defaults filled in
	Record          *store.Integration
}

// State is the state of a credential.
type State string

// The states of a credential.
const (
	Ready      State = "ready"
	Unreadable State = "unreadable" // until the credential is supplied again
)

// Described is an integration with the state that a response contains.
type Described struct {
	Integration
	State State
	Why   string          // why the credential is unreadable; "" if it is ready
	Set   map[string]bool // by secret field of the auth kind: whether it is set
	Used  store.Usage
	Syncs []string // names of the syncs that use the integration

	Expires time.Time // of the credential; zero if it does not expire or the time is unknown
}

// Deps are the dependencies of a Service.
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
	Activity  activity.Sink
}

// Service holds the integrations of one mount.
type Service struct {
	Deps
	sealing *credseal.Service

	mu         sync.RWMutex
	records    *recordset.Set[*entry]
	untidy     map[store.ID]bool         // integrations with a stored generation that may not exist
	usage      map[store.ID]unsavedUsage // by integration
	clients    map[store.ID]*client      // by integration
	uses       map[*use]bool
	stopped    bool
	watchers   []func(ws, integration store.ID)
	dependents recordset.Dependents[Dependent]
}

// entry is an integration in memory. It is immutable: a change replaces it.
type entry struct {
	recordset.Member
	record      *store.Integration
	sealed      *store.Credential // nil if the stored credential is missing or damaged
	declaration provider.Declaration
	settings    provider.Values // with defaults filled in
	endpoint    [32]byte        // digest of where the current settings send the credential
	unsupported bool            // this version does not have the provider or the auth kind
}

// provider returns the name of the integration's provider.
func (e *entry) provider() string { return e.At.Group }

// stored returns the storage key of the record, for errors.
func (e *entry) stored() string { return e.At.Stored(store.KindIntegration) }

// owner returns the owner of the integration's credential.
func (e *entry) owner() credseal.Owner {
	return credseal.Owner{Workspace: e.Workspace, Provider: e.At.Group, Name: e.At.Name, ID: e.ID}
}

// Watch registers f, which is called after an integration was changed or deleted, without the
// service's lock held. Watch must be called before the service is shared.
func (s *Service) Watch(f func(ws, integration store.ID)) { s.watchers = append(s.watchers, f) }

// notify calls the watchers after a change or deletion of e.
func (s *Service) notify(e *entry) {
	for _, f := range s.watchers {
		f(e.Workspace, e.ID)
	}
}

// Find returns an integration that a caller wants to use. If it does not exist, the error has
// status 400 and contains the command that creates it.
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

// Read returns an integration and the state of its credential.
func (s *Service) Read(call caller.Request, at Path) (Described, error) {
	e, err := s.require(call, at)
	if err != nil {
		return Described{}, err
	}
	return s.describe(at.Workspace, e), nil
}

// Exists reports whether an integration exists. It returns false if that is unknown.
func (s *Service) Exists(at Path) bool {
	_, e, _ := s.find(caller.Request{}, at)
	return e != nil
}

// find returns the member and the entry of an integration. The entry is nil if the integration does
// not exist.
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

// require returns the entry of an integration. It fails if the integration does not exist.
func (s *Service) require(call caller.Request, at Path) (*entry, error) {
	_, e, err := s.find(call, at)
	if err == nil && e == nil {
		err = at.missing()
	}
	return e, err
}

// List returns the integrations of a workspace, sorted by path. If prov is not empty, it returns
// only the integrations of that provider.
func (s *Service) List(call caller.Request, w, prov string) ([]Described, error) {
	id, err := s.Tree.WorkspaceID(call, w)
	if err != nil {
		return nil, err
	}
	var all []Described
	for _, e := range s.inWorkspace(id) {
		if prov == "" || e.provider() == prov {
			all = append(all, s.describe(w, e))
		}
	}
	return all, nil
}

// inWorkspace returns the entries of a workspace, sorted by path.
func (s *Service) inWorkspace(ws store.ID) []*entry {
	s.mu.RLock()
	all := slices.Collect(s.records.In(ws))
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b *entry) int { return strings.Compare(a.At.String(), b.At.String()) })
	return all
}

// ByID returns the integration with an id, in any workspace. It returns false if the integration or
// its workspace does not exist.
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
	d.Used, d.Expires = s.usageOf(e.record)
	return d
}

// unreadable returns why the credential cannot be opened, or "" if no reason is known. It does not
// open the credential, so it does not detect a damaged field.
func (e *entry) unreadable() string {
	g, held := e.sealed.Find(e.record.Credential.Generation)
	switch {
	case e.unsupported:
		return "this version of the plugin does not support its provider or its authentication method"
	case !held:
		return "its record cred/" + string(e.ID) + " is missing or damaged"
	case g.Endpoint != e.endpoint:
		return "it was supplied for other settings, and is sent only to the endpoint that it was supplied for"
	}
	return ""
}

// Count returns the number of integrations of a workspace.
func (s *Service) Count(ws store.ID) int { return s.records.Count(ws) }

// Total returns the number of integrations.
func (s *Service) Total() int { return s.records.Total() }

// Health returns a sentence for each record that cannot be read or that this version does not
// support.
func (s *Service) Health() []string {
	wrong := s.records.Health()
	s.mu.RLock()
	defer s.mu.RUnlock()
	for e := range s.records.All() {
		_, held := e.sealed.Find(e.record.Credential.Generation)
		switch {
		case e.unsupported:
			wrong = append(wrong, fmt.Sprintf("the integration %s has a provider or an authentication method that this version of the plugin does not support; run the version that wrote it, or a newer version", e.stored()))
		case !held:
			wrong = append(wrong, fmt.Sprintf("the credential cred/%s of the integration %s is missing or damaged; supply it again", e.ID, e.stored()))
		}
	}
	return wrong
}

func (s *Service) now() time.Time { return s.Clock.Now().UTC() }
