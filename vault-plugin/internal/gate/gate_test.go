package gate

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestGateBoundsAllCallers(t *testing.T) {
	const size, groups, each = 4, 10, 50
	g := New(size)
	var now, most, total atomic.Int64
	var all sync.WaitGroup
	for range groups {
		all.Go(func() {
			err := g.Each(t.Context(), each, 3, func(context.Context, int) error {
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				total.Add(1)
				now.Add(-1)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() > size || total.Load() != groups*each {
		t.Errorf("%d calls, at most %d at once; want %d and %d", total.Load(), most.Load(), groups*each, size)
	}
}

func TestGateStopsAfterAnError(t *testing.T) {
	g := New(2)
	broken := errors.New("broken")
	var calls atomic.Int64
	err := g.Each(t.Context(), 1000, 2, func(_ context.Context, i int) error {
		calls.Add(1)
		if i == 3 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || calls.Load() == 1000 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}

	g <- struct{}{} // another caller has filled the gate
	g <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Each(ctx, 1, 1, func(context.Context, int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("with a canceled context: %v", err)
	}
	<-g
	<-g
	if err := g.Each(t.Context(), 5, 2, func(context.Context, int) error { return nil }); err != nil || len(g) != 0 {
		t.Errorf("afterwards: %v; %d calls are still in the gate", err, len(g))
	}
}
