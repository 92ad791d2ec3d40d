package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/stashbase/vault-stashbase/tools/bench/measure"
)

// perEnvironment is the default limit of secrets in an environment.
const perEnvironment = 5000

// tenant is a workspace with as many environments as its secrets need.
type tenant struct {
	name         string
	environments []string
	secrets      int
}

// rotation rotates the keys of a small and a large workspace in turns, and reads from the large one
// while its secrets are sealed again.
func (b *bench) rotation(ctx context.Context) error {
	small, err := b.tenant(ctx, "rotate-small", b.rotated/10)
	if err != nil {
		return err
	}
	large, err := b.tenant(ctx, "rotate-large", b.rotated)
	if err != nil {
		return err
	}
	var took struct{ small, large, idle, busy measure.Series }
	var rates []float64
	for turn := range b.bulks + 1 { // the first turn is the warm-up
		a, err := b.rotate(ctx, small, nil)
		if err != nil {
			return err
		}
		idle, err := measure.Each(b.rounds*b.each, func(ctx context.Context) error { return b.readAny(ctx, large) })(ctx)
		if err != nil {
			return err
		}
		z, err := b.rotate(ctx, large, func(ctx context.Context) error { return b.readAny(ctx, large) })
		if err != nil {
			return err
		}
		if turn > 0 {
			took.small, took.large = append(took.small, a.returned), append(took.large, z.returned)
			took.idle, took.busy = append(took.idle, idle), append(took.busy, z.reads)
			rates = append(rates, float64(large.secrets)/z.rewrapped.Seconds())
		}
	}
	b.add(
		measure.Times(fmt.Sprintf("rotate the key of %d secrets", large.secrets), fmt.Sprintf("of %d secrets", small.secrets),
			took.large, took.small).AtMost(2), // a rotation that reads every secret would have a ratio of 10
		measure.Quantiles(fmt.Sprintf("p99 of reads while %d secrets are sealed again", large.secrets), "idle", took.busy, took.idle, 0.99).AtMost(2),
		measure.Row{What: "secrets sealed again in a second, beside the reads", Unit: "1/s", Ours: measure.Middle(rates)},
	)
	return nil
}

func (b *bench) tenant(ctx context.Context, name string, secrets int) (tenant, error) {
	t := tenant{name: name, secrets: secrets}
	for left, n := secrets, 0; left > 0; n++ {
		environment, err := b.environment(ctx, name, fmt.Sprintf("environment-%d", n))
		if err != nil {
			return t, err
		}
		t.environments = append(t.environments, environment)
		if err := b.fill(ctx, environment, min(left, perEnvironment)); err != nil {
			return t, err
		}
		left -= perEnvironment
	}
	return t, nil
}

// readAny reads a random secret of a tenant.
func (b *bench) readAny(ctx context.Context, t tenant) error {
	n := rand.IntN(t.secrets)
	_, err := read(ctx, b.client, ours+"/secrets/"+t.environments[n/perEnvironment]+"/"+secretName(n%perEnvironment))
	return err
}

type rotated struct {
	returned  []time.Duration // until the rotation returned
	reads     []time.Duration // of the reads during the rewrap
	rewrapped time.Duration   // until all secrets were sealed again
}

// rotate rotates a tenant's key, and waits until all its secrets are sealed under the new version.
// Meanwhile, one client repeats the given operation.
func (b *bench) rotate(ctx context.Context, t tenant, meanwhile func(context.Context) error) (r rotated, err error) {
	path := ours + "/keys/" + t.name
	start := time.Now()
	r.returned, err = measure.Each(1, func(ctx context.Context) error {
		_, err := b.write(ctx, path+"/rotate", nil)
		return err
	})(ctx)
	if err != nil {
		return r, err
	}
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for meanwhile != nil && err == nil && !closed(stop) {
			var took []time.Duration
			took, err = measure.Each(1, meanwhile)(ctx)
			r.reads = append(r.reads, took...)
		}
		stopped <- err
	}()
	err = poll(ctx, 20*time.Millisecond, func() (bool, error) { return b.rewrapped(ctx, path) })
	r.rewrapped = time.Since(start)
	close(stop)
	if failed := <-stopped; err == nil {
		err = failed
	}
	return r, err
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (b *bench) rewrapped(ctx context.Context, path string) (bool, error) {
	keys, err := read(ctx, b.client, path)
	if err != nil {
		return false, err
	}
	rewrap, _ := keys.Data["rewrap"].(map[string]any)
	failed, _ := rewrap["failed"].(json.Number)
	if state := rewrap["state"]; state == "failed" || failed != "0" {
		return false, fmt.Errorf("the rewrap is in state %v with %s failures", state, failed)
	}
	return rewrap["state"] == "done", nil
}
