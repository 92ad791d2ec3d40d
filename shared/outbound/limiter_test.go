package outbound

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// counting counts requests as a service does: each at some moment between its start and its end.
type counting struct {
	mu    sync.Mutex
	times []time.Time
}

func (c *counting) serve(r *rand.Rand) {
	time.Sleep(time.Duration(r.Int64N(int64(200 * time.Millisecond))))
	c.mu.Lock()
	c.times = append(c.times, time.Now())
	c.mu.Unlock()
	time.Sleep(time.Duration(r.Int64N(int64(200 * time.Millisecond))))
}

// most returns the maximum number of requests within any period of the given length.
func (c *counting) most(per time.Duration) int {
	slices.SortFunc(c.times, time.Time.Compare)
	most, first := 0, 0
	for i, t := range c.times {
		for t.Sub(c.times[first]) >= per {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// If the limit of the service is the bottleneck, nearly all of it is used and it is never exceeded.
func TestBudgetsAreUsedAndNotExceeded(t *testing.T) {
	for _, c := range []struct {
		name        string
		budgets     []Budget
		concurrency int
		writes      bool
	}{
		{"80 writes a minute, one at a time", []Budget{{Requests: 80, Per: time.Minute, Writes: true}}, 1, true},
		{"80 writes a minute, five at once", []Budget{{Requests: 80, Per: time.Minute, Writes: true}}, 5, true},
		{"600 a minute, five at once", []Budget{{Requests: 600, Per: time.Minute}}, 5, false},
		{"two budgets", []Budget{{Requests: 80, Per: time.Minute}, {Requests: 40, Per: 20 * time.Second}}, 4, true},
		{"a budget smaller than the concurrency", []Budget{{Requests: 3, Per: 30 * time.Second}}, 8, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const span = 20 * time.Minute
				l := newLimiter(systemClock{}, Party{Concurrency: c.concurrency, Budgets: c.budgets})
				seen := new(counting)
				ctx, cancel := context.WithTimeout(t.Context(), span)
				defer cancel()
				var group sync.WaitGroup
				for i := range c.concurrency + 2 {
					group.Go(func() {
						r := rand.New(rand.NewPCG(1, uint64(i)))
						for l.enter(ctx, c.writes, &patience{time.Hour}) == nil {
							seen.serve(r)
							l.leave(c.writes, rateLimits{})
						}
					})
				}
				group.Wait()
				for _, b := range c.budgets {
					if most := seen.most(b.Per); most > b.Requests {
						t.Errorf("%d requests within %s, want at most %d", most, b.Per, b.Requests)
					}
				}
				b := c.budgets[0]
				allowed := float64(b.Requests) * float64(span) / float64(b.Per)
				if used := float64(len(seen.times)) / allowed; used < 0.95 {
					t.Errorf("%.1f %% of the budget is used", 100*used)
				}
			})
		})
	}
}

func TestReadsPassWritesThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(systemClock{}, Party{Concurrency: 1, Budgets: []Budget{{Requests: 1, Per: time.Minute, Writes: true}}})
		enter := func(write bool) time.Duration {
			begun := time.Now()
			if err := l.enter(t.Context(), write, &patience{time.Hour}); err != nil {
				t.Error(err)
			}
			l.leave(write, rateLimits{})
			return time.Since(begun)
		}
		enter(true)
		go func() {
			if waited := enter(true); waited < time.Minute {
				t.Errorf("the second write started after %s", waited)
			}
		}()
		synctest.Wait()
		if waited := enter(false); waited != 0 {
			t.Errorf("a read waited %s for a write", waited)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
	})
}

func TestSpacingIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(systemClock{}, Party{Concurrency: 3, Budgets: []Budget{{Spacing: time.Second, Writes: true}}})
		begun := time.Now()
		for range 5 {
			if err := l.enter(t.Context(), true, &patience{MaxWait}); err != nil {
				t.Fatal(err)
			}
			l.leave(true, rateLimits{})
		}
		if took := time.Since(begun); took != 4*time.Second {
			t.Errorf("five writes took %s, want 4s", took)
		}
	})
}

func TestReportedLimitsAreRespected(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits rateLimits
		want   time.Duration
	}{
		{"nothing", rateLimits{}, 0},
		{"plenty left", rateLimits{known: true, remaining: 10, reset: 40 * time.Second}, 0},
		{"none left", rateLimits{known: true, remaining: 0, reset: 40 * time.Second}, 40 * time.Second},
		{"asked to wait", rateLimits{retryAfter: 20 * time.Second}, 20 * time.Second},
		{"the longer of both", rateLimits{retryAfter: 50 * time.Second, known: true, reset: 40 * time.Second}, 50 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter(systemClock{}, Party{Concurrency: 2})
			enter := func() { _ = l.enter(t.Context(), false, &patience{MaxWait}) }
			enter()
			l.leave(false, c.limits)
			begun := time.Now()
			enter()
			if waited := time.Since(begun); waited != c.want {
				t.Errorf("%s: the next request waited %s, want %s", c.name, waited, c.want)
			}
			l.leave(false, rateLimits{})
		})
	}
}

// Responses in another order than their requests do not make more requests available.
func TestRemainingIncludesRunningRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(systemClock{}, Party{Concurrency: 5})
		enter := func() { _ = l.enter(t.Context(), false, &patience{MaxWait}) }
		enter()
		l.leave(false, rateLimits{known: true, remaining: 2, reset: time.Minute})
		enter()
		enter()
		begun := time.Now()
		go func() {
			time.Sleep(time.Second)
			l.leave(false, rateLimits{known: true, remaining: 0, reset: 59 * time.Second})
			l.leave(false, rateLimits{known: true, remaining: 1, reset: 59 * time.Second})
		}()
		enter()
		if waited := time.Since(begun); waited < time.Minute {
			t.Errorf("the third request started after %s, although only two are left for a minute", waited)
		}
		l.leave(false, rateLimits{})
	})
}

func TestAWaitThatIsTooLongFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(systemClock{}, Party{Concurrency: 1})
		_ = l.enter(t.Context(), false, &patience{MaxWait})
		l.leave(false, rateLimits{retryAfter: time.Hour})
		begun := time.Now()
		var long tooLong
		if err := l.enter(t.Context(), false, &patience{MaxWait}); !errors.As(err, &long) || long.wait != time.Hour {
			t.Errorf("a wait of an hour returned %v", err)
		}
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("the error took %s, want none", waited)
		}
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(systemClock{}, Party{Concurrency: 1})
		_ = l.enter(t.Context(), false, &patience{MaxWait})
		l.leave(false, rateLimits{retryAfter: time.Minute})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if err := l.enter(ctx, false, &patience{MaxWait}); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
	})
}

func TestPausesDoubleUntilServed(t *testing.T) {
	l := newLimiter(systemClock{}, Party{Concurrency: 1, Pause: time.Minute})
	for _, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		if got := l.refused(); got != want {
			t.Errorf("the pause is %s, want %s", got, want)
		}
	}
	for range 100 {
		l.refused()
	}
	if got := l.refused(); got != longestPause {
		t.Errorf("the longest pause is %s", got)
	}
	l.served()
	if got := l.refused(); got != time.Minute {
		t.Errorf("after a successful response the pause is %s", got)
	}
}
