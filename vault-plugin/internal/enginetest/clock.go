package enginetest

import (
	"sync"
	"time"
)

// Clock is a clock for tests. Its time changes only in Advance.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[*timer]bool

	calls   int // timer functions that have not returned
	returns *sync.Cond
}

type timer struct {
	due time.Time
	f   func()
}

// NewClock returns a clock that starts at a fixed time.
func NewClock() *Clock {
	c := &Clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), timers: make(map[*timer]bool)}
	c.returns = sync.NewCond(&c.mu)
	return c
}

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc schedules f. The Advance that reaches the time calls f in its own goroutine.
func (c *Clock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d <= 0 {
		c.call(f)
		return func() bool { return false }
	}
	t := &timer{c.now.Add(d), f}
	c.timers[t] = true
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		waiting := c.timers[t]
		delete(c.timers, t)
		return waiting
	}
}

// Advance moves the clock forward and calls the timers that are due.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for t := range c.timers {
		if !t.due.After(c.now) {
			delete(c.timers, t)
			c.call(t.f)
		}
	}
}

// call calls f in a goroutine. The caller holds mu.
func (c *Clock) call(f func()) {
	c.calls++
	go func() {
		f()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls--
		c.returns.Broadcast()
	}()
}

// Fired waits until every timer function that was called has returned.
func (c *Clock) Fired() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.calls > 0 {
		c.returns.Wait()
	}
}

// Next returns the time until the next timer is due. It returns false if there is no timer.
func (c *Clock) Next() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var next time.Duration
	found := false
	for t := range c.timers {
		if d := t.due.Sub(c.now); !found || d < next {
			next, found = d, true
		}
	}
	return next, found
}
