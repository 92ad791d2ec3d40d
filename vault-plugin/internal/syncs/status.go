package syncs

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Path identifies a sync.
type Path struct {
	workspaces.Path // of its environment
	Destination     string
	Name            string
}

// String returns workspace/project/environment/destination/name.
func (p Path) String() string { return p.Path.String() + "/" + p.Destination + "/" + p.Name }

func (p Path) missing() error {
	return fault.Missing("sync %s/%s of %s does not exist", p.Destination, p.Name, p.Path)
}

// purging returns the error for a change to a sync that is being deleted with purge=true.
func (p Path) purging(call caller.Request) error {
	return fault.New(fault.Conflict, "sync %s/%s of %s is being deleted together with the entries it wrote; wait until the sync is gone, or keep its remaining entries with: vault delete %s purge=false",
		p.Destination, p.Name, p.Path, p.command(call))
}

// command returns the Vault path of the sync, for commands in hints.
func (p Path) command(call caller.Request) string {
	return call.Mount + "syncs/" + p.String()
}

// Described is a sync with its state, for responses.
type Described struct {
	Path
	Provider, Integration string // names of the provider and of the integration
	Record                *store.Sync
	Settings              provider.Values
	Status
}

// Status is the state of a sync, for responses.
type Status struct {
	State    State
	Class    outbound.Class
	Hint     string
	Attempts int
	Next     time.Time // next attempt; zero if the sync waits for a change
	Ran      time.Time
	Synced   time.Time
	Owned    int
	Troubled int
	Actions  []string // commands that may resolve the state
}

// KeyStatus is the state of one entry.
type KeyStatus struct {
	store.KeyState
	Version uint64 // version of the secret that was last written; 0 if none was
}

// Read returns a sync.
func (s *Service) Read(call caller.Request, path Path) (Described, error) {
	_, e, err := s.find(call, path)
	if err != nil {
		return Described{}, err
	}
	if e == nil {
		return Described{}, path.missing()
	}
	return s.describe(call, e), nil
}

// List returns the syncs of an environment, or of the whole workspace if path has no project,
// sorted by path.
func (s *Service) List(call caller.Request, path workspaces.Path) ([]Described, error) {
	ws, err := s.Tree.WorkspaceID(call, path.Workspace)
	if err != nil {
		return nil, err
	}
	if path.Project != "" {
		if _, err := s.Tree.Find(call, path); err != nil {
			return nil, err
		}
	}
	var all []Described
	for _, sync := range s.inWorkspace(ws) {
		if path.Project == "" || sync.names == path {
			all = append(all, s.describe(call, sync))
		}
	}
	return all, nil
}

func (s *Service) describe(call caller.Request, e *syncDef) Described {
	d := Described{
		Path:     Path{e.names, e.At.Group, e.At.Name},
		Provider: e.provider, Record: e.record, Settings: maps.Clone(e.settings),
	}
	if i, exists := s.Integrations.ByID(e.record.Integration); exists {
		d.Integration = i.Name
	}
	d.Status = s.statusOf(e)
	d.Actions = d.actions(call)
	return d
}

// stateOf returns the state that the last visit left.
func (s *Service) stateOf(e *syncDef) store.SyncState {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if st := s.runStates[e.record.ID]; st != nil {
		return st.current
	}
	return store.SyncState{}
}

func (s *Service) statusOf(e *syncDef) Status {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := s.runStates[e.record.ID]
	if st == nil {
		return Status{State: Pending}
	}
	n := st.current
	found := Status{
		State: State(n.State), Class: outbound.Class(n.Class), Hint: n.Hint, Attempts: n.Attempts, Next: n.Next,
		Ran: n.Ran, Synced: n.Synced, Owned: n.Owned, Troubled: n.Troubled,
	}
	switch {
	case e.record.Paused && !e.record.Purging && st.phase == "":
		found.State, found.Class, found.Hint = Paused, "", "the sync is paused; resume it to continue"
	case st.phase != "":
		found.State = st.phase
	case found.State == "", st.dirty && !st.backsOff():
		found.State, found.Class, found.Hint = Pending, "", ""
	}
	return found
}

// actions returns the commands that may resolve the state of a sync.
func (d Described) actions(call caller.Request) []string {
	path := d.command(call)
	run := "vault write -force " + path + "/run"
	integration := call.Mount + "integrations/" + d.Workspace + "/" + d.Provider + "/" + d.Integration
	switch {
	case d.Record.Purging && d.State != Running && d.State != Planning && d.Attempts > 0:
		return []string{"vault read " + path + "/status", "vault delete " + path + " purge=false"}
	case d.State == Conflict:
		return []string{"vault read " + path + "/status", "vault write " + path + "/adopt keys=..."}
	case d.State == Paused && d.Record.Paused:
		return []string{"vault write -force " + path + "/resume"}
	case d.State == Paused:
		return []string{"vault read " + call.Mount + "config", "vault read " + call.Mount + "workspaces/" + d.Workspace}
	case d.Class == outbound.Auth:
		return []string{"vault write -force " + integration + "/verify", run}
	case d.State == Blocked && d.Class == outbound.Permission:
		return []string{"vault read " + integration}
	case d.State == Blocked || d.State == Partial:
		return []string{"vault read " + path + "/plan", run}
	case d.State == Failed, d.State == Retrying, d.State == Pending:
		return []string{run}
	}
	return nil
}

// Status returns a sync and its entries. Entries that are not Synced come first.
func (s *Service) Status(ctx context.Context, call caller.Request, path Path) (Described, []KeyStatus, error) {
	e, err := s.mustFind(call, path)
	if err != nil {
		return Described{}, nil, err
	}
	d, state := s.describe(call, e), s.stateOf(e)
	var keys []KeyStatus
	listed := make(map[string]bool)
	l, closeLedger, err := s.ledgers.Open(ctx, e.owner())
	if err == nil {
		defer closeLedger()
	}
	for _, k := range state.Keys {
		one := KeyStatus{KeyState: k}
		if err == nil {
			one.Version = l.Entries()[k.Name].Version
		}
		keys, listed[k.Name] = append(keys, one), true
	}
	if err != nil {
		return d, keys, nil // the hint describes what is wrong with the ledger
	}
	entries := l.Entries()
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if k := entries[name]; !listed[name] {
			one := KeyStatus{store.KeyState{Name: name, Source: k.Source, State: string(Synced)}, k.Version}
			if k.Intent != nil {
				one.Source, one.State = k.Intent.Source, string(Pending)
			}
			keys = append(keys, one)
		}
	}
	return d, keys, nil
}

// Plan returns the actions of a run without taking them. It reads from the destination. If c is
// non-nil, Plan plans the sync as if c had been written, and fails wherever that write would fail.
// The sync need not exist then.
func (s *Service) Plan(ctx context.Context, call caller.Request, path Path, c *Change) (syncplan.Plan, error) {
	e, err := s.proposed(ctx, call, path, c)
	if err != nil {
		return syncplan.Plan{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer s.Clock.AfterFunc(integrations.VerifyWithin, func() { cancel(context.DeadlineExceeded) })()
	integration, refusal := s.integrationOf(e)
	if refusal != nil {
		return syncplan.Plan{Blocked: refusal.hint}, nil
	}
	if c == nil { // otherwise applyChange has verified the stored definition
		if err := s.verify(ctx, e); err != nil {
			return syncplan.Plan{}, err
		}
	}
	src, err := s.readSource(ctx, e)
	if err != nil {
		return syncplan.Plan{}, err
	}
	defer src.wipe()
	l, closeLedger, err := s.ledgers.Open(ctx, e.owner())
	if err != nil {
		return syncplan.Plan{Blocked: ledgerError(e, err).hint}, nil
	}
	defer closeLedger()
	run := s.newRun(e, integration, src, l)
	run.Whole = true
	prepared, err := run.Prepare(ctx)
	return prepared.Plan, err
}

// proposed returns the sync as it would be after c, or as it is if c is nil.
func (s *Service) proposed(ctx context.Context, call caller.Request, path Path, c *Change) (*syncDef, error) {
	if c == nil {
		return s.mustFind(call, path)
	}
	loc, before, err := s.find(call, path)
	if err != nil {
		return nil, err
	}
	next, err := s.applyChange(ctx, call, loc, path, before, false, *c)
	if err != nil {
		return nil, err
	}
	_, err = s.compare(next)
	return next, err
}

// Run starts a run immediately, even if nothing changed, and waits for it for at most wait. The run
// continues after wait.
func (s *Service) Run(ctx context.Context, call caller.Request, path Path, wait time.Duration) (Described, error) {
	e, err := s.mustFind(call, path)
	if err != nil {
		return Described{}, err
	}
	if e.record.Paused && !e.record.Purging {
		return Described{}, fault.New(fault.Conflict, "sync %s is paused; resume it with: vault write -force %s/resume", e.path(), path.command(call))
	}
	s.mu.Lock()
	st := s.runStates[e.record.ID]
	if st == nil {
		s.mu.Unlock()
		return Described{}, s.records.Gone()
	}
	if st.request == nil {
		st.request = &runRequest{make(chan struct{})}
	}
	done := st.request.done
	st.dirty = true
	s.mu.Unlock()
	s.scheduler.At(e.record.ID, s.now())
	if wait > 0 {
		late := make(chan struct{})
		defer s.Clock.AfterFunc(wait, func() { close(late) })()
		select {
		case <-done:
		case <-late:
		case <-ctx.Done():
		}
	}
	return s.describe(call, e), nil
}

// Needs returns the syncs of a workspace, those with the most urgent states first.
func (s *Service) Needs(call caller.Request, w string) ([]Described, error) {
	all, err := s.List(call, workspaces.Path{Workspace: w})
	slices.SortStableFunc(all, func(a, b Described) int { return cmp.Compare(urgency(a.State), urgency(b.State)) })
	return all, err
}

// NeedsPerson reports whether a state lasts until a person acts.
func NeedsPerson(state State) bool { return urgency(state) < urgency(Retrying) }

func urgency(state State) int {
	return slices.Index([]State{Failed, Blocked, Conflict, Partial, Retrying, Pending, Planning, Running, Paused, Synced}, state)
}

// unknownDestination returns the error for a destination that does not exist, with the names of
// those that do.
func (s *Service) unknownDestination(name string) error {
	return fault.New(fault.NotFound, "destination %q does not exist; the destinations are: %s", name, strings.Join(s.Providers.Destinations(), ", "))
}
