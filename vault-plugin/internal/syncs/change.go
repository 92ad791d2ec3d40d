package syncs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/nametemplate"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Limits of a sync.
const (
	MaxPatterns = 256
	maxPattern  = 256 // bytes
)

// Change is what a write makes of a sync; what it leaves out stays.
type Change struct {
	Description, Integration      *string // Integration is a name, of the provider that the destination belongs to
	Include, Exclude, Tags        *[]string
	Template                      *string
	Granularity                   *string
	OnConflict, Deletion, Trigger *string
	Settings                      map[string]any // by field; nil resets one
}

// Put creates a sync or changes one; mustExist refuses to create.
func (s *Service) Put(ctx context.Context, call caller.Request, at Path, mustExist bool, c Change) (Described, error) {
	_, unlock, err := s.Tree.Change(ctx, call, at.Workspace)
	if err != nil {
		return Described{}, err
	}
	defer unlock()
	h, before, err := s.find(call, at)
	if err != nil {
		return Described{}, err
	}
	if before != nil && call.Replays(before.record.Stamp.RequestID) {
		return s.describe(call, before), nil // a replay
	}
	next, err := s.changed(ctx, call, h, at, before, mustExist, c)
	if err != nil {
		return Described{}, err
	}
	if err := s.sealDefinition(ctx, before, next); err != nil {
		return Described{}, err
	}
	var begun *undone.Change
	if before == nil {
		if begun, err = s.records.Create(ctx, next); err != nil {
			return Described{}, err
		}
	}
	after, err := s.put(ctx, next, begun)
	if err != nil {
		return Described{}, err
	}
	return s.describe(call, after), nil
}

// changed is the sync as a write would leave it; an error where the write is refused.
func (s *Service) changed(ctx context.Context, call caller.Request, h location, at Path, before *entry, mustExist bool, c Change) (*entry, error) {
	if err := s.mayPut(call, h, at, before, mustExist); err != nil {
		return nil, err
	}
	if before != nil {
		if err := s.verify(ctx, before); err != nil {
			return nil, err // a write of some fields would vouch for those that it leaves as they are
		}
	}
	next, err := s.draft(call, h, at, before, c)
	if err != nil {
		return nil, err
	}
	if err := s.mayMove(ctx, before, next); err != nil {
		return nil, err
	}
	return next, s.refuseOverlap(next)
}

func (s *Service) mayPut(call caller.Request, h location, at Path, before *entry, mustExist bool) error {
	switch {
	case before == nil && mustExist:
		return at.missing()
	case before != nil && before.record.Purging:
		return fault.New(fault.Conflict, "sync %s is being deleted with what it has written; wait until it is gone, or end that with: vault delete %s purge=false", before.path(), at.command(call))
	case before == nil && s.Count(h.Workspace) >= s.Settings.Config().MaxSyncs:
		return fault.New(fault.Limit, "workspace %s has as many syncs as max_syncs of %sconfig allows", at.Workspace, call.Mount)
	}
	return nil
}

// put stores a definition and has it run. begun is the sync's creation, or nil. The caller holds
// the workspace's change lock.
func (s *Service) put(ctx context.Context, next *entry, begun *undone.Change) (*entry, error) {
	err := s.records.Put(ctx, next, begun, func(ctx context.Context) error { return s.putRecord(ctx, next) })
	switch {
	case errors.Is(err, store.ErrTooLarge):
		return nil, fault.New(fault.Limit, "sync %s does not fit into one storage entry; shorten its settings and patterns", next.path())
	case err != nil:
		return nil, fmt.Errorf("store sync %s: %w", next.path(), err)
	}
	s.again(next.ID)
	return next, nil
}

// putRecord stores the record of a sync.
func (s *Service) putRecord(ctx context.Context, e *entry) error {
	return s.Store.PutSync(ctx, e.At.Parent, e.At.Group, e.At.Name, e.record)
}

// draft makes the definition that a write would have, and checks it by itself.
func (s *Service) draft(call caller.Request, h location, at Path, before *entry, c Change) (*entry, error) {
	declared, p, known := s.Providers.Destination(at.Destination)
	if !known {
		return nil, s.unknownDestination(at.Destination)
	}
	record := store.Sync{
		ID: store.NewID(), Granularity: string(declared.Granularities[0]), Stamp: store.Stamp{Created: s.now()},
		OnConflict: string(syncplan.FailConflict), Deletion: string(syncplan.ManagedDeletion), Trigger: string(OnChange),
	}
	var has provider.Values
	if before != nil {
		record, has = *before.record, before.settings
	}
	record.Stamp.Updated, record.Stamp.RequestID = s.now(), call.ID
	for _, assigned := range []struct {
		to, from *string
		reset    string
	}{
		{&record.Description, c.Description, ""}, {&record.Template, c.Template, ""},
		{&record.Granularity, c.Granularity, string(declared.Granularities[0])},
		{&record.OnConflict, c.OnConflict, string(syncplan.FailConflict)},
		{&record.Deletion, c.Deletion, string(syncplan.ManagedDeletion)}, {&record.Trigger, c.Trigger, string(OnChange)},
	} {
		if assigned.from != nil {
			*assigned.to = cmp.Or(*assigned.from, assigned.reset)
		}
	}
	for _, assigned := range []struct{ to, from *[]string }{{&record.Include, c.Include}, {&record.Exclude, c.Exclude}, {&record.Tags, c.Tags}} {
		if assigned.from != nil {
			*assigned.to = *assigned.from
		}
	}
	if err := check(p.Declare(), declared, &record); err != nil {
		return nil, err
	}
	values, err := integrations.Merge("sync", declared.Fields, has, c.Settings)
	if err != nil {
		return nil, err
	}
	record.Settings = integrations.SettingsOf(values)
	integration, err := s.chosen(call, h, p.Declare().Name, before, c.Integration)
	if err != nil {
		return nil, err
	}
	record.Integration, record.Target = integration.ID, targetOf(declared, integration, values)
	if err := allowed(integration, h.environment(), record.Target.Path); err != nil {
		return nil, err
	}
	return s.newEntry(h, &record), nil
}

// chosen finds the integration that a write names, or the one that is in use.
func (s *Service) chosen(call caller.Request, h location, prov string, before *entry, name *string) (integrations.Integration, error) {
	if name != nil && *name != "" {
		return s.Integrations.Find(call, integrations.Path{Workspace: h.names.Workspace, Provider: prov, Name: *name})
	}
	if before == nil || name != nil {
		return integrations.Integration{}, fault.New(fault.Invalid, "integration: is required: the name of an integration of provider %s", prov)
	}
	i, exists := s.Integrations.ByID(before.record.Integration)
	if !exists {
		return i, fault.New(fault.Invalid, "integration: the one in use does not exist any more; name another of provider %s", prov)
	}
	return i, nil
}

// allowed refuses at once what each run would be refused.
func allowed(i integrations.Integration, environment, target string) error {
	switch {
	case !integrations.Allows(i.Record.AllowedEnvironments, environment):
		return fault.New(fault.Denied, "allowed_environments of integration %s does not allow %s", i.InWorkspace(), environment)
	case !integrations.Allows(i.Record.AllowedTargets, target):
		return fault.New(fault.Denied, "allowed_targets of integration %s does not allow %s", i.InWorkspace(), target)
	}
	return nil
}

// check checks a definition except for its settings at the destination.
func check(p provider.Declaration, d provider.Destination, r *store.Sync) error {
	values := map[string]string{
		provider.FieldGranularity: r.Granularity, provider.FieldOnConflict: r.OnConflict, provider.FieldDeletion: r.Deletion, provider.FieldTrigger: r.Trigger,
	}
	for _, f := range provider.SyncFields(p, d) {
		if value, checked := values[f.Name]; checked && !slices.Contains(f.Choices, value) {
			return fault.New(fault.Invalid, "%s: must be one of %v", f.Name, f.Choices)
		}
	}
	if len(r.Description) > workspaces.MaxDescription {
		return fault.New(fault.Limit, "description: has %d bytes; at most %d are kept", len(r.Description), workspaces.MaxDescription)
	}
	for field, patterns := range map[string][]string{"include": r.Include, "exclude": r.Exclude, "tags": r.Tags} {
		if len(patterns) > MaxPatterns || slices.ContainsFunc(patterns, func(p string) bool { return p == "" || len(p) > maxPattern }) {
			return fault.New(fault.Limit, "%s: at most %d are kept, each of 1 to %d bytes", field, MaxPatterns, maxPattern)
		}
	}
	if err := (secrets.Selection{Include: r.Include, Exclude: r.Exclude}).Check(); err != nil {
		return err
	}
	if _, err := nametemplate.Parse(r.Template); err != nil {
		return fault.New(fault.Invalid, "name_template: %s", err)
	}
	return nil
}

// mayMove refuses to lead a sync to another place while it owns entries where it writes now: they would be nobody's.
func (s *Service) mayMove(ctx context.Context, before, next *entry) error {
	if before == nil || before.record.Target == next.record.Target && before.record.Granularity == next.record.Granularity {
		return nil
	}
	l, closed, err := s.ledgers.Open(ctx, before.owner())
	if err != nil {
		return fmt.Errorf("read the ledger of sync %s: %w", before.path(), err)
	}
	defer closed()
	if len(l.Entries()) == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "sync %s owns %d entries where it writes now, so it cannot be led to another place or granularity; delete it with purge=true to remove them, or with purge=false to leave them, and create another", before.path(), owned(l))
}

// refuseOverlap refuses a sync that could write an entry which another of the workspace could write too.
func (s *Service) refuseOverlap(next *entry) error {
	for _, other := range s.of(next.Workspace) {
		if other.At == next.At || other.lost || other.record.Target != next.record.Target {
			continue
		}
		if nametemplate.Overlap(other.namer(), next.namer(), next.declared.Fold) {
			return fault.New(fault.Conflict, "sync %s has the same target, and both could write entries of the same name; tell them apart with include, exclude or name_template", other.path())
		}
	}
	return nil
}

// alter changes what may be changed of a sync without a write of its definition.
func (s *Service) alter(ctx context.Context, call caller.Request, at Path, change func(e *entry, record *store.Sync) error) (*entry, error) {
	_, unlock, err := s.Tree.Change(ctx, call, at.Workspace)
	if err != nil {
		return nil, err
	}
	defer unlock()
	e, err := s.must(call, at)
	if err != nil {
		return nil, err
	}
	record := *e.record
	if err := change(e, &record); err != nil {
		return nil, err
	}
	return s.put(ctx, s.newEntry(e.location, &record), nil)
}

// SetPaused pauses a sync or has it go on. A batch that is under way is ended first, in its own time.
func (s *Service) SetPaused(ctx context.Context, call caller.Request, at Path, paused bool) (Described, error) {
	e, err := s.alter(ctx, call, at, func(e *entry, record *store.Sync) error {
		if record.Purging {
			return fault.New(fault.Conflict, "sync %s is being deleted", e.path())
		}
		record.Paused = paused
		return nil
	})
	if err != nil {
		return Described{}, err
	}
	return s.describe(call, e), nil
}

// Adopt has the next run take over entries that were not written by the sync. They are named as the destination names them, and status
// tells them as conflicts.
func (s *Service) Adopt(ctx context.Context, call caller.Request, at Path, names []string) (Described, error) {
	e, err := s.alter(ctx, call, at, func(e *entry, record *store.Sync) error {
		if len(names) == 0 {
			return fault.New(fault.Invalid, "keys: must name the entries to be taken over, as status names them")
		}
		state := s.stateOf(e)
		for _, name := range names {
			known := slices.ContainsFunc(state.Keys, func(k store.KeyState) bool {
				return k.Name == name && (State(k.State) == Conflict || State(k.State) == OwnershipLost)
			})
			if !known && state.Troubled <= len(state.Keys) {
				return fault.New(fault.Invalid, "keys: only entries that are in conflict can be adopted; list them with: vault read %s/status", at.command(call))
			}
		}
		all := append(slices.Clone(record.Adopt), names...)
		slices.Sort(all)
		record.Adopt = slices.Compact(all)
		return nil
	})
	if err != nil {
		return Described{}, err
	}
	return s.describe(call, e), nil
}

// adopted keeps which entries are still to be taken over after a run.
func (s *Service) adopted(ctx context.Context, done *entry, left []string) error {
	return s.records.Exclusively(ctx, done.record.ID, func(e *entry) error {
		if e.record != done.record {
			return errSuperseded
		}
		record := *e.record
		record.Adopt = left
		next := s.newEntry(e.location, &record)
		return s.records.Put(ctx, next, nil, func(ctx context.Context) error { return s.putRecord(ctx, next) })
	})
}
