package outbound

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Dialect is how a party tells of its rate limits.
type Dialect string

// The dialects.
const (
	NoDialect      Dialect = ""            // Retry-After alone, as everywhere
	XRateLimit     Dialect = "x-ratelimit" // X-RateLimit-Remaining and -Reset in seconds since 1970: GitHub, Vercel
	RateLimitDraft Dialect = "ratelimit"   // RateLimit-Remaining and -Reset in seconds from now (IETF draft): GitLab, Heroku
)

// Budget is how many requests a party allows in a span of time. It is kept, not only obeyed once refused.
type Budget struct {
	Requests int
	Per      time.Duration
	Writes   bool          // only requests that change something count
	Spacing  time.Duration // at least this long between two of them
}

// pace decides when a request may be sent. Slots are given out in order, so that those who wait do not meet again.
type pace struct {
	clock Clock

	mu      sync.Mutex
	budgets []*spent
	closed  time.Time // until when the party takes nothing
	refused int       // refusals in a row that did not say how long to wait
}

// spent is a budget with the moments of its last requests, the oldest first; at most Requests of them.
type spent struct {
	Budget
	at []time.Time
}

func newPace(clock Clock, budgets []Budget) *pace {
	p := &pace{clock: clock}
	for _, b := range budgets {
		p.budgets = append(p.budgets, &spent{Budget: b})
	}
	return p
}

// reserve gives out the next slot and answers how long it is until then; false, and nothing reserved, where that is longer than atMost.
func (p *pace) reserve(write bool, atMost time.Duration) (wait time.Duration, allowed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	slot := now
	if p.closed.After(slot) {
		slot = p.closed
	}
	for _, b := range p.budgets {
		if !write && b.Writes {
			continue
		}
		if next := b.next(); next.After(slot) {
			slot = next
		}
	}
	if wait = slot.Sub(now); wait > atMost {
		return wait, false
	}
	for _, b := range p.budgets {
		if write || !b.Writes {
			b.spend(slot)
		}
	}
	return wait, true
}

// next is the earliest moment at which the budget allows one more request.
func (b *spent) next() time.Time {
	if len(b.at) == 0 {
		return time.Time{}
	}
	next := b.at[len(b.at)-1].Add(b.Spacing)
	if b.Requests > 0 && len(b.at) == b.Requests {
		if free := b.at[0].Add(b.Per); free.After(next) {
			next = free
		}
	}
	return next
}

func (b *spent) spend(slot time.Time) {
	if len(b.at) == max(1, b.Requests) {
		b.at = append(b.at[:0], b.at[1:]...)
	}
	b.at = append(b.at, slot)
}

// learn takes in what an answer tells of the party's rate limits.
func (p *pace) learn(d Dialect, answer *Response) {
	if answer == nil {
		return
	}
	now := p.clock.Now()
	until := now.Add(retryAfter(answer.Header, now))
	if reset, used := d.usedUp(answer.Header, now); used && reset.After(until) {
		until = reset
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(now) && until.After(p.closed) {
		p.closed = until
	}
}

// unsaid is how long to wait after a refusal that does not say.
func (p *pace) unsaid(pause time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := pause
	for range p.refused {
		wait = min(2*wait, longestPause)
	}
	p.refused++
	if until := p.clock.Now().Add(wait); wait > 0 && until.After(p.closed) {
		p.closed = until
	}
	return wait
}

// served ends a row of refusals.
func (p *pace) served() {
	p.mu.Lock()
	p.refused = 0
	p.mu.Unlock()
}

// usedUp reports whether an answer says that no request is left, and until when.
func (d Dialect) usedUp(h http.Header, now time.Time) (reset time.Time, used bool) {
	prefix := map[Dialect]string{XRateLimit: "X-Ratelimit-", RateLimitDraft: "Ratelimit-"}[d]
	if prefix == "" || strings.TrimSpace(h.Get(prefix+"Remaining")) != "0" {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(h.Get(prefix+"Reset")), 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, false
	}
	if d == XRateLimit {
		reset = time.Unix(min(seconds, now.Add(longestReset).Unix()), 0)
	} else {
		reset = now.Add(min(time.Duration(min(seconds, int64(longestReset/time.Second)))*time.Second, longestReset))
	}
	return reset, true
}

// longestReset bounds what is believed of how long to wait.
const longestReset = 24 * time.Hour

// retryAfter reads how long to wait (RFC 9110, section 10.2.3): seconds, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, longestReset)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(now)), longestReset)
	}
	return 0
}

const (
	longestPause  = time.Hour
	firstBackoff  = 200 * time.Millisecond
	longestRepeat = 5 * time.Second
)

// backoff is how long to wait before attempt+1: full jitter below a bound that doubles.
func backoff(attempt int) time.Duration {
	bound := min(firstBackoff<<(attempt-1), longestRepeat)
	return time.Duration(rand.Int64N(int64(bound)) + 1)
}
