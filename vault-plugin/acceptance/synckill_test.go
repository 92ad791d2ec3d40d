package acceptance_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

const (
	syncRounds = 20
	syncNames  = 25 // secrets that are created, changed and deleted
)

// churn changes an environment at random until it is stopped. Its requests may fail, because
// processes are killed meanwhile.
type churn struct {
	*synced
	stop chan struct{}
	work sync.WaitGroup
}

func (y *synced) churns() *churn {
	c := &churn{synced: y, stop: make(chan struct{})}
	c.work.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-c.stop:
				return
			default:
			}
			name := fmt.Sprintf("secrets/%s/S%d", y.env, rand.IntN(syncNames))
			if rand.IntN(3) == 0 {
				_, _ = y.try("DELETE", name, nil)
			} else {
				_, _ = y.try("POST", name, data{"value": fmt.Sprint("value ", n)})
			}
		}
	})
	return c
}

func (c *churn) end() {
	close(c.stop)
	c.work.Wait()
}

// Wherever a run is cut off, the next run completes it. No entry of others is changed.
func TestSyncsConvergeAfterEveryKill(t *testing.T) {
	s := vaulttest.Start(t, vaulttest.Options{Storage: vaulttest.Raft})
	y := newSynced(t, s)
	foreign := make(map[string]string)
	for i := range 5 {
		name := fmt.Sprintf("THEIRS_%d", i)
		foreign[name] = value()
		y.plant(name, foreign[name])
	}
	y.begin()
	for round := range syncRounds {
		c := y.churns()
		writes := y.run
		for range 2 + rand.IntN(6) {
			writes()
		}
		if round%2 == 0 {
			s.KillPlugin(t)
			c.end()
		} else {
			s.Kill(t)
			c.end()
			s.Restart(t)
		}
		want := maps.Clone(foreign)
		eventually(t, s, "the environment to load", func() error {
			a := y.send("GET", "load/"+y.env, nil)
			if a.status != 200 {
				return &notYet{a}
			}
			for name, v := range a.data {
				want[name] = fmt.Sprint(v)
			}
			return nil
		})
		y.arrives(fmt.Sprintf("the environment, after round %d", round), want)
	}
	y.becomes("SYNCED")
}

// run requests a run and waits for it. A killed process does not respond.
func (y *synced) run() {
	_, _ = y.try("POST", y.sync+"/run", data{"wait": "1s"})
}
