// Package jobs owns the engine's background work: every goroutine that outlives a request belongs to a Group, has the group's
// context, and has ended when Stop returns true.
package jobs

import (
	"context"
	"sync"
	"time"
)

// Group runs named jobs; of each name one at a time.
type Group struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	stopped bool
	running map[string]*job
	all     sync.WaitGroup
}

type job struct{ again bool }

// NewGroup makes a group whose jobs end when Stop is called.
func NewGroup() *Group {
	ctx, cancel := context.WithCancel(context.Background())
	return &Group{ctx: ctx, cancel: cancel, running: make(map[string]*job)}
}

// Start runs the job unless it runs already; then it is run once more after it has ended, so that what the caller changed just
// before is seen by a full pass. A stopped group starts nothing.
func (g *Group) Start(name string, run func(ctx context.Context)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return
	}
	if j := g.running[name]; j != nil {
		j.again = true
		return
	}
	j := &job{}
	g.running[name] = j
	g.all.Go(func() {
		for {
			run(g.ctx)
			if g.finished(name, j) {
				return
			}
		}
	})
}

func (g *Group) finished(name string, j *job) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if j.again && !g.stopped {
		j.again = false
		return false
	}
	delete(g.running, name)
	return true
}

// Running reports whether the job is under way.
func (g *Group) Running(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running[name] != nil
}

// Stop ends the group's context and waits until every job has ended, at most for the given time; it reports whether they have.
func (g *Group) Stop(within time.Duration) bool {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	g.cancel()
	done := make(chan struct{})
	go func() { g.all.Wait(); close(done) }()
	select {
	case <-done:
		return true
	case <-time.After(within):
		return false
	}
}

// Wait blocks until no job runs. It is for those who must see the background work's result, not for a request.
func (g *Group) Wait() { g.all.Wait() }
