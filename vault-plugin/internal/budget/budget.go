// Package budget divides a fixed amount, such as bytes of memory, among the workspaces of a mount.
// It knows nothing of what the amount is used for.
package budget

import (
	"context"
	"slices"
	"sync"
)

// Budget grants shares of a fixed amount. Owners that wait are served in turn, and one owner never
// holds more than its part. So an owner that asks for everything, again and again, delays another
// owner by no more than the shares that are held at that moment.
//
// A caller must take all that it needs in one share, and must not wait for a second share while it
// holds one: two such callers could wait for each other.
type Budget struct {
	total, part int

	mu     sync.Mutex
	used   int
	grants uint64
	owners map[string]*owner
	turns  []*owner // the owners that wait; the next one in turn first
}

type owner struct {
	used    int
	waiting []*waiter // in the order of their arrival
}

type waiter struct {
	n       int
	since   uint64 // grants before the waiter came
	granted chan struct{}
}

// patience is the number of later shares that are granted before a share that did not fit. After
// that, nothing is granted until it fits. Without this bound, small shares could keep a large one
// waiting forever.
const patience = 100

// New returns a budget of the given total. An owner holds at most part of it. A single share may be
// larger than part, if its owner holds no other share.
func New(total, part int) *Budget {
	return &Budget{total: total, part: part, owners: make(map[string]*owner)}
}

// Acquire takes a share of n for an owner, and waits until the share is available or ctx is done.
// A share larger than the total is granted when nothing else is held. The caller calls release,
// which may be called more than once, when the share is no longer in use.
func (b *Budget) Acquire(ctx context.Context, name string, n int) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n = max(0, min(n, b.total))
	b.mu.Lock()
	o := b.owners[name]
	if o == nil {
		o = &owner{}
		b.owners[name] = o
	}
	w := &waiter{n: n, since: b.grants, granted: make(chan struct{})}
	if len(o.waiting) == 0 {
		b.turns = append(b.turns, o)
	}
	o.waiting = append(o.waiting, w)
	b.grant()
	b.mu.Unlock()
	release = sync.OnceFunc(func() { b.release(name, o, n) })
	select {
	case <-w.granted:
		return release, nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	waits := b.remove(o, w)
	if waits {
		b.forget(name, o)
		b.grant() // w may have kept others waiting
	}
	b.mu.Unlock()
	if !waits { // it was granted at the same moment
		release()
	}
	return nil, ctx.Err()
}

// grant grants what fits, one share for each owner in turn. The caller holds mu.
func (b *Budget) grant() {
	for i := 0; i < len(b.turns); {
		o := b.turns[i]
		w := o.waiting[0]
		withinPart := o.used == 0 || o.used+w.n <= b.part
		fits := b.used+w.n <= b.total
		switch {
		case withinPart && fits:
			b.used += w.n
			o.used += w.n
			b.grants++
			close(w.granted)
			if b.remove(o, w); len(o.waiting) > 0 { // its next turn comes after those of all others
				b.turns = append(slices.Delete(b.turns, i, i+1), o)
			}
		case withinPart && b.grants-w.since > patience:
			return
		default:
			i++
		}
	}
}

// remove removes a waiter. It returns false if the waiter is not waiting. The caller holds mu.
func (b *Budget) remove(o *owner, w *waiter) bool {
	i := slices.Index(o.waiting, w)
	if i < 0 {
		return false
	}
	o.waiting = slices.Delete(o.waiting, i, i+1)
	if len(o.waiting) == 0 {
		b.turns = slices.DeleteFunc(b.turns, func(other *owner) bool { return other == o })
	}
	return true
}

func (b *Budget) release(name string, o *owner, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	o.used -= n
	b.forget(name, o)
	b.grant()
}

// forget drops an owner that neither holds nor waits for anything. The caller holds mu.
func (b *Budget) forget(name string, o *owner) {
	if o.used == 0 && len(o.waiting) == 0 && b.owners[name] == o {
		delete(b.owners, name)
	}
}

// Used returns the amount that is held at this moment.
func (b *Budget) Used() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}
