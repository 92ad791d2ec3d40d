package syncs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncrun"
)

const (
	classInvalid  = outbound.Invalid
	classInternal = outbound.Internal
)

// errSuperseded ends a run whose sync was changed, paused or deleted during the run.
var errSuperseded = errors.New("the sync was changed during the run")

// Lane implements schedule.Visitor. Syncs of one integration share a lane.
func (s *Service) Lane(id store.ID) string {
	if e := s.byID(id); e != nil {
		return string(e.record.Integration)
	}
	return ""
}

// Visit implements schedule.Visitor: it reconciles the sync.
func (s *Service) Visit(ctx context.Context, id store.ID) time.Time {
	release, exists := s.hold(id)
	defer release()
	e := s.byID(id)
	if !exists || e == nil {
		return time.Time{}
	}
	ctx, request, end := s.begin(ctx, id)
	defer end()
	o := s.reconcile(ctx, e, request != nil)
	if ctx.Err() != nil {
		o = outcome{interrupted: true}
	}
	return s.conclude(context.WithoutCancel(ctx), e, o)
}

// begin records that a visit is under way, and takes the pending run request or nil. end ends the
// visit and unblocks the callers that wait for the request.
func (s *Service) begin(ctx context.Context, id store.ID) (_ context.Context, request *runRequest, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	st := s.runStates[id]
	if st != nil {
		st.dirty, st.phase, st.cancel = false, Planning, cancel
		request, st.request = st.request, nil
	}
	s.mu.Unlock()
	return ctx, request, func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		if st != nil {
			st.phase, st.cancel = "", nil
		}
		if request != nil {
			close(request.done)
		}
	}
}

func (s *Service) setPhase(id store.ID, phase State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.runStates[id]; st != nil {
		st.phase = phase
	}
}

// reconcile brings the destination in line with the environment. If the ledger says that the
// destination is up to date, reconcile contacts it only if a run was requested.
func (s *Service) reconcile(ctx context.Context, e *syncDef, requested bool) outcome {
	if e.record.Paused && !e.record.Purging {
		return outcome{state: Paused, hint: "the sync is paused; resume it to continue", elsewhere: true}
	}
	integration, refusal := s.integrationOf(e)
	if refusal != nil {
		return *refusal
	}
	if err := s.verify(ctx, e); err != nil {
		return sourceError(err)
	}
	endRead, err := s.startRead(ctx, e.Workspace, requested)
	if err != nil {
		return sourceError(err)
	}
	defer endRead()
	src := source{}
	if !e.record.Purging {
		if src, err = s.readSource(ctx, e); err != nil {
			return sourceError(err)
		}
		defer src.wipe()
	}
	l, closeLedger, err := s.ledgers.Open(ctx, e.owner())
	if err != nil {
		return ledgerError(e, err)
	}
	defer closeLedger()
	run := s.newRun(e, integration, src, l)
	if e.record.Purging {
		endRead()
		return s.purge(ctx, e, run)
	}
	if o := s.idle(ctx, e, run, src, requested); o != nil {
		return *o
	}
	run.Whole = requested
	endRead()
	o := s.execute(ctx, e, run)
	o.elsewhere, o.until = src.elsewhere, src.until
	return o
}

// idle returns the outcome of a visit that does not run the sync, or nil if the sync must run. A
// requested run ignores all reasons except an open circuit.
func (s *Service) idle(ctx context.Context, e *syncDef, run *syncrun.Run, src source, requested bool) *outcome {
	upToDate, err := run.Settled(ctx)
	switch {
	case err != nil:
		o := ledgerError(e, err)
		return &o
	case upToDate && !requested:
		return &outcome{state: Synced, counted: true, owned: countOwned(run.Ledger), elsewhere: src.elsewhere, until: src.until}
	case Trigger(e.record.Trigger) == Manual && !requested && State(s.stateOf(e).State) != Retrying:
		return &outcome{state: Pending, hint: "there are changes to apply, and trigger is manual; run the sync", counted: true, owned: countOwned(run.Ledger), elsewhere: src.elsewhere, until: src.until}
	}
	o := s.circuitOpen(e, requested)
	if o != nil {
		o.until = src.until
	}
	return o
}

// startRead waits until fewer than maxReads syncs read from storage. A requested run does not wait.
// end, which may be called more than once, lets the next sync read. Destinations are contacted only
// after end, because a destination can be slow.
func (s *Service) startRead(ctx context.Context, ws store.ID, requested bool) (end func(), err error) {
	if requested {
		return func() {}, nil
	}
	return s.reads.Acquire(ctx, string(ws), 1)
}

// execute makes a plan from the destination and carries it out.
func (s *Service) execute(ctx context.Context, e *syncDef, run *syncrun.Run) outcome {
	prepared, err := run.Prepare(ctx)
	if err != nil {
		return s.runOutcome(run, prepared, syncrun.Report{Err: err})
	}
	o, report := s.carryOut(ctx, e, run, prepared)
	if left := pendingAdoptions(e.record.Adopt, prepared.Plan, report, run.Ledger); len(left) < len(e.record.Adopt) {
		_ = s.storeAdopt(ctx, e, left) // if storing fails, the next run retries it
	}
	return o
}

// carryOut carries out a plan, and records what it has deleted. It returns the outcome of the run, and
// its report.
func (s *Service) carryOut(ctx context.Context, e *syncDef, run *syncrun.Run, p syncrun.Prepared) (outcome, syncrun.Report) {
	s.setPhase(e.record.ID, Running)
	report := run.Execute(ctx, p)
	s.recordDeletions(e, report)
	return s.runOutcome(run, p, report), report
}

// pendingAdoptions returns the names that are still to be adopted. It drops names that the sync
// owns by now and whose change has not failed, and names that it no longer wants.
func pendingAdoptions(names []string, p syncplan.Plan, r syncrun.Report, l *ledger.Ledger) []string {
	entries := l.Entries()
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		wanted := slices.ContainsFunc(p.Actions, func(a syncplan.Action) bool { return a.Name == name && a.Kind != syncplan.Delete })
		failed := slices.ContainsFunc(r.Failures, func(f syncrun.Failure) bool { return f.Name == name })
		return entries[name].Owned && !failed || !wanted
	})
}

// integrationOf returns the integration of a sync. The outcome is not nil if the integration cannot
// be used, or if its settings lead to a target other than the one that the ledger describes.
func (s *Service) integrationOf(e *syncDef) (integrations.Integration, *outcome) {
	if e.unsupported {
		return integrations.Integration{}, &outcome{state: Blocked, class: classInternal, hint: "this version of the plugin does not support the destination or name_template of the sync; run the version that wrote the sync, or a newer one", elsewhere: true}
	}
	i, exists := s.Integrations.ByID(e.record.Integration)
	if !exists {
		return i, &outcome{state: Blocked, class: outbound.NotFound, hint: "the integration of the sync does not exist; write the sync with another integration", elsewhere: true}
	}
	if target := targetOf(e.declared, i, e.settings); target != e.record.Target {
		return i, &outcome{
			state: Blocked, class: classInvalid, elsewhere: true,
			hint: "the settings of the integration lead to a target other than the one this sync writes to; restore them, or delete the sync with purge=false and create it again",
		}
	}
	return i, nil
}

func targetOf(d provider.Destination, i integrations.Integration, settings provider.Values) store.SyncTarget {
	t := d.Target(i.Settings, settings)
	return store.SyncTarget{Host: t.Host, Path: t.Path}
}

// circuitOpen returns the outcome of a visit that is skipped because the destination has recently
// rejected the credential of the integration. It returns nil if the visit goes on. A requested run
// is never skipped.
func (s *Service) circuitOpen(e *syncDef, requested bool) *outcome {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c, exists := s.circuits[e.record.Integration]
	if wait := c.until.Sub(s.now()); exists && wait > 0 && !requested {
		return &outcome{state: Failed, class: outbound.Auth, hint: c.hint, retry: seldom, after: wait, elsewhere: true}
	}
	return nil
}

// newRun returns a run of a sync.
func (s *Service) newRun(e *syncDef, i integrations.Integration, src source, l *ledger.Ledger) *syncrun.Run {
	use := integrations.Use{Integration: i, Environment: e.environment(), Target: e.record.Target.Path}
	adopt := make(map[string]bool)
	for _, name := range e.record.Adopt {
		adopt[name] = true
	}
	return &syncrun.Run{
		Destination: e.declared,
		Place:       e.place(),
		UseCredential: func(ctx context.Context, f func(ctx context.Context, p provider.Provider, session *provider.Session) error) error {
			return s.Integrations.With(ctx, use, f)
		},
		Ledger: l, Wants: src.wants, Values: src.values, SourceEmpty: src.empty, Shape: shape(e),
		OnConflict: syncplan.OnConflict(e.record.OnConflict), Deletion: syncplan.Deletion(e.record.Deletion), Adopt: adopt,
		Continues: func() error {
			if current := s.byID(e.record.ID); current == nil || current.record != e.record {
				return errSuperseded
			}
			return nil
		},
	}
}

func countOwned(l *ledger.Ledger) int {
	n := 0
	for _, e := range l.Entries() {
		if e.Owned {
			n++
		}
	}
	return n
}

// ledgerError returns the outcome if the ledger could not be opened. It is then unknown what the
// sync owns.
func ledgerError(e *syncDef, err error) outcome {
	switch {
	case errors.Is(err, ledger.ErrDamaged):
		return outcome{
			state: Blocked, class: classInternal, retry: seldom, elsewhere: true,
			hint: fmt.Sprintf("the ledger of this sync, ledger/%s/, is damaged or was moved; restore it from a snapshot of Vault's storage, "+
				"or delete the sync with purge=false, create it again and adopt its entries", e.record.ID),
		}
	case fault.Is(err, fault.Locked):
		return sourceError(err)
	}
	return outcome{state: Retrying, class: classInternal, hint: "the ledger could not be read or stored because storage failed; the run is retried", retry: soon, elsewhere: true}
}

// purge deletes all entries that a sync owns, and then the sync.
func (s *Service) purge(ctx context.Context, e *syncDef, run *syncrun.Run) outcome {
	run.SourceEmpty, run.Deletion = true, syncplan.ManagedDeletion
	o := outcome{state: Synced}
	if len(run.Ledger.Entries()) > 0 {
		if o := s.circuitOpen(e, false); o != nil {
			return *o
		}
		prepared, err := run.Prepare(ctx)
		if err != nil {
			return s.runOutcome(run, prepared, syncrun.Report{Err: err})
		}
		o, _ = s.carryOut(ctx, e, run, prepared)
	}
	if len(run.Ledger.Entries()) > 0 {
		if o.state == Synced {
			o = outcome{state: Retrying, class: classInternal, hint: "some entries have not been deleted yet; the purge is retried", retry: soon}
		}
		return o
	}
	err := s.records.Exclusively(ctx, e.record.ID, func(current *syncDef) error {
		if current.record != e.record {
			return errSuperseded
		}
		return s.erase(ctx, current)
	})
	if err != nil {
		return outcome{state: Retrying, class: classInternal, hint: fmt.Sprintf("all entries of the sync were deleted, but not the sync itself; its deletion is retried: %s", publicText(err)), retry: soon}
	}
	return outcome{deleted: true}
}

// publicText returns the text of an error of package fault. Any other error is a storage error,
// whose text stays out of hints.
func publicText(err error) string {
	var known *fault.Error
	if errors.As(err, &known) {
		return known.Text
	}
	return "storage failed"
}
