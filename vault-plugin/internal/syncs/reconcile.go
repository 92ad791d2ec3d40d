package syncs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
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

// errSuperseded ends a run whose sync was changed, paused or deleted meanwhile.
var errSuperseded = errors.New("the sync was changed meanwhile")

// Lane answers the queue of a sync: its integration's.
func (s *Service) Lane(id store.ID) string {
	if e := s.byID(id); e != nil {
		return string(e.record.Integration)
	}
	return ""
}

// Visit looks at a sync, and does what there is to do.
func (s *Service) Visit(ctx context.Context, id store.ID) time.Time {
	release, exists := s.hold(id)
	defer release()
	e := s.byID(id)
	if !exists || e == nil {
		return time.Time{}
	}
	ctx, wish, end := s.begin(ctx, id)
	defer end()
	v := s.reconcile(ctx, e, wish != nil)
	if ctx.Err() != nil {
		v = verdict{broken: true}
	}
	return s.conclude(context.WithoutCancel(ctx), e, v)
}

// begin notes that a sync is looked at; end tells those who wait for it.
func (s *Service) begin(ctx context.Context, id store.ID) (_ context.Context, wish *asked, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	st := s.standing[id]
	if st != nil {
		st.dirty, st.phase, st.cancel = false, Planning, cancel
		wish, st.asked = st.asked, nil
	}
	s.mu.Unlock()
	return ctx, wish, func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		if st != nil {
			st.phase, st.cancel = "", nil
		}
		if wish != nil {
			close(wish.done)
		}
	}
}

func (s *Service) setPhase(id store.ID, phase State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.standing[id]; st != nil {
		st.phase = phase
	}
}

// reconcile brings a destination to what it should be. Where nothing is to be done as far as the ledger tells, the destination is not
// contacted, unless somebody asks for it.
func (s *Service) reconcile(ctx context.Context, e *entry, wished bool) verdict {
	if e.record.Paused && !e.record.Purging {
		return verdict{state: Paused, hint: "it is paused; resume it to go on", elsewhere: true}
	}
	integration, refusal := s.integrationOf(e)
	if refusal != nil {
		return *refusal
	}
	if err := s.verify(ctx, e); err != nil {
		return unreadable(err)
	}
	endLook, err := s.look(ctx, wished)
	if err != nil {
		return unreadable(err)
	}
	defer endLook()
	src := source{}
	if !e.record.Purging {
		if src, err = s.source(ctx, e); err != nil {
			return unreadable(err)
		}
		defer src.wipe()
	}
	l, closed, err := s.ledgers.Open(ctx, e.owner())
	if err != nil {
		return unopened(e, err)
	}
	defer closed()
	run := s.run(e, integration, src, l)
	if e.record.Purging {
		endLook()
		return s.purge(ctx, e, run)
	}
	settled, err := run.Settled(ctx)
	switch {
	case err != nil:
		return unopened(e, err)
	case settled && !wished:
		return verdict{state: Synced, looked: true, owned: owned(l), elsewhere: src.elsewhere, until: src.until}
	case Trigger(e.record.Trigger) == Manual && !wished && State(s.stateOf(e).State) != Retrying:
		return verdict{state: Pending, hint: "there is something to do; run it", looked: true, owned: owned(l), elsewhere: src.elsewhere, until: src.until}
	}
	if v := s.broken(e, wished); v != nil {
		v.until = src.until
		return *v
	}
	run.Whole = wished
	endLook()
	v := s.carryOut(ctx, e, run)
	v.elsewhere, v.until = src.elsewhere, src.until
	return v
}

// look waits until the sync may read what it needs to know from storage; end, which may be called
// again, lets another one. No destination is contacted meanwhile, for that may take long. A run that
// somebody asked for does not wait.
func (s *Service) look(ctx context.Context, wished bool) (end func(), err error) {
	if wished {
		return func() {}, nil
	}
	select {
	case s.looks <- struct{}{}:
		return sync.OnceFunc(func() { <-s.looks }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// carryOut looks at the destination and changes it.
func (s *Service) carryOut(ctx context.Context, e *entry, run *syncrun.Run) verdict {
	prepared, err := run.Prepare(ctx)
	if err != nil {
		return s.judge(run, prepared, syncrun.Report{Err: err})
	}
	s.setPhase(e.record.ID, Running)
	v := s.judge(run, prepared, run.Execute(ctx, prepared))
	if left := unadopted(e.record.Adopt, prepared.Plan, run.Ledger); len(left) < len(e.record.Adopt) {
		_ = s.adopted(ctx, e, left) // where that fails, the next run does it
	}
	return v
}

// unadopted names those of the entries that were to be taken over which still are to be. What is wanted no more is no longer meant.
func unadopted(names []string, p syncplan.Plan, l *ledger.Ledger) []string {
	entries := l.Entries()
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		wanted := slices.ContainsFunc(p.Actions, func(a syncplan.Action) bool { return a.Name == name && a.Kind != syncplan.Delete })
		return entries[name].Owned || !wanted
	})
}

// integrationOf finds what a sync's credential is, and holds its target against that which the ledger is about.
func (s *Service) integrationOf(e *entry) (integrations.Integration, *verdict) {
	if e.lost {
		return integrations.Integration{}, &verdict{state: Blocked, class: classInternal, hint: "this version of the plugin does not know its destination; run the version that wrote it, or a newer one", elsewhere: true}
	}
	i, exists := s.Integrations.ByID(e.record.Integration)
	if !exists {
		return i, &verdict{state: Blocked, class: outbound.NotFound, hint: "its integration does not exist", elsewhere: true}
	}
	if target := targetOf(e.declared, i, e.settings); target != e.record.Target {
		return i, &verdict{
			state: Blocked, class: classInvalid, elsewhere: true,
			hint: "the integration leads to another place than the one this sync has written to; set it back, or delete this sync with purge=false and create it again",
		}
	}
	return i, nil
}

func targetOf(d provider.Destination, i integrations.Integration, settings provider.Values) store.SyncTarget {
	t := d.Target(i.Settings, settings)
	return store.SyncTarget{Host: t.Host, Path: t.Path}
}

// broken is the verdict while the integration's credential is known to be refused.
func (s *Service) broken(e *entry, wished bool) *verdict {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c, open := s.circuits[e.record.Integration]
	if wait := c.until.Sub(s.now()); open && wait > 0 && !wished {
		return &verdict{state: Failed, class: outbound.Auth, hint: c.hint, retry: seldom, after: wait, elsewhere: true}
	}
	return nil
}

// run makes a run of a sync.
func (s *Service) run(e *entry, i integrations.Integration, src source, l *ledger.Ledger) *syncrun.Run {
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
			if now := s.byID(e.record.ID); now == nil || now.record != e.record {
				return errSuperseded
			}
			return nil
		},
	}
}

func owned(l *ledger.Ledger) int {
	n := 0
	for _, e := range l.Entries() {
		if e.Owned {
			n++
		}
	}
	return n
}

// unopened is the verdict where what the sync owns is not known.
func unopened(e *entry, err error) verdict {
	switch {
	case errors.Is(err, ledger.ErrDamaged):
		return verdict{
			state: Blocked, class: classInternal, retry: seldom, elsewhere: true,
			hint: fmt.Sprintf("the ledger of what this sync has written, ledger/%s/, is damaged or was moved here; restore it from a snapshot of Vault's storage, "+
				"or delete the sync with purge=false, create it again and adopt its entries", e.record.ID),
		}
	case fault.Is(err, fault.Locked):
		return unreadable(err)
	}
	return verdict{state: Retrying, class: classInternal, hint: "the ledger could not be read or stored, for storage has failed", retry: soon, elsewhere: true}
}

// purge deletes all that a sync has written and still owns, and then the sync.
func (s *Service) purge(ctx context.Context, e *entry, run *syncrun.Run) verdict {
	run.SourceEmpty, run.Deletion, run.Adopt = true, syncplan.ManagedDeletion, nil
	v := verdict{state: Synced}
	if len(run.Ledger.Entries()) > 0 {
		if v := s.broken(e, false); v != nil {
			return *v
		}
		prepared, err := run.Prepare(ctx)
		if err != nil {
			return s.judge(run, prepared, syncrun.Report{Err: err})
		}
		s.setPhase(e.record.ID, Running)
		v = s.judge(run, prepared, run.Execute(ctx, prepared))
	}
	if len(run.Ledger.Entries()) > 0 {
		if v.state == Synced {
			v = verdict{state: Retrying, class: classInternal, hint: "not everything is gone yet", retry: soon}
		}
		return v
	}
	err := s.records.Exclusively(ctx, e.record.ID, func(now *entry) error {
		if now.record != e.record {
			return errSuperseded
		}
		return s.erase(ctx, now)
	})
	if err != nil {
		return verdict{state: Retrying, class: classInternal, hint: fmt.Sprintf("everything it has written is gone; the sync itself is to go: %s", short(err)), retry: soon}
	}
	return verdict{gone: true}
}

// short is what may be told of an error that is not the engine's own.
func short(err error) string {
	var known *fault.Error
	if errors.As(err, &known) {
		return known.Text
	}
	return "storage has failed"
}
