// Package gate bounds the storage calls that are in flight at one time.
package gate

import (
	"cmp"
	"context"

	"golang.org/x/sync/errgroup"
)

// Gate bounds the calls in flight of all operations of a mount together. Each call takes a
// goroutine, whose stack gRPC grows to 16 KiB and more. Without a common bound, the reads of a
// thousand syncs after a start took more memory than all secrets. The slower storage was, the more
// memory they took.
type Gate chan struct{}

// New returns a gate that lets size calls through at one time.
func New(size int) Gate { return make(Gate, size) }

// Each calls f for every i below n, at most atOnce at a time, and returns the first error. It
// starts a goroutine only when the gate lets the call through. f must not wait for anything that
// passes the same gate.
func (g Gate) Each(ctx context.Context, n, atOnce int, f func(ctx context.Context, i int) error) error {
	if n == 0 {
		return nil
	}
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(atOnce)
	for i := range n {
		select {
		case g <- struct{}{}:
		case <-workCtx.Done():
			return cmp.Or(work.Wait(), ctx.Err())
		}
		work.Go(func() error {
			defer func() { <-g }()
			return f(workCtx, i)
		})
	}
	return work.Wait()
}
