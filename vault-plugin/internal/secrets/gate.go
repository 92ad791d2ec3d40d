package secrets

import (
	"cmp"
	"context"

	"golang.org/x/sync/errgroup"
)

// gate bounds the storage calls in flight of all operations of a mount together. Each takes a
// goroutine whose stack gRPC grows to 16 KiB and more. Without a common bound the looks of a
// thousand syncs after a start took more memory than all secrets do, the more the slower storage was.
type gate chan struct{}

func newGate(size int) gate { return make(gate, size) }

// each calls f for every i below n, at most atOnce at a time, and returns the first error. A
// goroutine is started only when the gate lets it through. f must not wait for anything that passes
// the same gate.
func (g gate) each(ctx context.Context, n, atOnce int, f func(ctx context.Context, i int) error) error {
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
