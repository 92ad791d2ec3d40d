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

// Path names a sync.
type Path struct {
	workspaces.Path // of its environment
	Destination     string
	Name            string
}

// String returns the path as the API has it.
func (p Path) String() string { return p.Path.String() + "/" + p.Destination + "/" + p.Name }

func (p Path) missing() error {
	return fault.Missing("sync %s/%s of %s does not exist", p.Destination, p.Name, p.Path)
}

// command is the path as commands name it.
func (p Path) command(call caller.Request) string {
	return call.Mount + "syncs/" + p.String()
}

// Described is a sync as it is answered.
type Described struct {
	Path
	Provider, Integration string // name of the integration
	Record                *store.Sync
	Settings              provider.Values
	Standing
}

// Standing is how a sync stands.
type Standing struct {
	State    State
	Class    outbound.Class
	Hint     string
	Attempts int
	Next     time.Time // zero: when something changes
	Ran      time.Time
	Synced   time.Time
	Owned    int
	Troubled int
	Actions  []string // commands that may help
}

// KeyStatus is how one entry stands.
type KeyStatus struct {
	store.KeyState
	Version uint64 // of the secret, as it was written last; 0: it was not
}

// Read answers a sync.
func (s *Service) Read(call caller.Request, at Path) (Described, error) {
	_, e, err := s.find(call, at)
	if err != nil {
		return Described{}, err
	}
	if e == nil {
		return Described{}, at.missing()
	}
	return s.describe(call, e), nil
}

// List answers the syncs of an environment, or of a workspace where the environment's names are empty, by their paths.
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
	for _, sync := range s.of(ws) {
		if path.Project == "" || sync.names == path {
			all = append(all, s.describe(call, sync))
		}
	}
	return all, nil
}

func (s *Service) describe(call caller.Request, e *entry) Described {
	d := Described{
		Path:     Path{e.names, e.At.Group, e.At.Name},
		Provider: e.provider, Record: e.record, Settings: maps.Clone(e.settings),
	}
	if i, exists := s.Integrations.ByID(e.record.Integration); exists {
		d.Integration = i.Name
	}
	d.Standing = s.standingOf(e)
	d.Actions = d.actions(call)
	return d
}

// stateOf answers how the last visit ended.
func (s *Service) stateOf(e *entry) store.SyncState {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if st := s.standing[e.record.ID]; st != nil {
		return st.now
	}
	return store.SyncState{}
}

func (s *Service) standingOf(e *entry) Standing {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := s.standing[e.record.ID]
	if st == nil {
		return Standing{State: Pending}
	}
	n := st.now
	found := Standing{
		State: State(n.State), Class: outbound.Class(n.Class), Hint: n.Hint, Attempts: n.Attempts, Next: n.Next,
		Ran: n.Ran, Synced: n.Synced, Owned: n.Owned, Troubled: n.Troubled,
	}
	switch {
	case e.record.Paused && !e.record.Purging && st.phase == "":
		found.State, found.Class, found.Hint = Paused, "", "it is paused; resume it to go on"
	case st.phase != "":
		found.State = st.phase
	case found.State == "", st.dirty && !st.waits():
		found.State, found.Class, found.Hint = Pending, "", ""
	}
	return found
}

// actions are commands that may help a person with how a sync stands.
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

// Status answers a sync with its entries, those first that are not as they should be.
func (s *Service) Status(ctx context.Context, call caller.Request, at Path) (Described, []KeyStatus, error) {
	e, err := s.must(call, at)
	if err != nil {
		return Described{}, nil, err
	}
	d, state := s.describe(call, e), s.stateOf(e)
	var keys []KeyStatus
	told := make(map[string]bool)
	l, closed, err := s.ledgers.Open(ctx, e.owner())
	if err == nil {
		defer closed()
	}
	for _, k := range state.Keys {
		one := KeyStatus{KeyState: k}
		if err == nil {
			one.Version = l.Entries()[k.Name].Version
		}
		keys, told[k.Name] = append(keys, one), true
	}
	if err != nil {
		return d, keys, nil // the hint tells what is wrong with the ledger
	}
	entries := l.Entries()
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if k := entries[name]; !told[name] {
			one := KeyStatus{store.KeyState{Name: name, Source: k.Source, State: string(Synced)}, k.Version}
			if k.Intent != nil {
				one.Source, one.State = k.Intent.Source, string(Pending)
			}
			keys = append(keys, one)
		}
	}
	return d, keys, nil
}

// Plan tells what a run would do, without doing it. It asks the destination. With a change it is about the sync as a write of that would
// leave it, whether it exists or not, and refuses what the write would be refused.
func (s *Service) Plan(ctx context.Context, call caller.Request, at Path, c *Change) (syncplan.Plan, error) {
	e, err := s.proposed(ctx, call, at, c)
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
	if c == nil { // else what there is was verified with the change
		if err := s.verify(ctx, e); err != nil {
			return syncplan.Plan{}, err
		}
	}
	src, err := s.source(ctx, e)
	if err != nil {
		return syncplan.Plan{}, err
	}
	defer src.wipe()
	l, closed, err := s.ledgers.Open(ctx, e.owner())
	if err != nil {
		return syncplan.Plan{Blocked: unopened(e, err).hint}, nil
	}
	defer closed()
	run := s.run(e, integration, src, l)
	run.Whole = true
	prepared, err := run.Prepare(ctx)
	return prepared.Plan, err
}

// proposed answers a sync as a write would leave it; as it is where there is none.
func (s *Service) proposed(ctx context.Context, call caller.Request, at Path, c *Change) (*entry, error) {
	if c == nil {
		return s.must(call, at)
	}
	h, before, err := s.find(call, at)
	if err != nil {
		return nil, err
	}
	return s.changed(ctx, call, h, at, before, false, *c)
}

// Run has a sync run now, whatever there seems to be to do, and waits for that at most so long. The run goes on when the waiting ends.
func (s *Service) Run(ctx context.Context, call caller.Request, at Path, wait time.Duration) (Described, error) {
	e, err := s.must(call, at)
	if err != nil {
		return Described{}, err
	}
	if e.record.Paused && !e.record.Purging {
		return Described{}, fault.New(fault.Conflict, "sync %s is paused; resume it first with: vault write -force %s/resume", e.path(), at.command(call))
	}
	s.mu.Lock()
	st := s.standing[e.record.ID]
	if st == nil {
		s.mu.Unlock()
		return Described{}, s.records.Gone()
	}
	if st.asked == nil {
		st.asked = &asked{make(chan struct{})}
	}
	done := st.asked.done
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

// Needs answers what of a workspace needs a person, first, and then all its other syncs.
func (s *Service) Needs(call caller.Request, w string) ([]Described, error) {
	all, err := s.List(call, workspaces.Path{Workspace: w})
	slices.SortStableFunc(all, func(a, b Described) int { return cmp.Compare(urgency(a.State), urgency(b.State)) })
	return all, err
}

// NeedsPerson reports whether a state does not pass by itself.
func NeedsPerson(state State) bool { return urgency(state) < urgency(Retrying) }

func urgency(state State) int {
	return slices.Index([]State{Failed, Blocked, Conflict, Partial, Retrying, Pending, Planning, Running, Paused, Synced}, state)
}

// unknownDestination returns the error for a destination that does not exist, with the names of
// those that do.
func (s *Service) unknownDestination(name string) error {
	return fault.New(fault.NotFound, "destination %q does not exist; the destinations are: %s", name, strings.Join(s.Providers.Destinations(), ", "))
}
