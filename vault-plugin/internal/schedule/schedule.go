// Package schedule owns due times: one index of what is due when, and one queue per lane. A visit
// that hangs delays only its own lane. The package knows neither what is visited nor why.
package schedule

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/clock"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Visitor is called when an id is due.
type Visitor interface {
	// Lane returns the lane whose queue id waits in.
	Lane(id store.ID) string
	// Visit does the work that is due for id. Visits of one lane run one at a time. Visit returns
	// when to visit id next; the zero time means never. A due time that was set during the visit
	// stays in force.
	Visit(ctx context.Context, id store.ID) time.Time
}

// Scheduler visits ids when they are due.
type Scheduler struct {
	clock   clock.Clock
	jobs    *jobs.Group
	visitor Visitor

	mu      sync.Mutex
	due     index
	queues  map[string][]store.ID // by lane, in the order in which the ids became due
	queued  map[store.ID]bool
	armed   time.Time // the time that the timer is set to; zero if no timer is set
	stop    func() bool
	stopped bool
}

// New returns a scheduler without due times.
func New(c clock.Clock, group *jobs.Group, v Visitor) *Scheduler {
	return &Scheduler{
		clock: c, jobs: group, visitor: v,
		due: index{at: make(map[store.ID]int)}, queues: make(map[string][]store.ID), queued: make(map[store.ID]bool),
	}
}

// At schedules a visit of id at the given time. An earlier due time of id stays in force.
func (s *Scheduler) At(id store.ID, when time.Time) {
	s.mu.Lock()
	s.due.earliest(id, when)
	s.mu.Unlock()
	s.dispatch()
}

// Instead schedules a visit of id at the given time and replaces any due time of id.
func (s *Scheduler) Instead(id store.ID, when time.Time) {
	s.mu.Lock()
	s.due.remove(id)
	s.due.earliest(id, when)
	s.mu.Unlock()
	s.dispatch()
}

// Drop removes the due time of id.
func (s *Scheduler) Drop(id store.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due.remove(id)
}

// Next returns the due time of id. It is zero if id has none, or if id is queued or being visited.
func (s *Scheduler) Next(id store.ID) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, waits := s.due.at[id]; waits {
		return s.due.items[i].when
	}
	return time.Time{}
}

// Stop stops the timer, so that nothing more becomes due. The context of the job group ends visits
// that are running.
func (s *Scheduler) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.disarm()
}

// Wake checks for due ids without waiting for the timer. A timer can be late after the machine was
// suspended.
func (s *Scheduler) Wake() { s.dispatch() }

// dispatch moves due ids into the queues of their lanes and sets the timer for the next due time.
func (s *Scheduler) dispatch() {
	s.mu.Lock()
	now := s.clock.Now()
	var due []store.ID
	for !s.stopped && len(s.due.items) > 0 && !s.due.items[0].when.After(now) {
		id := s.due.items[0].id
		s.due.remove(id)
		if !s.queued[id] {
			s.queued[id] = true
			due = append(due, id)
		}
	}
	s.arm(now)
	s.mu.Unlock()
	for _, id := range due {
		lane := s.visitor.Lane(id)
		s.mu.Lock()
		s.queues[lane] = append(s.queues[lane], id)
		s.mu.Unlock()
		s.jobs.Start("visits "+lane, func(ctx context.Context) { s.drain(ctx, lane) })
	}
}

// arm sets the timer to the earliest due time. The caller holds mu.
func (s *Scheduler) arm(now time.Time) {
	if s.stopped || len(s.due.items) == 0 {
		s.disarm()
		return
	}
	next := s.due.items[0].when
	if next.Equal(s.armed) {
		return
	}
	s.disarm()
	s.armed = next
	s.stop = s.clock.AfterFunc(next.Sub(now), func() {
		s.mu.Lock()
		if s.armed.Equal(next) {
			s.armed, s.stop = time.Time{}, nil
		}
		s.mu.Unlock()
		s.dispatch()
	})
}

func (s *Scheduler) disarm() {
	if s.stop != nil {
		s.stop()
	}
	s.armed, s.stop = time.Time{}, nil
}

// drain visits the queued ids of a lane.
func (s *Scheduler) drain(ctx context.Context, lane string) {
	for ctx.Err() == nil {
		s.mu.Lock()
		queue := s.queues[lane]
		if len(queue) == 0 {
			delete(s.queues, lane)
			s.mu.Unlock()
			return
		}
		id := queue[0]
		s.queues[lane] = queue[1:]
		delete(s.queued, id) // a due time from now on causes another visit
		s.mu.Unlock()
		if next := s.visitor.Visit(ctx, id); !next.IsZero() {
			s.At(id, next)
		}
	}
}

// index is a heap of due times with the heap position of each id.
type index struct {
	items []item
	at    map[store.ID]int
}

type item struct {
	id   store.ID
	when time.Time
}

func (x *index) earliest(id store.ID, when time.Time) {
	i, has := x.at[id]
	switch {
	case !has:
		heap.Push(x, item{id, when})
	case when.Before(x.items[i].when):
		x.items[i].when = when
		heap.Fix(x, i)
	}
}

func (x *index) remove(id store.ID) {
	if i, has := x.at[id]; has {
		heap.Remove(x, i)
	}
}

// Len implements heap.Interface, as Less, Swap, Push and Pop do.
func (x *index) Len() int { return len(x.items) }

// Less orders items by due time.
func (x *index) Less(i, j int) bool { return x.items[i].when.Before(x.items[j].when) }

// Swap exchanges two items.
func (x *index) Swap(i, j int) {
	x.items[i], x.items[j] = x.items[j], x.items[i]
	x.at[x.items[i].id], x.at[x.items[j].id] = i, j
}

// Push adds an item at the end.
func (x *index) Push(v any) {
	added, _ := v.(item)
	x.at[added.id] = len(x.items)
	x.items = append(x.items, added)
}

// Pop removes the item at the end.
func (x *index) Pop() any {
	last := x.items[len(x.items)-1]
	x.items = x.items[:len(x.items)-1]
	delete(x.at, last.id)
	return last
}
