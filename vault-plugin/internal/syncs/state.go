package syncs

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/schedule"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// State is the state of a sync or of one of its entries.
type State string

// The states.
const (
	Pending  State = "PENDING"  // a run is due, or the sync has not been visited yet
	Planning State = "PLANNING" // a visit reads the environment, the ledger and the destination
	Running  State = "RUNNING"  // a run changes the destination
	Synced   State = "SYNCED"
	Partial  State = "PARTIAL"  // some entries could not be changed; the others are Synced
	Conflict State = "CONFLICT" // some wanted entries exist and are not owned; the others are Synced
	Blocked  State = "BLOCKED"  // a person must act before the sync changes anything
	Retrying State = "RETRYING" // a failure that may pass; the next attempt is scheduled
	Failed   State = "FAILED"   // a failure that lasts or is unlikely to pass; attempts are slowEvery apart
	Paused   State = "PAUSED"

	RemoteMissing State = "REMOTE_MISSING" // of an entry: it was owned and no longer exists
	OwnershipLost State = "OWNERSHIP_LOST" // of an entry: it was owned, and someone else may own it now; it is left unchanged
)

const (
	// Window is the time that a sync waits after a change, so that one run covers changes that
	// follow each other closely.
	Window = 75 * time.Millisecond
	// MaxAttempts is the number of consecutive failures after which a sync needs a person. Further
	// attempts are slowEvery and up to slowSpread apart.
	MaxAttempts = 10
	// MaxKeys bounds the entries that a stored state names. See store.SyncState.Troubled for their
	// number.
	MaxKeys = 500

	// An attempt of a sync that is unlikely to succeed comes after slowEvery and a random part of
	// slowSpread.
	slowEvery  = 15 * time.Minute
	slowSpread = 5 * time.Minute
)

var backoff = schedule.Backoff{Base: time.Second, Max: 5 * time.Minute}

// runState is the state of a sync in memory. The service's mu guards it.
type runState struct {
	stored    *store.SyncState // nil if none is stored
	current   store.SyncState
	dirty     bool // something may have changed since the last visit began
	phase     State
	cancel    context.CancelFunc // of the visit under way
	elsewhere bool               // other environments can change what the environment delivers
	request   *runRequest        // the request to run that is pending; nil if there is none
}

// runRequest is a request to run a sync even if it seems up to date. done is closed after the run.
type runRequest struct{ done chan struct{} }

// backsOff reports whether a change to the source must wait for the next attempt.
func (st *runState) backsOff() bool {
	return State(st.current.State) == Retrying || State(st.current.State) == Failed
}

// end cancels the visit under way and unblocks the callers that wait for a run.
func (st *runState) end() {
	if st.cancel != nil {
		st.cancel()
	}
	if st.request != nil {
		close(st.request.done)
		st.request = nil
	}
}

// retry is when a sync is retried without a change.
type retry int

const (
	never  retry = iota // not before something changes
	soon                // with backoff: the failure may pass
	seldom              // slowEvery apart: the failure is unlikely to pass
)

// outcome is the outcome of a visit.
type outcome struct {
	state       State
	class       outbound.Class
	hint        string
	retry       retry
	final       State         // replaces Retrying after MaxAttempts; "" means Failed
	after       time.Duration // minimum time to the next attempt
	keys        []store.KeyState
	owned       int
	ran         bool // the destination was contacted
	counted     bool // owned and keys are set
	elsewhere   bool
	until       time.Time // when a delivered version expires; zero if none does
	deleted     bool      // the sync was deleted
	interrupted bool      // the visit was canceled, and the other fields mean nothing
}

// conclude records the outcome of a visit and returns the time of the next one.
func (s *Service) conclude(ctx context.Context, e *syncDef, o outcome) time.Time {
	now := s.now()
	s.mu.Lock()
	st := s.runStates[e.record.ID]
	if st == nil || o.deleted || o.interrupted {
		if st != nil {
			st.dirty = st.dirty || o.interrupted
		}
		s.mu.Unlock()
		return time.Time{}
	}
	before, next := st.current, st.current
	next.State, next.Class, next.Hint = string(o.state), string(o.class), o.hint
	if o.counted {
		next.Owned, next.Troubled = o.owned, len(o.keys)
		next.Keys = slices.Clone(o.keys[:min(len(o.keys), MaxKeys)])
	}
	st.elsewhere = o.elsewhere
	s.scheduleRetry(&next, o, now)
	if o.ran {
		next.Ran = now
		if o.state == Synced {
			next.Synced = now
		}
	}
	st.current = next
	if o.class == outbound.Auth && o.retry == seldom {
		s.circuits[e.record.Integration] = circuit{next.Next, o.hint}
	} else if o.ran {
		delete(s.circuits, e.record.Integration)
	}
	s.mu.Unlock()
	s.recordState(e, conditionOf(before), conditionOf(next))
	s.storeState(ctx, e.record.ID) // if storing fails, Wake retries it
	if next.Next.IsZero() || !o.until.IsZero() && o.until.Before(next.Next) {
		return o.until
	}
	return next.Next
}

// scheduleRetry sets the time of the next attempt.
func (s *Service) scheduleRetry(next *store.SyncState, o outcome, now time.Time) {
	switch o.retry {
	case never:
		next.Attempts, next.Next = 0, time.Time{}
		return
	case soon:
		next.Attempts++
		if next.Attempts < MaxAttempts {
			next.Next = now.Add(max(backoff.After(next.Attempts), o.after))
			return
		}
		next.State = string(cmp.Or(o.final, Failed))
	case seldom:
		next.Attempts++
	}
	spread := schedule.Backoff{Base: slowSpread, Max: slowSpread}
	next.Next = now.Add(max(slowEvery+spread.After(1), o.after))
}

// storeState stores the state of a sync if it differs from the stored one.
func (s *Service) storeState(ctx context.Context, id store.ID) {
	release, _ := s.hold(id)
	defer release()
	s.mu.RLock()
	st := s.runStates[id]
	if st == nil || st.stored != nil && reflect.DeepEqual(*st.stored, st.current) || st.current.State == "" {
		s.mu.RUnlock()
		return
	}
	state := st.current
	s.mu.RUnlock()
	if s.Store.PutSyncState(ctx, id, &state) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.runStates[id]; st != nil {
		st.stored = &state
	}
}

// storeStates stores the states that could not be stored after their visits.
func (s *Service) storeStates(ctx context.Context) {
	s.mu.RLock()
	var all []store.ID
	for id, st := range s.runStates {
		if st.phase == "" && st.current.State != "" && (st.stored == nil || !reflect.DeepEqual(*st.stored, st.current)) {
			all = append(all, id)
		}
	}
	s.mu.RUnlock()
	for _, id := range all {
		if ctx.Err() != nil {
			return
		}
		s.storeState(ctx, id)
	}
}
