package schedule

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/clock"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// turned is a clock that a test advances. Due timers then run.
type turned struct {
	mu     sync.Mutex
	now    time.Time
	timers map[int]timer
	next   int
}

type timer struct {
	when time.Time
	f    func()
}

var _ clock.Clock = (*turned)(nil)

func (c *turned) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *turned) AfterFunc(d time.Duration, f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	n := c.next
	c.timers[n] = timer{c.now.Add(d), f}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waits := c.timers[n]
		delete(c.timers, n)
		return waits
	}
}

func (c *turned) turn(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	var due []func()
	for n, t := range c.timers {
		if !t.when.After(c.now) {
			due = append(due, t.f)
			delete(c.timers, n)
		}
	}
	c.mu.Unlock()
	for _, f := range due {
		f()
	}
}

type visits struct {
	mu     sync.Mutex
	lanes  map[store.ID]string
	seen   []store.ID
	visit  func(ctx context.Context, id store.ID) time.Time
	inLane map[string]int
	most   int
}

func (v *visits) Lane(id store.ID) string { return v.lanes[id] }

func (v *visits) Visit(ctx context.Context, id store.ID) time.Time {
	v.mu.Lock()
	v.seen = append(v.seen, id)
	v.inLane[v.lanes[id]]++
	v.most = max(v.most, v.inLane[v.lanes[id]])
	f := v.visit
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		v.inLane[v.lanes[id]]--
		v.mu.Unlock()
	}()
	if f == nil {
		return time.Time{}
	}
	return f(ctx, id)
}

func (v *visits) times(id store.ID) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := 0
	for _, seen := range v.seen {
		if seen == id {
			n++
		}
	}
	return n
}

func setup(t *testing.T) (*Scheduler, *visits, *turned, *jobs.Group) {
	t.Helper()
	c := &turned{now: time.Unix(0, 0), timers: make(map[int]timer)}
	group := jobs.NewGroup()
	t.Cleanup(func() { group.Stop(time.Second) })
	v := &visits{lanes: map[store.ID]string{"a1": "a", "a2": "a", "b1": "b"}, inLane: make(map[string]int)}
	return New(c, group, v), v, c, group
}

func TestNothingIsVisitedBeforeItIsDue(t *testing.T) {
	s, v, c, group := setup(t)
	s.At("a1", c.Now().Add(time.Second))
	s.At("a1", c.Now().Add(time.Hour)) // the earlier time stays in force
	s.At("b1", c.Now().Add(2*time.Second))
	c.turn(999 * time.Millisecond)
	group.Wait()
	if len(v.seen) != 0 {
		t.Fatalf("visited %v", v.seen)
	}
	c.turn(time.Millisecond)
	group.Wait()
	if v.times("a1") != 1 || v.times("b1") != 0 {
		t.Fatalf("visited %v", v.seen)
	}
	s.Instead("b1", c.Now().Add(time.Minute))
	c.turn(30 * time.Second)
	group.Wait()
	if v.times("b1") != 0 {
		t.Error("visited before the later time that it was moved to")
	}
	c.turn(30 * time.Second)
	group.Wait()
	if v.times("b1") != 1 {
		t.Error("not visited")
	}
	s.At("a2", c.Now().Add(time.Second))
	s.Drop("a2")
	c.turn(time.Hour)
	group.Wait()
	if v.times("a2") != 0 || len(c.timers) != 0 {
		t.Error("a dropped id is visited or still has a timer")
	}
}

func TestAVisitReturnsItsNextTime(t *testing.T) {
	s, v, c, group := setup(t)
	v.visit = func(context.Context, store.ID) time.Time { return c.Now().Add(time.Minute) }
	s.At("a1", c.Now())
	for range 3 {
		group.Wait()
		c.turn(time.Minute)
	}
	group.Wait()
	if n := v.times("a1"); n != 4 {
		t.Errorf("visited %d times", n)
	}
}

func TestAHangingVisitKeepsOnlyItsLaneWaiting(t *testing.T) {
	s, v, c, group := setup(t)
	release, entered := make(chan struct{}), make(chan struct{}, 9)
	v.visit = func(_ context.Context, id store.ID) time.Time {
		if id == "a1" {
			entered <- struct{}{}
			<-release
		}
		if id == "b1" {
			entered <- struct{}{}
		}
		return time.Time{}
	}
	s.At("a1", c.Now())
	<-entered
	s.At("a1", c.Now()) // due again during the visit: another visit follows
	s.At("a1", c.Now())
	s.At("a2", c.Now())
	s.At("b1", c.Now())
	<-entered
	if v.times("a2") != 0 || v.times("b1") != 1 {
		t.Errorf("visited %v", v.seen)
	}
	close(release)
	group.Wait()
	if v.times("a1") != 2 || v.times("a2") != 1 || v.most != 1 {
		t.Errorf("visited %v, %d at once in a lane", v.seen, v.most)
	}
}

func TestAfterStopNothingIsVisited(t *testing.T) {
	s, v, c, group := setup(t)
	s.At("a1", c.Now().Add(time.Second))
	s.Stop()
	c.turn(time.Hour)
	s.At("b1", c.Now())
	group.Wait()
	if len(v.seen) != 0 {
		t.Errorf("visited %v", v.seen)
	}
}

func TestBackoffDoublesUpToItsBound(t *testing.T) {
	b := Backoff{time.Second, time.Minute}
	for n, ceiling := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1000: time.Minute} {
		longest := time.Duration(0)
		for range 200 {
			d := b.After(n)
			if d < 0 || d > ceiling {
				t.Fatalf("after %d failures: %v", n, d)
			}
			longest = max(longest, d)
		}
		if longest < ceiling/2 {
			t.Errorf("after %d failures at most %v in 200 tries: no full jitter", n, longest)
		}
	}
}
