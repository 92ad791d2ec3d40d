package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/tools/bench/measure"
)

// load compares reading a whole environment with reading the same number of secrets of built-in KV
// one by one.
func (b *bench) load(ctx context.Context) error {
	environment, err := b.environment(ctx, "load", "environment")
	if err != nil {
		return err
	}
	if err := b.fill(ctx, environment, b.bulk); err != nil {
		return err
	}
	for i := range b.bulk {
		if err := b.writeKV(ctx, "load", i, 0); err != nil {
			return err
		}
	}
	once := func(ctx context.Context) error {
		all, err := read(ctx, b.client, ours+"/load/"+environment)
		if err == nil && len(all.Data) != b.bulk {
			err = fmt.Errorf("load returns %d secrets", len(all.Data))
		}
		return err
	}
	took, err := measure.TakeTurns(ctx, b.bulks,
		measure.Subject{Name: "hot load", Round: measure.Each(10, once)},
		measure.Subject{Name: "cold load", Round: func(ctx context.Context) ([]time.Duration, error) {
			if err := b.reload(ctx); err != nil {
				return nil, err
			}
			return measure.Each(1, once)(ctx)
		}},
		measure.Subject{Name: "reads of " + kvBuiltIn, Round: measure.Whole(b.bulk, func(ctx context.Context, i int) error {
			_, err := read(ctx, b.client, kvPath("load", i))
			return err
		})},
	)
	if err != nil {
		return err
	}
	against := fmt.Sprintf("%d reads of built-in KV v2", b.bulk)
	hot, cold := fmt.Sprintf("load of %d secrets, hot", b.bulk), fmt.Sprintf("load of %d secrets, after a plugin reload", b.bulk)
	b.add(
		measure.Times(hot, against, took[0], took[2]).Faster(30),
		measure.Times(hot, "", took[0], nil).Below(15),
		measure.Times(cold, "", took[1], nil).Below(120),
		measure.Times(cold, against, took[1], took[2]),
	)
	return nil
}

// reload empties the engine's caches, and returns when the mount is loaded again.
func (b *bench) reload(ctx context.Context) error {
	_, err := b.client.Sys().ReloadPluginWithContext(ctx, &api.ReloadPluginInput{Mounts: []string{ours + "/"}})
	if err != nil {
		return err
	}
	_, err = read(ctx, b.client, ours+"/info")
	return err
}

func kvPath(folder string, i int) string { return kvBuiltIn + "/data/" + folder + "/" + secretName(i) }

func (b *bench) writeKV(ctx context.Context, folder string, i, generation int) error {
	_, err := b.write(ctx, kvPath(folder, i), map[string]any{"data": map[string]any{"value": value(generation*b.bulk + i)}})
	return err
}

// importsInRound is the number of imports for each round of KV writes, which takes much longer than
// one import.
const importsInRound = 3

// imports compares writing a whole environment, new and changed, with writing the same number of
// secrets of built-in KV one by one. An import returns after its commit. imports also measures the
// time until the background has applied it.
func (b *bench) imports(ctx context.Context) error {
	var took struct{ created, updated, createdKV, updatedKV, createdApplied, updatedApplied measure.Series }
	for turn := range b.bulks + 1 { // the first turn is the warm-up
		environments := make([]string, importsInRound)
		for i := range environments {
			var err error
			if environments[i], err = b.environment(ctx, "import", fmt.Sprintf("environment-%d-%d", turn, i)); err != nil {
				return err
			}
		}
		folder := fmt.Sprintf("import-%d", turn)
		for generation, to := range []struct{ returned, applied, kv *measure.Series }{
			{&took.created, &took.createdApplied, &took.createdKV}, {&took.updated, &took.updatedApplied, &took.updatedKV},
		} {
			kv, err := measure.Whole(b.bulk, func(ctx context.Context, i int) error { return b.writeKV(ctx, folder, i, generation) })(ctx)
			if err != nil {
				return err
			}
			var returned, applied []time.Duration
			for _, environment := range environments {
				first, last, err := b.timeImport(ctx, environment, generation)
				if err != nil {
					return err
				}
				returned, applied = append(returned, first), append(applied, last)
			}
			if turn > 0 {
				*to.kv, *to.returned, *to.applied = append(*to.kv, kv), append(*to.returned, returned), append(*to.applied, applied)
			}
		}
	}
	against := fmt.Sprintf("%d writes of built-in KV v2", b.bulk)
	what := fmt.Sprintf("import of %d ", b.bulk)
	b.add(
		measure.Times(what+"new secrets", against, took.created, took.createdKV).Faster(20),
		measure.Times(what+"new secrets, until applied", against, took.createdApplied, took.createdKV),
		measure.Times(what+"changed secrets", against, took.updated, took.updatedKV).Faster(20),
		measure.Times(what+"changed secrets, until applied", against, took.updatedApplied, took.updatedKV),
	)
	return nil
}

// timeImport returns the time until an import returned, and the time until its redo log was
// removed.
func (b *bench) timeImport(ctx context.Context, environment string, generation int) (returned, applied time.Duration, err error) {
	data := map[string]any{"secrets": values(b.bulk, generation)}
	start := time.Now()
	if _, err := b.write(ctx, ours+"/import/"+environment, data); err != nil {
		return 0, 0, err
	}
	returned = time.Since(start)
	err = b.applied(ctx)
	return returned, time.Since(start), err
}
