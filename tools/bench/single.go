package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/tools/bench/measure"
)

// single measures reads and writes of one secret, and writes by many clients in parallel. All
// mounts keep ten versions, and the warm-up round writes more than ten. Every measured write
// therefore also removes the oldest version.
func (b *bench) single(ctx context.Context) error {
	environment, err := b.environment(ctx, "single", "environment")
	if err != nil {
		return err
	}
	paths := keyPaths{ours + "/secrets/" + environment + "/KEY", kvExternal + "/data/key", kvBuiltIn + "/data/key", noop + "/stored/key"}
	for mount := range paths {
		if err := paths.write(ctx, b.client, mount); err != nil {
			return err
		}
	}
	if err := b.reads(ctx, paths); err != nil {
		return err
	}
	if err := b.writes(ctx, paths); err != nil {
		return err
	}
	return b.contended(ctx, paths)
}

// keyPaths contains the paths of one secret on each mount: ours, external KV, built-in KV. The last
// one is a path of the plugin that stores one entry for each write.
type keyPaths [4]string

var subjects = [4]string{ours, kvExternal, kvBuiltIn, noop}

// readable is the number of paths of a secret that can be read.
const readable = 3

func (p keyPaths) write(ctx context.Context, client *api.Client, mount int) error {
	data := map[string]any{"value": value(0)}
	if mount == 1 || mount == 2 {
		data = map[string]any{"data": data}
	}
	_, err := client.Logical().WriteWithContext(ctx, p[mount], data)
	return err
}

func (b *bench) reads(ctx context.Context, paths keyPaths) error {
	var all []measure.Subject
	for i, path := range append(paths[:readable:readable], noop+"/secret/key", noop+"/key") {
		name := noop
		if i < readable {
			name = subjects[i]
		}
		all = append(all, measure.Subject{Name: name, Round: measure.Each(b.each, func(ctx context.Context) error {
			_, err := read(ctx, b.client, path)
			return err
		})})
	}
	took, err := measure.TakeTurns(ctx, b.rounds, all...)
	if err != nil {
		return err
	}
	const what = "read one secret"
	b.add(
		measure.Times(what, "external KV v2", took[0], took[1]).AtMost(0.5),
		measure.Times(what, "external plugin that returns the same fields", took[0], took[3]).AtMost(1.1),
		measure.Times(what, "external plugin that returns one field", took[0], took[4]),
		measure.Times(what, "built-in KV v2", took[0], took[2]),
	)
	return nil
}

func (b *bench) writes(ctx context.Context, paths keyPaths) error {
	return b.compareWrites(ctx, "write one secret", 0.4, b.rounds, func(mount int) round {
		return measure.Each(b.each, func(ctx context.Context) error { return paths.write(ctx, b.client, mount) })
	})
}

// contended measures many clients that write one key. It shows the cost of a lock that is held
// across storage calls.
func (b *bench) contended(ctx context.Context, paths keyPaths) error {
	clients := make([]*api.Client, b.clients)
	for i := range clients {
		clients[i] = b.server.Client() // each client has its own connection
	}
	what := fmt.Sprintf("%d clients writing one key", b.clients)
	return b.compareWrites(ctx, what, 0.25, max(1, b.rounds/4), func(mount int) round {
		return measure.Together(b.clients, b.burst, func(ctx context.Context, client int) error {
			return paths.write(ctx, clients[client], mount)
		})
	})
}

type round = func(context.Context) ([]time.Duration, error)

func (b *bench) compareWrites(ctx context.Context, what string, target float64, rounds int, on func(mount int) round) error {
	var all []measure.Subject
	for mount, name := range subjects {
		all = append(all, measure.Subject{Name: name, Round: on(mount)})
	}
	took, err := measure.TakeTurns(ctx, rounds, all...)
	if err != nil {
		return err
	}
	b.add(
		measure.Times(what, "external KV v2", took[0], took[1]).AtMost(target),
		measure.Times(what, "external plugin that stores one entry", took[0], took[3]),
		measure.Times(what, "built-in KV v2", took[0], took[2]),
	)
	return nil
}
