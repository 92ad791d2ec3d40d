// Package clock owns the engine's time: the current time and timers. Tests supply a clock that they
// advance by hand.
package clock

import (
	"context"
	"time"
)

// Clock is the time source of a mount. Implementations are safe for concurrent use.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f in its own goroutine after d, unless stop is called first. stop reports
	// whether it prevented the call.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// System is the clock of the operating system.
type System struct{}

// Now returns the current system time.
func (System) Now() time.Time { return time.Now() }

// AfterFunc calls f after d.
func (System) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

// Sleep waits until d has passed on c. If ctx ends first, Sleep returns the error of ctx.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	over := make(chan struct{})
	stop := c.AfterFunc(d, func() { close(over) })
	defer stop()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
