package outbound

import (
	"context"
	"sync"
	"time"
)

// MaxWait is how long one call waits, all in all, for budgets, rate limits and between repetitions. It is more than a minute, which is
// the span of most budgets; what takes longer is told to the caller, who has other work.
const MaxWait = 90 * time.Second

// limiter lets requests begin when the party's limits allow it.
type limiter struct {
	clock Clock
	slots chan struct{}    // one for each request at once
	turns [2]chan struct{} // those that wait, in their order: [0] what only reads, [1] what changes something, which does not delay the former

	mu      sync.Mutex
	windows []*window
	running int
	hold    time.Time // the party has asked to wait until then
	left    int       // what the party has said to be left until reset
	reset   time.Time
	pause   time.Duration
	unsaid  int           // refusals in a row that did not say how long to wait
	changed chan struct{} // closed when a request ends
}

func newLimiter(clock Clock, p Party) *limiter {
	l := &limiter{clock: clock, slots: make(chan struct{}, p.Concurrency), pause: p.Pause, changed: make(chan struct{})}
	for i := range l.turns {
		l.turns[i] = make(chan struct{}, 1)
	}
	for _, b := range p.Budgets {
		l.windows = append(l.windows, &window{Budget: b})
	}
	return l
}

// patience is what is left of MaxWait in one call.
type patience struct{ left time.Duration }

// tooLong is a wait that is longer than a call's patience.
type tooLong struct{ wait time.Duration }

func (tooLong) Error() string { return "the wait is too long" }

// enter waits until a request may begin. Each enter without an error is followed by a leave.
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
		wait, change, ok := l.begin(write)
		if ok {
			return nil
		}
		<-l.slots
		var err error
		if change != nil {
			err = receive(ctx, change)
		} else {
			err = l.wait(ctx, wait, p)
		}
		if err != nil {
			return err
		}
	}
}

// wait waits for as long as the call has patience for.
func (l *limiter) wait(ctx context.Context, d time.Duration, p *patience) error {
	if d > p.left {
		return tooLong{d}
	}
	before := l.clock.Now()
	err := l.clock.Sleep(ctx, d)
	p.left -= max(d, l.clock.Now().Sub(before))
	return err
}

// begin counts a request in, or answers how long it has to wait for that, or what it has to wait for.
func (l *limiter) begin(write bool) (wait time.Duration, change <-chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	wait = max(0, l.hold.Sub(now))
	if left := l.reset.Sub(now); left > 0 && l.left <= l.running {
		if l.running > 0 { // one of them may be told of more
			return 0, l.changed, false
		}
		wait = max(wait, left)
	}
	for _, w := range l.windows {
		if !w.counts(write) {
			continue
		}
		d, known := w.until(now)
		if !known {
			return 0, l.changed, false
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

// leave counts a request out, with what its answer has told.
func (l *limiter) leave(write bool, h heard) {
	l.mu.Lock()
	now := l.clock.Now()
	l.running--
	for _, w := range l.windows {
		if w.counts(write) {
			w.end(now)
		}
	}
	l.learn(now, h)
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	<-l.slots
}

// longestPause bounds what a pause that doubles becomes.
const longestPause = time.Hour

// refused answers how long to wait after a refusal that does not say.
func (l *limiter) refused() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := l.pause
	for range l.unsaid {
		wait = min(2*wait, longestPause)
	}
	l.unsaid = min(l.unsaid+1, 32)
	return wait
}

// served ends a row of refusals.
func (l *limiter) served() {
	l.mu.Lock()
	l.unsaid = 0
	l.mu.Unlock()
}

// resetSlack is how far two answers about the same window may be apart about its end, for they give it in whole seconds.
const resetSlack = 2 * time.Second

func (l *limiter) learn(now time.Time, h heard) {
	if h.retryAfter > 0 {
		if until := now.Add(h.retryAfter); until.After(l.hold) {
			l.hold = until
		}
	}
	if !h.told {
		return
	}
	reset := now.Add(h.reset)
	switch {
	case reset.After(l.reset.Add(resetSlack)): // a new window
		l.left, l.reset = h.remaining, reset
	case reset.After(l.reset.Add(-resetSlack)): // the same: answers may come in any order
		l.left = min(l.left, h.remaining)
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
