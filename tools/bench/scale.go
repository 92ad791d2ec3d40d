package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
	"github.com/stashbase/vault-stashbase/tools/bench/measure"
)

// ticksPerSecond is the unit of /proc/<pid>/stat, a constant of Linux.
const ticksPerSecond = 100

// scale measures a mount of many workspaces, in its own Vault: the time from an unseal to the first
// delivery, the memory, the processor time without requests, and whether the number of workspaces
// affects the rotation of one workspace's key.
func (b *bench) scale(ctx context.Context) (err error) {
	server, err := vaulttest.Launch(vaulttest.Options{LogLevel: "warn", PlainHTTP: true})
	if err != nil {
		return err
	}
	s := &stand{server: server, client: server.Client()}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.client.Sys().DisableAuditWithContext(ctx, "file"); err != nil {
		return err
	}
	lone, err := s.rotationOf(ctx, b.rounds)
	if err != nil {
		return err
	}
	environments, err := s.populate(ctx, b.workspaces, b.perWorkspace)
	if err != nil {
		return err
	}
	if err := s.syncAll(ctx, environments); err != nil {
		return err
	}
	what := fmt.Sprintf("%d secrets in %d workspaces, each synced", b.workspaces*b.perWorkspace, b.workspaces)
	rows, err := s.opening(ctx, what, environments, max(3, b.bulks/2))
	if err != nil {
		return err
	}
	b.add(rows...)
	busy, err := s.idle(ctx, b.still)
	if err != nil {
		return err
	}
	crowded, err := s.rotationOf(ctx, b.rounds) // every sync has had its first run by now
	if err != nil {
		return err
	}
	squeezed, err := s.squeezed(ctx, environments)
	if err != nil {
		return err
	}
	b.add(
		measure.Row{What: what + ": the same on one processor beside busy neighbours", Unit: "MiB", Ours: squeezed}.Below(400),
		measure.Row{What: what + ": processor when nobody asks", Unit: "%", Ours: busy}.Below(1),
		measure.Times("rotate the key of a small workspace beside "+what, "beside nothing", crowded, lone).AtMost(2),
	)
	return nil
}

// opening seals and unseals Vault some times, and then delivers all environments. It measures the
// time until the first delivery, and the memory of the plugin.
func (s *stand) opening(ctx context.Context, what string, environments []string, times int) ([]measure.Row, error) {
	var ready, unsealed measure.Series
	for range times {
		first, all, err := s.reopen(ctx, environments[0])
		if err != nil {
			return nil, err
		}
		unsealed, ready = append(unsealed, []time.Duration{first}), append(ready, []time.Duration{all})
	}
	start, err := s.memory()
	if err != nil {
		return nil, err
	}
	if err := s.deliverAll(ctx, environments); err != nil {
		return nil, err
	}
	loaded, err := s.memory()
	if err != nil {
		return nil, err
	}
	peak, err := s.peak()
	return []measure.Row{
		measure.Times(what+": first delivery after the unseal", "", ready, nil).Below(2000),
		measure.Times(what+": Vault itself, until it is active", "", unsealed, nil),
		measure.Row{What: what + ": memory of the plugin, ready", Unit: "MiB", Ours: start}.Below(300),
		measure.Row{What: what + ": memory of the plugin, all delivered once", Unit: "MiB", Ours: loaded}.Below(300),
		measure.Row{What: what + ": most memory from the unseal until all is delivered", Unit: "MiB", Ours: peak}.Below(400),
	}, err
}

// rotationOf repeatedly rotates the key of a workspace with one secret.
func (s *stand) rotationOf(ctx context.Context, times int) (measure.Series, error) {
	environment, err := s.environment(ctx, "rotated", "environment")
	if err != nil {
		return nil, err
	}
	if _, err := s.write(ctx, ours+"/secrets/"+environment+"/KEY", map[string]any{"value": value(0)}); err != nil {
		return nil, err
	}
	var all measure.Series
	for range times {
		took, err := measure.Each(1, func(ctx context.Context) error {
			_, err := s.write(ctx, ours+"/keys/rotated/rotate", nil)
			return err
		})(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, took)
	}
	return all, nil
}

// populate creates workspaces of one environment each, with several clients in parallel.
func (s *stand) populate(ctx context.Context, workspaces, secrets int) ([]string, error) {
	environments := make([]string, workspaces)
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(8)
	for i := range environments {
		work.Go(func() (err error) {
			if environments[i], err = s.environment(workCtx, fmt.Sprintf("tenant-%04d", i), "production"); err != nil {
				return err
			}
			_, err = s.write(workCtx, ours+"/import/"+environments[i], map[string]any{"secrets": values(secrets, i)})
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	return environments, s.applied(ctx)
}

// syncAll creates an integration for each workspace and a sync of one secret for its environment,
// and waits until all values have arrived.
func (s *stand) syncAll(ctx context.Context, environments []string) error {
	if err := s.furnishSyncs(ctx); err != nil {
		return err
	}
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(8)
	for _, environment := range environments {
		work.Go(func() error {
			workspace, _, _ := strings.Cut(environment, "/")
			if err := s.integrate(workCtx, workspace, "here", s.client.Address()); err != nil {
				return err
			}
			return s.sync(workCtx, environment, "here", secretName(0))
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	for _, environment := range environments {
		if err := s.allSynced(ctx, environment); err != nil {
			return err
		}
	}
	return nil
}

// reopen seals and unseals Vault. It returns the times from the unseal until Vault was active, and
// until the engine delivered an environment.
func (s *stand) reopen(ctx context.Context, environment string) (active, ready time.Duration, err error) {
	if err := s.client.Sys().SealWithContext(ctx); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if _, err := s.client.Sys().UnsealWithContext(ctx, s.server.UnsealKey()); err != nil {
		return 0, 0, err
	}
	err = poll(ctx, 5*time.Millisecond, func() (bool, error) {
		health, err := s.client.Sys().HealthWithContext(ctx)
		return err == nil && !health.Sealed && !health.Standby, nil
	})
	active = time.Since(start)
	if err != nil {
		return 0, 0, err
	}
	err = poll(ctx, 5*time.Millisecond, func() (bool, error) {
		_, err := read(ctx, s.client, ours+"/load/"+environment)
		return err == nil || time.Since(start) > time.Minute, nil
	})
	return active, time.Since(start), err
}

// idle returns the share of one core that the plugin uses without requests, in percent.
func (s *stand) idle(ctx context.Context, still time.Duration) (float64, error) {
	before, err := s.ticks()
	if err != nil {
		return 0, err
	}
	select {
	case <-time.After(still):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	after, err := s.ticks()
	return (after - before) / ticksPerSecond / still.Seconds() * 100, err
}

// ticks returns the processor time that the plugin has used.
func (s *stand) ticks() (float64, error) {
	stat, err := s.process("stat")
	if err != nil {
		return 0, err
	}
	return ticksIn(stat)
}

// ticksIn returns the processor time in the content of /proc/<pid>/stat.
func ticksIn(stat []byte) (float64, error) {
	_, rest, _ := bytes.Cut(stat, []byte(") ")) // the name may contain spaces
	fields := bytes.Fields(rest)
	const user, system = 11, 12 // indexes of the fields after the name
	if len(fields) <= system {
		return 0, errors.New("/proc does not contain the processor time of the process")
	}
	total := 0.0
	for _, field := range [][]byte{fields[user], fields[system]} {
		n, err := strconv.ParseFloat(string(field), 64)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// process reads a file of the plugin's process in /proc.
func (s *stand) process(file string) ([]byte, error) {
	pids := s.server.PluginProcesses()
	if len(pids) != 1 {
		return nil, fmt.Errorf("%d plugin processes are running; they are found through /proc, which only Linux has", len(pids))
	}
	return os.ReadFile(fmt.Sprintf("/proc/%d/%s", pids[0], file))
}
