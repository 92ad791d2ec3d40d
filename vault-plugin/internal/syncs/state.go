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

// State is how a sync, or one entry of it, stands.
type State string

// The states.
const (
	Pending  State = "PENDING"  // there is something to do, or it is not known yet
	Planning State = "PLANNING" // it looks
	Running  State = "RUNNING"  // it changes the destination
	Synced   State = "SYNCED"
	Partial  State = "PARTIAL"  // some entries could not be changed, the others are as they should be
	Conflict State = "CONFLICT" // some entries are there and not ours, the others are as they should be
	Blocked  State = "BLOCKED"  // nothing is changed until a person does something
	Retrying State = "RETRYING" // it was refused or not reached, and is tried again
	Failed   State = "FAILED"   // it was refused, or not reached for long: it is tried again now and then
	Paused   State = "PAUSED"

	RemoteMissing State = "REMOTE_MISSING" // of an entry: it was ours, and has gone
	OwnershipLost State = "OWNERSHIP_LOST" // of an entry: it was ours, and may be another's now; it is left alone
)

const (
	// Window is how long changes are waited for that come soon after one another.
	Window = 75 * time.Millisecond
	// MaxAttempts is how often in a row it is tried before a person should look. It is tried after that too, but seldom.
	MaxAttempts = 10
	// MaxKeys is how many entries that are not as they should be are kept by name.
	MaxKeys = 500

	slowEvery  = 15 * time.Minute
	slowSpread = 5 * time.Minute
)

var backoff = schedule.Backoff{Base: time.Second, Max: 5 * time.Minute}

// standing is how a sync stands, in memory. The service's mu guards it.
type standing struct {
	stored    *store.SyncState // nil: nothing is
	now       store.SyncState
	dirty     bool // something may have changed since it was looked at
	phase     State
	cancel    context.CancelFunc // of the run under way
	elsewhere bool               // it delivers something of other environments, or may
	asked     *asked             // a run that a person waits for
}

// asked is a wish to have a sync run now, whatever there seems to be to do.
type asked struct{ done chan struct{} }

// waits reports whether its next attempt is one that nothing at the source makes sooner.
func (st *standing) waits() bool {
	return State(st.now.State) == Retrying || State(st.now.State) == Failed
}

// end has a run ended, and nobody wait for it.
func (st *standing) end() {
	if st.cancel != nil {
		st.cancel()
	}
	if st.asked != nil {
		close(st.asked.done)
		st.asked = nil
	}
}

// retry is when a sync is tried again by itself.
type retry int

const (
	never  retry = iota // when something changes
	soon                // it may do better by itself
	seldom              // it hardly does
)

// verdict is how a visit ended.
type verdict struct {
	state     State
	class     outbound.Class
	hint      string
	retry     retry
	worst     State         // of one that is Retrying: what it is once its attempts are used up; "" is Failed
	after     time.Duration // not before this has passed
	keys      []store.KeyState
	owned     int
	ran       bool // the destination was looked at
	looked    bool // owned and keys hold
	elsewhere bool
	until     time.Time // what is delivered ends then by itself
	gone      bool      // the sync does not exist any more
	broken    bool      // the visit was interrupted: it says nothing
}

// conclude notes how a visit ended, and answers when to come again.
func (s *Service) conclude(ctx context.Context, e *entry, v verdict) time.Time {
	now := s.now()
	s.mu.Lock()
	st := s.standing[e.record.ID]
	if st == nil || v.gone || v.broken {
		if st != nil {
			st.dirty = st.dirty || v.broken
		}
		s.mu.Unlock()
		return time.Time{}
	}
	next := st.now
	next.State, next.Class, next.Hint = string(v.state), string(v.class), v.hint
	if v.looked {
		next.Owned, next.Troubled = v.owned, len(v.keys)
		next.Keys = slices.Clone(v.keys[:min(len(v.keys), MaxKeys)])
	}
	st.elsewhere = v.elsewhere
	s.plan(&next, v, now)
	if v.ran {
		next.Ran = now
		if v.state == Synced {
			next.Synced = now
		}
	}
	st.now = next
	if v.class == outbound.Auth && v.retry == seldom {
		s.circuits[e.record.Integration] = circuit{next.Next, v.hint}
	} else if v.ran {
		delete(s.circuits, e.record.Integration)
	}
	s.mu.Unlock()
	s.storeState(ctx, e.record.ID) // where that fails, Wake does it
	if next.Next.IsZero() || !v.until.IsZero() && v.until.Before(next.Next) {
		return v.until
	}
	return next.Next
}

// plan decides when a sync is tried again.
func (s *Service) plan(next *store.SyncState, v verdict, now time.Time) {
	switch v.retry {
	case never:
		next.Attempts, next.Next = 0, time.Time{}
		return
	case soon:
		next.Attempts++
		if next.Attempts < MaxAttempts {
			next.Next = now.Add(max(backoff.After(next.Attempts), v.after))
			return
		}
		next.State = string(cmp.Or(v.worst, Failed))
	case seldom:
		next.Attempts++
	}
	spread := schedule.Backoff{Base: slowSpread, Max: slowSpread}
	next.Next = now.Add(max(slowEvery+spread.After(1), v.after))
}

// storeState stores how a sync stands, where that is not what is stored.
func (s *Service) storeState(ctx context.Context, id store.ID) {
	release, _ := s.hold(id)
	defer release()
	s.mu.RLock()
	st := s.standing[id]
	if st == nil || st.stored != nil && reflect.DeepEqual(*st.stored, st.now) || st.now.State == "" {
		s.mu.RUnlock()
		return
	}
	state := st.now
	s.mu.RUnlock()
	if s.Store.PutSyncState(ctx, id, &state) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.standing[id]; st != nil {
		st.stored = &state
	}
}

// storeStates stores what could not be stored when it came to be.
func (s *Service) storeStates(ctx context.Context) {
	s.mu.RLock()
	var all []store.ID
	for id, st := range s.standing {
		if st.phase == "" && st.now.State != "" && (st.stored == nil || !reflect.DeepEqual(*st.stored, st.now)) {
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
