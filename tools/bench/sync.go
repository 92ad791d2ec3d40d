package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/tools/bench/measure"
)

const (
	synced   = "kv-synced" // the mount of the destination, in the same Vault
	crowd    = 100         // syncs in the row with many syncs
	syncKeys = 1000        // secrets in the row with a large environment
	syncWait = 2 * time.Minute
)

// syncing measures the time of a committed change to its destination: a KV mount of the same Vault,
// over its API.
func (b *bench) syncing(ctx context.Context) error {
	if err := b.furnishSyncs(ctx); err != nil {
		return err
	}
	few, err := b.syncs(ctx, "sync-one", "here", 1)
	if err != nil {
		return err
	}
	many, err := b.syncs(ctx, "sync-many", "here", crowd)
	if err != nil {
		return err
	}
	one, err := b.arrivals(ctx, few)
	if err != nil {
		return err
	}
	alone, err := b.arrivals(ctx, many)
	if err != nil {
		return err
	}
	beside, err := b.besideOneThatHangs(ctx, many)
	if err != nil {
		return err
	}
	b.add(
		measure.Quantiles("change to destination, 1 sync, p50", "", one, nil, 0.5).Below(300),
		measure.Quantiles("change to destination, 1 sync, p99", "", one, nil, 0.99).Below(1000),
		measure.Quantiles(fmt.Sprintf("change to destination, %d syncs, p50", crowd), "", alone, nil, 0.5).Below(300),
		measure.Quantiles(fmt.Sprintf("change to destination, %d syncs, p99", crowd), "", alone, nil, 0.99).Below(1000),
		measure.Quantiles("the same, another integration hanging, p99", "none hanging", beside, alone, 0.99).AtMost(1.5),
	)
	return b.largeSync(ctx)
}

// furnishSyncs mounts the destination, and allows the engine to connect to this server.
func (s *stand) furnishSyncs(ctx context.Context) error {
	err := s.client.Sys().MountWithContext(ctx, synced, &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}})
	if err != nil {
		return err
	}
	_, err = s.write(ctx, ours+"/config", map[string]any{"egress_allow": []string{"127.0.0.0/8+http"}})
	return err
}

// integrate creates an integration with a Vault at an address.
func (s *stand) integrate(ctx context.Context, workspace, name, address string) error {
	if _, err := s.write(ctx, ours+"/workspaces/"+workspace, nil); err != nil {
		return err
	}
	_, err := s.write(ctx, ours+"/integrations/"+workspace+"/vault/"+name, map[string]any{
		"address": address, "token": s.client.Token(), "allowed_environments": "*", "allowed_targets": "*",
	})
	return err
}

// source is the path of a synced secret, and the path where it arrives.
type source struct{ secret, arrives string }

// syncs creates n environments that are synced through one integration of their workspace, and
// waits until their secrets have arrived.
func (b *bench) syncs(ctx context.Context, workspace, integration string, n int) ([]source, error) {
	if err := b.integrate(ctx, workspace, integration, b.client.Address()); err != nil {
		return nil, err
	}
	var all []source
	for i := range n {
		environment, err := b.environment(ctx, workspace, fmt.Sprintf("environment-%d", i))
		if err != nil {
			return nil, err
		}
		s := source{ours + "/secrets/" + environment + "/VALUE", synced + "/data/" + environment + "/VALUE"}
		if err := b.sync(ctx, environment, integration, "*"); err != nil {
			return nil, err
		}
		if _, err := b.arrive(ctx, s, 0); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// sync creates a sync of an environment to the path of the same name, for the secrets that match a
// glob.
func (s *stand) sync(ctx context.Context, environment, integration, include string) error {
	_, err := s.write(ctx, ours+"/syncs/"+environment+"/vault-kv/bench", map[string]any{
		"integration": integration, "mount": synced, "path": environment, "include": include,
	})
	return err
}

// arrive changes a secret, and returns the time from the response until the value is at the
// destination.
func (b *bench) arrive(ctx context.Context, s source, n int) (time.Duration, error) {
	want := value(n)
	if _, err := b.write(ctx, s.secret, map[string]any{"value": want}); err != nil {
		return 0, err
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, syncWait)
	defer cancel()
	err := poll(ctx, 2*time.Millisecond, func() (bool, error) {
		found, err := b.client.Logical().ReadWithContext(ctx, s.arrives)
		if err != nil || found == nil {
			return false, err
		}
		data, _ := found.Data["data"].(map[string]any)
		return data["value"] == want, nil
	})
	return time.Since(start), err
}

// arrivals changes random sources, one after the other.
func (b *bench) arrivals(ctx context.Context, sources []source) (measure.Series, error) {
	var series measure.Series
	for round := range b.rounds {
		took, err := b.arrivalsOf(ctx, sources, 1+round*b.each)
		if err != nil {
			return nil, err
		}
		series = append(series, took)
	}
	return series, nil
}

// arrivalsOf runs one round of arrivals. The numbers of their values start at from.
func (b *bench) arrivalsOf(ctx context.Context, sources []source, from int) ([]time.Duration, error) {
	var took []time.Duration
	for i := range b.each / 5 {
		d, err := b.arrive(ctx, sources[rand.IntN(len(sources))], from+i)
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	return took, nil
}

// besideOneThatHangs measures arrivals while another integration's server accepts requests and
// never responds.
func (b *bench) besideOneThatHangs(ctx context.Context, sources []source) (series measure.Series, err error) {
	const workspace = "sync-hanging"
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = mute.Close() }()
	if err := b.integrate(ctx, workspace, "mute", "http://"+mute.Addr().String()); err != nil {
		return nil, err
	}
	var hanging []string
	for i := range 10 {
		environment, err := b.environment(ctx, workspace, fmt.Sprintf("environment-%d", i))
		if err != nil {
			return nil, err
		}
		if err := b.sync(ctx, environment, "mute", "*"); err != nil {
			return nil, err
		}
		hanging = append(hanging, ours+"/secrets/"+environment+"/VALUE")
	}
	for round := range b.rounds {
		if _, err := b.write(ctx, hanging[round%len(hanging)], map[string]any{"value": value(round)}); err != nil {
			return nil, err
		}
		took, err := b.arrivalsOf(ctx, sources, 1_000_000+round*b.each)
		if err != nil {
			return nil, err
		}
		series = append(series, took)
	}
	return series, nil
}

// largeSync compares a first sync of many secrets with a client that writes the same number, and
// then measures a change of one secret.
func (b *bench) largeSync(ctx context.Context) error {
	var ourSeries, theirs, change measure.Series
	for round := range max(1, b.bulks/2) {
		workspace := fmt.Sprintf("sync-large-%d", round)
		if err := b.integrate(ctx, workspace, "here", b.client.Address()); err != nil {
			return err
		}
		environment, err := b.environment(ctx, workspace, "environment")
		if err != nil {
			return err
		}
		if err := b.fill(ctx, environment, syncKeys); err != nil {
			return err
		}
		start := time.Now()
		if err := b.sync(ctx, environment, "here", "*"); err != nil {
			return err
		}
		if err := b.allSynced(ctx, environment); err != nil {
			return err
		}
		ourSeries = append(ourSeries, []time.Duration{time.Since(start)})
		took, err := measure.Whole(syncKeys, func(ctx context.Context, i int) error {
			_, err := b.write(ctx, fmt.Sprintf("%s/data/by-hand-%d/%s", synced, round, secretName(i)), map[string]any{
				"data": map[string]any{"value": value(i)},
			})
			return err
		})(ctx)
		if err != nil {
			return err
		}
		theirs = append(theirs, took)
		one := source{ours + "/secrets/" + environment + "/" + secretName(0), synced + "/data/" + environment + "/" + secretName(0)}
		arrived, err := b.arrivalsOf(ctx, []source{one}, 2_000_000)
		if err != nil {
			return err
		}
		change = append(change, arrived)
	}
	b.add(
		measure.Quantiles(fmt.Sprintf("change of one of %d synced secrets to destination, p50", syncKeys), "", change, nil, 0.5).Below(300),
		measure.Quantiles(fmt.Sprintf("change of one of %d synced secrets to destination, p99", syncKeys), "", change, nil, 0.99).Below(1000),
		measure.Times(fmt.Sprintf("first sync of %d secrets", syncKeys), fmt.Sprintf("%d writes of built-in KV v2", syncKeys), ourSeries, theirs),
	)
	return nil
}

// allSynced waits until a sync reports the state SYNCED.
func (s *stand) allSynced(ctx context.Context, environment string) error {
	ctx, cancel := context.WithTimeout(ctx, syncWait)
	defer cancel()
	return poll(ctx, 10*time.Millisecond, func() (bool, error) {
		status, err := read(ctx, s.client, ours+"/syncs/"+environment+"/vault-kv/bench/status")
		if err != nil {
			return false, err
		}
		state, _ := status.Data["state"].(string)
		if slices.Contains([]string{"FAILED", "CONFLICT", "BLOCKED", "PARTIAL"}, state) {
			return false, fmt.Errorf("the sync of %s is %s", environment, state)
		}
		return state == "SYNCED", nil
	})
}
