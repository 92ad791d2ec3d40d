package outbound

import (
	"context"
	"sync"
	"time"
)

// MaxWait is the maximum total time that one call waits for budgets, for rate limits and between
// repetitions. It is longer than a minute, the period of most budgets. For a longer wait, the call
// fails with class RateLimited.
const MaxWait = 90 * time.Second

// limiter delays requests until the limits of the party allow them.
type limiter struct {
	clock Clock
	slots chan struct{} // one slot per parallel request
	// Waiting requests in order: [0] reads, [1] writes; a waiting write does not delay reads.
	turns [2]chan struct{}

	mu          sync.Mutex
	windows     []*window
	running     int
	hold        time.Time // the service asked to wait until then
	left        int       // requests left until reset, as the service reported
	reset       time.Time
	pause       time.Duration
	unspecified int           // consecutive rate-limited responses without a wait time
	ended       chan struct{} // closed when a request ends
}

func newLimiter(clock Clock, p Party) *limiter {
	l := &limiter{clock: clock, slots: make(chan struct{}, p.Concurrency), pause: p.Pause, ended: make(chan struct{})}
	for i := range l.turns {
		l.turns[i] = make(chan struct{}, 1)
	}
	for _, b := range p.Budgets {
		l.windows = append(l.windows, &window{Budget: b})
	}
	return l
}

// patience is the part of MaxWait that one call has left.
type patience struct{ left time.Duration }

// tooLong is the error for a wait that exceeds the patience of a call.
type tooLong struct{ wait time.Duration }

func (tooLong) Error() string { return "the wait is too long" }

// enter waits until a request may start. Every successful enter must be followed by leave.
func (l *limiter) enter(ctx context.Context, write bool, p *patience) error {
	turn := l.turns[0]
	if write {
		turn = l.turns[1]
	}
	before := l.clock.Now()
	if err := take(ctx, turn); err != nil {
		return err
	}
	defer func() { <-turn }()
	p.left -= max(0, l.clock.Now().Sub(before))
	for {
		if err := take(ctx, l.slots); err != nil {
			return err
		}
		wait, ended, ok := l.begin(write)
		if ok {
			return nil
		}
		<-l.slots
		var err error
		if ended != nil {
			err = receive(ctx, ended)
		} else {
			err = l.wait(ctx, wait, p)
		}
		if err != nil {
			return err
		}
	}
}

// wait waits for d if the call has enough patience left.
func (l *limiter) wait(ctx context.Context, d time.Duration, p *patience) error {
	if d > p.left {
		return tooLong{d}
	}
	before := l.clock.Now()
	err := l.clock.Sleep(ctx, d)
	p.left -= max(d, l.clock.Now().Sub(before))
	return err
}

// begin counts a request as running if the limits allow it. Otherwise it returns how long to wait,
// or a channel that is closed when another request ends.
func (l *limiter) begin(write bool) (wait time.Duration, ended <-chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	wait = max(0, l.hold.Sub(now))
	if left := l.reset.Sub(now); left > 0 && l.left <= l.running {
		if l.running > 0 { // a running request may learn of more
			return 0, l.ended, false
		}
		wait = max(wait, left)
	}
	for _, w := range l.windows {
		if !w.counts(write) {
			continue
		}
		d, known := w.until(now)
		if !known {
			return 0, l.ended, false
		}
		wait = max(wait, d)
	}
	if wait > 0 {
		return wait, nil, false
	}
	l.running++
	for _, w := range l.windows {
		if w.counts(write) {
			w.begin(now)
		}
	}
	return 0, nil, true
}

// leave counts a request as ended and applies the limits of its response.
func (l *limiter) leave(write bool, r rateLimits) {
	l.mu.Lock()
	now := l.clock.Now()
	l.running--
	for _, w := range l.windows {
		if w.counts(write) {
			w.end(now)
		}
	}
	l.learn(now, r)
	close(l.ended)
	l.ended = make(chan struct{})
	l.mu.Unlock()
	<-l.slots
}

// longestPause is the maximum of a pause that doubles.
const longestPause = time.Hour

// refused returns the wait after a rate-limited response without a wait time.
func (l *limiter) refused() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := l.pause
	for range l.unspecified {
		wait = min(2*wait, longestPause)
	}
	l.unspecified = min(l.unspecified+1, 32)
	return wait
}

// served resets the pause after a successful response.
func (l *limiter) served() {
	l.mu.Lock()
	l.unspecified = 0
	l.mu.Unlock()
}

// resetSlack is the maximum difference between the window ends in two responses about the same
// window, because responses have a resolution of one second.
const resetSlack = 2 * time.Second

func (l *limiter) learn(now time.Time, r rateLimits) {
	if r.retryAfter > 0 {
		if until := now.Add(r.retryAfter); until.After(l.hold) {
			l.hold = until
		}
	}
	if !r.known {
		return
	}
	reset := now.Add(r.reset)
	switch {
	case reset.After(l.reset.Add(resetSlack)): // a new window
		l.left, l.reset = r.remaining, reset
	// The same window; responses may arrive in any order.
	case reset.After(l.reset.Add(-resetSlack)):
		l.left = min(l.left, r.remaining)
	}
}

func take(ctx context.Context, from chan<- struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case from <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func receive(ctx context.Context, from <-chan struct{}) error {
	select {
	case <-from:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
