// Package jobs owns the engine's background work. Every goroutine that outlives a request belongs
// to a Group and runs with the group's context. When Stop returns true, all of them have ended.
package jobs

import (
	"context"
	"sync"
	"time"
)

// Group runs named jobs. At most one job of each name runs at a time.
type Group struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	stopped bool
	running map[string]*job
	all     sync.WaitGroup
}

type job struct{ again bool }

// NewGroup returns a group whose jobs end when Stop is called.
func NewGroup() *Group {
	ctx, cancel := context.WithCancel(context.Background())
	return &Group{ctx: ctx, cancel: cancel, running: make(map[string]*job)}
}

// Start runs a job in the background. If a job of that name is running, Start runs the job again
// after the current run ends, so that a full run sees what the caller has just changed. A stopped
// group starts nothing.
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

// Running reports whether a job of that name is running.
func (g *Group) Running(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running[name] != nil
}

// Stop cancels the group's context and waits for all jobs to end, at most for the given time. It
// reports whether all jobs have ended.
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

// Wait blocks until no job runs. Callers use Wait to see the result of background work. Request
// handlers do not call Wait.
func (g *Group) Wait() { g.all.Wait() }
