package budget_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/budget"
)

// asked is a share that a goroutine asks for.
type asked struct {
	release func()
	granted atomic.Bool
}

// ask asks for a share, and returns when it was granted or its goroutine waits.
func ask(ctx context.Context, b *budget.Budget, owner string, n int) *asked {
	a := &asked{}
	go func() {
		release, err := b.Acquire(ctx, owner, n)
		if err == nil {
			a.release = release
			a.granted.Store(true)
		}
	}()
	synctest.Wait()
	return a
}

// must fails the test unless the shares were granted as wanted.
func must(t *testing.T, what string, want bool, shares ...*asked) {
	t.Helper()
	synctest.Wait()
	for i, a := range shares {
		if a.granted.Load() != want {
			t.Errorf("%s: share %d is granted: %t", what, i, !want)
		}
	}
}

func TestTheTotalIsHeldExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b := budget.New(100, 100)
		first, second := ask(ctx, b, "a", 60), ask(ctx, b, "b", 40)
		must(t, "shares of the exact total", true, first, second)
		more := ask(ctx, b, "c", 1)
		must(t, "one more", false, more)
		second.release()
		second.release()
		must(t, "after a release", true, more)
		if b.Used() != 61 {
			t.Errorf("%d are in use", b.Used())
		}
		whole := ask(ctx, b, "d", 1000)
		must(t, "more than the total, beside others", false, whole)
		first.release()
		more.release()
		must(t, "more than the total, alone", true, whole)
		whole.release()
		if b.Used() != 0 {
			t.Errorf("%d are in use", b.Used())
		}
	})
}

func TestAnOwnerHoldsNoMoreThanItsPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b := budget.New(100, 50)
		held := ask(ctx, b, "greedy", 50)
		more := ask(ctx, b, "greedy", 1)
		must(t, "the exact part", true, held)
		must(t, "more than the part", false, more)
		other := ask(ctx, b, "other", 30)
		must(t, "another owner", true, other)
		held.release()
		must(t, "the part is free again", true, more)
		more.release()
		other.release()
		alone := ask(ctx, b, "greedy", 80)
		must(t, "one share that is larger than the part", true, alone)
		alone.release()
	})
}

// A thousand waiting shares of one owner are one turn, as is one share of another owner.
func TestOwnersAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b := budget.New(10, 10)
		held := ask(ctx, b, "greedy", 10)
		many := make([]*asked, 1000)
		for i := range many {
			many[i] = ask(ctx, b, "greedy", 10)
		}
		other := ask(ctx, b, "other", 10)
		held.release()
		must(t, "the owner that waited longest", true, many[0])
		must(t, "everyone else", false, many[1], other)
		many[0].release()
		must(t, "the other owner's turn", true, other)
		must(t, "the greedy owner", false, many[1])
	})
}

func TestALargeShareIsNotPassedForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b := budget.New(10, 10)
		held := ask(ctx, b, "small", 1)
		large := ask(ctx, b, "large", 10)
		must(t, "the large share", false, large)
		passed := 0
		for range 1000 {
			next := ask(ctx, b, fmt.Sprint("small", passed%7), 1)
			held.release()
			synctest.Wait()
			if large.granted.Load() {
				break
			}
			must(t, "a small share", true, next)
			held, passed = next, passed+1
		}
		must(t, "the large share, after many small ones", true, large)
		if passed < 50 {
			t.Errorf("the large share kept others waiting after %d shares", passed)
		}
		large.release()
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b := budget.New(10, 10)
		held := ask(ctx, b, "a", 10)
		gone, leave := context.WithCancel(ctx)
		left := ask(gone, b, "b", 10)
		after := ask(ctx, b, "b", 5)
		leave()
		held.release()
		must(t, "the share that nobody waits for", false, left)
		must(t, "the share behind it", true, after)
		if b.Used() != 5 {
			t.Errorf("%d are in use", b.Used())
		}
		if _, err := b.Acquire(gone, "c", 1); !errors.Is(err, context.Canceled) {
			t.Errorf("with a canceled context: %v", err)
		}
		after.release()
	})
}

// Whatever happens at the same time, the total is never exceeded, everyone is served, and nothing
// is left in use.
func TestTheTotalHoldsUnderLoad(t *testing.T) {
	const total, part = 50, 20
	b := budget.New(total, part)
	var used atomic.Int64
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			for range 100 {
				ctx, cancel := context.WithCancel(t.Context())
				if rand.IntN(4) == 0 {
					go cancel()
				}
				n := 1 + rand.IntN(30)
				release, err := b.Acquire(ctx, fmt.Sprint(i%5), n)
				if err == nil {
					if now := used.Add(int64(n)); now > total {
						t.Errorf("%d are in use", now)
					}
					used.Add(int64(-n))
					release()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if b.Used() != 0 {
		t.Errorf("%d are left in use", b.Used())
	}
}
