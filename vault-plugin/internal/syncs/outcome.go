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

// judge says how a run that has looked at its destination ended.
func (s *Service) judge(run *syncrun.Run, p syncrun.Prepared, r syncrun.Report) verdict {
	v := verdict{state: Synced, ran: true, looked: true, owned: owned(run.Ledger), keys: troubled(p, r)}
	switch {
	case r.Err != nil:
		ended(&v, r.Err)
	case p.Blocked != "":
		v.state, v.class, v.hint, v.retry = Blocked, outbound.Invalid, p.Blocked, seldom
		if p.Count(syncplan.OverLimit) > 0 {
			v.class = outbound.Limit
		}
	case len(r.Failures) > 0:
		first := r.Failures[0]
		v.state, v.class, v.retry, v.worst = Partial, first.Class, seldom, Partial
		v.hint = fmt.Sprintf("%d entries could not be changed; keys says which", len(r.Failures))
		if slices.ContainsFunc(r.Failures, func(f syncrun.Failure) bool { return passing(f.Class) || f.Unknown }) {
			v.state, v.retry = Retrying, soon
		}
	case p.Count(syncplan.Conflict) > 0 || len(p.Lost) > 0:
		v.state, v.class, v.retry = Conflict, outbound.Conflict, seldom
		v.hint = "entries are there that were not written by this sync; they are left alone until they are adopted by name, or removed there"
	}
	return v
}

// passing reports whether a failure may pass by itself. A conflict is one with a change that was made while the run was under way:
// the next run sees it.
func passing(class outbound.Class) bool {
	return class.Passing() || class == outbound.Conflict || class == outbound.Internal
}

// ended fills in why a run did not come to its end.
func ended(v *verdict, err error) {
	var known *outbound.Error
	switch {
	case errors.Is(err, errSuperseded):
		v.state, v.hint = Pending, "it was changed while it ran, and runs again"
		return
	case errors.Is(err, context.Canceled):
		v.state, v.class, v.retry, v.hint = Retrying, outbound.Network, soon, "it was interrupted"
		return
	case !errors.As(err, &known):
		v.state, v.class, v.retry = Retrying, outbound.Internal, soon
		v.hint = "the ledger could not be stored, for storage has failed"
		return
	}
	v.class, v.hint, v.after = known.Class, known.Hint, known.RetryAfter
	if v.hint == "" {
		v.hint = known.Error()
	}
	switch {
	case errors.Is(err, integrations.ErrPaused), errors.Is(err, integrations.ErrLocked):
		v.state, v.class = Paused, ""
	case errors.Is(err, integrations.ErrGone):
		v.state, v.retry = Blocked, seldom
	case passing(known.Class):
		v.state, v.retry = Retrying, soon
	case known.Class == outbound.Permission && known.Status == 0:
		v.state, v.retry = Blocked, seldom
	default:
		v.state, v.retry = Failed, seldom
	}
}

// troubled lists the entries that are not as they should be.
func troubled(p syncrun.Prepared, r syncrun.Report) []store.KeyState {
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
			k.State, k.Class, k.Hint = string(RemoteMissing), string(outbound.NotFound), "it was removed at the destination; it is written again once nothing blocks the sync"
		default:
			continue
		}
		keys = append(keys, k)
	}
	for _, name := range p.Lost {
		keys = append(keys, store.KeyState{
			Name: name, State: string(OwnershipLost), Class: string(outbound.Conflict),
			Hint: "it was to be deleted when a run was cut off, and is there; it may have been written by somebody else since, and is left alone",
		})
	}
	for _, f := range r.Failures {
		k := store.KeyState{Name: f.Name, Source: f.Source, State: string(Failed), Class: string(f.Class), Hint: f.Hint}
		if passing(f.Class) || f.Unknown {
			k.State = string(Retrying)
		}
		keys = append(keys, k)
	}
	return keys
}
