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
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/globs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/nametemplate"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Change is a write to a sync. Fields that are nil keep their values.
type Change struct {
	Description, Integration      *string // Integration is the name of one, of the destination's provider
	Include, Exclude, Tags        *[]string
	Template                      *string
	Granularity                   *string
	OnConflict, Deletion, Trigger *string
	Settings                      map[string]any // by field; a nil value resets the field
}

// Put creates or changes a sync. With mustExist, it fails if the sync does not exist.
func (s *Service) Put(ctx context.Context, call caller.Request, path Path, mustExist bool, c Change) (Described, error) {
	for range maxComparisons {
		known, err := s.compareDraft(call, path, mustExist, c)
		if err != nil {
			return Described{}, err
		}
		after, err := s.putCompared(ctx, call, path, mustExist, c, known)
		if !errors.Is(err, errNotCompared) {
			return after, err
		}
	}
	return Described{}, fault.New(fault.Unavailable, "the syncs of workspace %s are changing too fast to compare them; try again", path.Workspace)
}

// putCompared stores the sync that Put writes. It fails with errNotCompared if known does not cover
// all syncs as they are now.
func (s *Service) putCompared(ctx context.Context, call caller.Request, path Path, mustExist bool, c Change, known comparison) (Described, error) {
	_, unlock, err := s.Tree.Change(ctx, call, path.Workspace)
	if err != nil {
		return Described{}, err
	}
	defer unlock()
	loc, before, err := s.find(call, path)
	if err != nil {
		return Described{}, err
	}
	if before != nil && call.Replays(before.record.Stamp.RequestID) {
		return s.describe(call, before), nil // this request was already carried out
	}
	if before != nil && call.Creates {
		return Described{}, caller.Exists("sync " + path.String())
	}
	next, err := s.applyChange(ctx, call, loc, path, before, mustExist, c)
	if err != nil {
		return Described{}, err
	}
	if !s.covers(known, next) {
		return Described{}, errNotCompared
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

// applyChange returns the sync as it would be after c, without storing it. It fails wherever the
// write would fail, except that it does not compare the sync with others.
func (s *Service) applyChange(ctx context.Context, call caller.Request, loc location, path Path, before *syncDef, mustExist bool, c Change) (*syncDef, error) {
	if err := s.checkPut(call, loc, path, before, mustExist); err != nil {
		return nil, err
	}
	if before != nil {
		if err := s.verify(ctx, before); err != nil {
			return nil, err // the write would seal fields that it keeps from a damaged or moved record
		}
	}
	next, err := s.draft(call, loc, path, before, c)
	if err != nil {
		return nil, err
	}
	return next, s.checkMove(ctx, before, next)
}

func (s *Service) checkPut(call caller.Request, loc location, path Path, before *syncDef, mustExist bool) error {
	switch {
	case before == nil && mustExist:
		return path.missing()
	case before != nil && before.record.Purging:
		return path.purging(call)
	case before == nil && s.Count(loc.Workspace) >= s.Settings.Config().MaxSyncs:
		return fault.New(fault.Limit, "workspace %s already has as many syncs as max_syncs allows; delete a sync, or raise max_syncs with: vault write %sconfig max_syncs=...", path.Workspace, call.Mount)
	}
	return nil
}

// put stores a definition and schedules a run. begun is the creation of the sync, or nil. The
// caller holds the workspace's change lock.
func (s *Service) put(ctx context.Context, next *syncDef, begun *undone.Change) (*syncDef, error) {
	err := s.records.Put(ctx, next, begun, func(ctx context.Context) error { return s.putRecord(ctx, next) })
	switch {
	case errors.Is(err, store.ErrTooLarge):
		return nil, fault.New(fault.Limit, "sync %s does not fit into one storage entry; shorten its settings and patterns", next.path())
	case err != nil:
		return nil, fmt.Errorf("store sync %s: %w", next.path(), err)
	}
	s.retryNow(next.ID)
	return next, nil
}

// putRecord stores the record of a sync.
func (s *Service) putRecord(ctx context.Context, e *syncDef) error {
	return s.Store.PutSync(ctx, e.At.Parent, e.At.Group, e.At.Name, e.record)
}

// draft returns the definition after c. It checks the definition, but not against the ledger or
// other syncs.
func (s *Service) draft(call caller.Request, loc location, path Path, before *syncDef, c Change) (*syncDef, error) {
	declared, p, known := s.Providers.Destination(path.Destination)
	if !known {
		return nil, s.unknownDestination(path.Destination)
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
	if err := checkRecord(p.Declare(), declared, &record); err != nil {
		return nil, err
	}
	values, err := integrations.Merge("sync", declared.Fields, has, c.Settings)
	if err != nil {
		return nil, err
	}
	record.Settings = integrations.SettingsOf(values)
	integration, err := s.chooseIntegration(call, loc, p.Declare().Name, before, c.Integration)
	if err != nil {
		return nil, err
	}
	record.Integration, record.Target = integration.ID, targetOf(declared, integration, values)
	if err := checkAllowed(integration, loc.environment(), record.Target.Path); err != nil {
		return nil, err
	}
	return s.newDef(loc, &record), nil
}

// chooseIntegration returns the integration that a write names. If name is nil, it returns the
// integration that the sync already uses.
func (s *Service) chooseIntegration(call caller.Request, loc location, prov string, before *syncDef, name *string) (integrations.Integration, error) {
	if name != nil && *name != "" {
		return s.Integrations.Find(call, integrations.Path{Workspace: loc.names.Workspace, Provider: prov, Name: *name})
	}
	if before == nil || name != nil {
		return integrations.Integration{}, fault.New(fault.Invalid, "integration: is required: the name of an integration of provider %s", prov)
	}
	i, exists := s.Integrations.ByID(before.record.Integration)
	if !exists {
		return i, fault.New(fault.Invalid, "integration: the integration of this sync no longer exists; set integration to another one of provider %s", prov)
	}
	return i, nil
}

// checkAllowed fails if the integration does not allow the environment or the target. Each run
// would fail for the same reason.
func checkAllowed(i integrations.Integration, environment, target string) error {
	switch {
	case !integrations.Allows(i.Record.AllowedEnvironments, environment):
		return fault.New(fault.Denied, "allowed_environments of integration %s does not allow %s; add the environment there, or use another integration", i.InWorkspace(), environment)
	case !integrations.Allows(i.Record.AllowedTargets, target):
		return fault.New(fault.Denied, "allowed_targets of integration %s does not allow %s; add the target there, or use another integration", i.InWorkspace(), target)
	}
	return nil
}

// checkRecord checks the fields of a sync except for the settings of its destination.
func checkRecord(p provider.Declaration, d provider.Destination, r *store.Sync) error {
	values := map[string]string{
		provider.FieldGranularity: r.Granularity, provider.FieldOnConflict: r.OnConflict, provider.FieldDeletion: r.Deletion, provider.FieldTrigger: r.Trigger,
	}
	for _, f := range provider.SyncFields(p, d) {
		if value, checked := values[f.Name]; checked && !slices.Contains(f.Choices, value) {
			return fault.New(fault.Invalid, "%s: must be one of %v", f.Name, f.Choices)
		}
	}
	if err := workspaces.CheckDescription(r.Description); err != nil {
		return err
	}
	for field, patterns := range map[string][]string{"include": r.Include, "exclude": r.Exclude, "tags": r.Tags} {
		if err := globs.CheckSize(field, patterns); err != nil {
			return err
		}
		if slices.Contains(patterns, "") {
			return fault.New(fault.Invalid, "%s: must not contain an empty item", field)
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

// checkMove fails if next has another target or granularity while the sync owns entries. No sync
// would own the entries at the old target.
func (s *Service) checkMove(ctx context.Context, before, next *syncDef) error {
	if before == nil || before.record.Target == next.record.Target && before.record.Granularity == next.record.Granularity {
		return nil
	}
	l, closeLedger, err := s.ledgers.Open(ctx, before.owner())
	if err != nil {
		return fmt.Errorf("read the ledger of sync %s: %w", before.path(), err)
	}
	defer closeLedger()
	if len(l.Entries()) == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "sync %s owns %d entries at its target, so its target and granularity cannot change; delete the sync with purge=true to delete them, or with purge=false to keep them, then create it again", before.path(), countOwned(l))
}

// alter changes fields of a record that are not part of a Change.
func (s *Service) alter(ctx context.Context, call caller.Request, path Path, change func(e *syncDef, record *store.Sync) error) (*syncDef, error) {
	_, unlock, err := s.Tree.Change(ctx, call, path.Workspace)
	if err != nil {
		return nil, err
	}
	defer unlock()
	e, err := s.mustFind(call, path)
	if err != nil {
		return nil, err
	}
	record := *e.record
	if err := change(e, &record); err != nil {
		return nil, err
	}
	return s.put(ctx, s.newDef(e.location, &record), nil)
}

// SetPaused pauses or resumes a sync. A batch that is under way still finishes.
func (s *Service) SetPaused(ctx context.Context, call caller.Request, path Path, paused bool) (Described, error) {
	e, err := s.alter(ctx, call, path, func(_ *syncDef, record *store.Sync) error {
		if record.Purging {
			return path.purging(call)
		}
		record.Paused = paused
		return nil
	})
	if err != nil {
		return Described{}, err
	}
	return s.describe(call, e), nil
}

// MaxAdopted is the largest number of entries that one request adopts.
const MaxAdopted = 1000

// Adopt makes the next run adopt entries that the sync did not write. names are names at the
// destination. Each must be in the state Conflict or OwnershipLost.
func (s *Service) Adopt(ctx context.Context, call caller.Request, path Path, names []string) (Described, error) {
	if len(names) > MaxAdopted {
		return Described{}, fault.New(fault.Limit, "keys: has %d names; at most %d are allowed", len(names), MaxAdopted)
	}
	e, err := s.alter(ctx, call, path, func(e *syncDef, record *store.Sync) error {
		if len(names) == 0 {
			return fault.New(fault.Invalid, "keys: is required: the names of the entries to adopt; list them with: vault read %s/status", path.command(call))
		}
		state := s.stateOf(e)
		for _, name := range names {
			known := slices.ContainsFunc(state.Keys, func(k store.KeyState) bool {
				return k.Name == name && (State(k.State) == Conflict || State(k.State) == OwnershipLost)
			})
			if !known && state.Troubled <= len(state.Keys) {
				return fault.New(fault.Invalid, "keys: names an entry that is neither CONFLICT nor OWNERSHIP_LOST; list the entries with: vault read %s/status", path.command(call))
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

// storeAdopt stores the names of the entries that a run has not yet adopted. It fails with
// errSuperseded if the record has changed since the run started.
func (s *Service) storeAdopt(ctx context.Context, done *syncDef, left []string) error {
	return s.records.Exclusively(ctx, done.record.ID, func(e *syncDef) error {
		if e.record != done.record {
			return errSuperseded
		}
		record := *e.record
		record.Adopt = left
		next := s.newDef(e.location, &record)
		return s.records.Put(ctx, next, nil, func(ctx context.Context) error { return s.putRecord(ctx, next) })
	})
}
