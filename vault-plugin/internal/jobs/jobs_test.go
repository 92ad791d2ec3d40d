package jobs_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
)

func TestAJobThatIsStartedWhileItRunsIsRunOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := jobs.NewGroup()
		runs, goOn := 0, make(chan struct{})
		job := func(context.Context) {
			runs++
			<-goOn
		}
		g.Start("job", job)
		synctest.Wait()
		for range 5 {
			g.Start("job", job)
		}
		ran := false
		g.Start("other", func(context.Context) { ran = true })
		synctest.Wait()
		if runs != 1 || !ran || !g.Running("job") || g.Running("other") {
			t.Errorf("while the first runs: %d runs, the other ran: %t", runs, ran)
		}
		goOn <- struct{}{}
		synctest.Wait()
		if runs != 2 {
			t.Errorf("after the first: %d runs, want one more, however many were requested", runs)
		}
		goOn <- struct{}{}
		g.Wait()
		if runs != 2 || g.Running("job") {
			t.Errorf("at the end: %d runs", runs)
		}
		if !g.Stop(time.Second) {
			t.Error("a group without jobs does not stop")
		}
	})
}

func TestStopEndsJobsAndStartsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := jobs.NewGroup()
		runs := 0
		job := func(ctx context.Context) {
			runs++
			<-ctx.Done()
		}
		g.Start("job", job)
		synctest.Wait()
		g.Start("job", job) // would run again if the group were not stopped
		if !g.Stop(time.Second) || runs != 1 {
			t.Errorf("stopped with %d runs", runs)
		}
		g.Start("late", job)
		synctest.Wait()
		if runs != 1 {
			t.Error("a stopped group started a job")
		}
	})
}

func TestStopDoesNotWaitBeyondItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := jobs.NewGroup()
		goOn := make(chan struct{})
		g.Start("deaf", func(context.Context) { <-goOn })
		began := time.Now()
		if g.Stop(900 * time.Millisecond) {
			t.Error("Stop reports that all jobs have ended")
		}
		if took := time.Since(began); took != 900*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		close(goOn)
		g.Wait()
	})
}
