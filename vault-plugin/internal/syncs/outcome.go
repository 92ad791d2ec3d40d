package syncs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncrun"
)

// runOutcome returns the outcome of a run that has contacted its destination.
func (s *Service) runOutcome(run *syncrun.Run, p syncrun.Prepared, r syncrun.Report) outcome {
	o := outcome{state: Synced, ran: true, counted: true, owned: countOwned(run.Ledger), keys: troubledKeys(p, r)}
	switch {
	case r.Err != nil:
		setFailure(&o, r.Err)
	case p.Blocked != "":
		o.state, o.class, o.hint, o.retry = Blocked, outbound.Invalid, p.Blocked, seldom
		if p.Count(syncplan.OverLimit) > 0 {
			o.class = outbound.Limit
		}
	case len(r.Failures) > 0:
		first := r.Failures[0]
		o.state, o.class, o.retry, o.final = Partial, first.Class, seldom, Partial
		o.hint = fmt.Sprintf("%d entries could not be changed; keys lists them", len(r.Failures))
		switch {
		case slices.ContainsFunc(r.Failures, mayPass):
			o.state, o.retry = Retrying, soon
		case !slices.ContainsFunc(r.Failures, func(f syncrun.Failure) bool { return !f.Foreign }):
			o.state = Conflict
		}
	case p.Count(syncplan.Conflict) > 0 || len(p.Lost) > 0:
		o.state, o.class, o.retry = Conflict, outbound.Conflict, seldom
		o.hint = "the destination has entries that this sync did not write; adopt them by name, or delete them at the destination; until then they are left unchanged"
	}
	return o
}

// passing reports whether a failure may pass without any change. A conflict is passing because its
// cause is a change to the destination during the run, which the next run sees.
func passing(class outbound.Class) bool {
	return class.Passing() || class == outbound.Conflict || class == outbound.Internal
}

// mayPass reports whether the failure of an entry may pass without any change. Content of others
// stays until a person decides about it.
func mayPass(f syncrun.Failure) bool { return f.Unknown || passing(f.Class) && !f.Foreign }

// setFailure sets the outcome of a run that err has ended early.
func setFailure(o *outcome, err error) {
	var known *outbound.Error
	switch {
	case errors.Is(err, errSuperseded):
		o.state, o.hint = Pending, "the sync was changed during the run and runs again"
		return
	case errors.Is(err, context.Canceled):
		o.state, o.class, o.retry, o.hint = Retrying, outbound.Network, soon, "the run was interrupted and is retried"
		return
	case !errors.As(err, &known):
		o.state, o.class, o.retry = Retrying, outbound.Internal, soon
		o.hint = "the ledger could not be stored because storage failed; the run is retried"
		return
	}
	o.class, o.hint, o.after = known.Class, known.Hint, known.RetryAfter
	if o.hint == "" {
		o.hint = known.Error()
	}
	switch {
	case errors.Is(err, integrations.ErrPaused), errors.Is(err, integrations.ErrLocked):
		o.state, o.class = Paused, ""
	case errors.Is(err, integrations.ErrGone):
		o.state, o.retry = Blocked, seldom
	case passing(known.Class):
		o.state, o.retry = Retrying, soon
	case known.Class == outbound.Permission && known.Status == 0:
		o.state, o.retry = Blocked, seldom
	default:
		o.state, o.retry = Failed, seldom
	}
}

// troubledKeys returns the states of the entries that are not Synced.
func troubledKeys(p syncrun.Prepared, r syncrun.Report) []store.KeyState {
	var keys []store.KeyState
	for _, a := range p.Actions {
		k := store.KeyState{Name: a.Name, Source: a.Source, Hint: a.Why}
		switch {
		case a.Kind == syncplan.Conflict:
			k.State, k.Class = string(Conflict), string(outbound.Conflict)
		case a.Kind == syncplan.Invalid:
			k.State, k.Class = string(Blocked), string(outbound.Invalid)
		case a.Kind == syncplan.OverLimit:
			k.State, k.Class = string(Blocked), string(outbound.Limit)
		case a.Missing && p.Blocked != "":
			k.State, k.Class, k.Hint = string(RemoteMissing), string(outbound.NotFound), "the entry was removed at the destination; the sync writes it again when nothing blocks the sync"
		default:
			continue
		}
		keys = append(keys, k)
	}
	for _, name := range p.Lost {
		keys = append(keys, store.KeyState{
			Name: name, State: string(OwnershipLost), Class: string(outbound.Conflict),
			Hint: "a run that was to delete this entry was interrupted, and the entry exists; someone else may have written it since; adopt it, or delete it at the destination",
		})
	}
	for _, f := range r.Failures {
		k := store.KeyState{Name: f.Name, Source: f.Source, State: string(Failed), Class: string(f.Class), Hint: f.Hint}
		switch {
		case mayPass(f):
			k.State = string(Retrying)
		case f.Foreign:
			k.State = string(Conflict)
		}
		keys = append(keys, k)
	}
	return keys
}
