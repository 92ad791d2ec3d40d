package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/tools/bench/measure"
)

// attackers is the number of clients that attack at one time.
const attackers = 4

// attack is a request that makes the engine do as much work as a tenant can ask for.
type attack struct {
	name    string
	prepare func(ctx context.Context) error
	send    func(ctx context.Context) error
}

// attacks measures the requests of one tenant before, during and after each attack of another one.
func (b *bench) attacks(ctx context.Context) error {
	calm, err := b.environment(ctx, "calm", "environment")
	if err != nil {
		return err
	}
	if err := b.fill(ctx, calm, 100); err != nil {
		return err
	}
	ask := measure.Each(b.rounds*b.each/4, func(ctx context.Context) error {
		if _, err := read(ctx, b.client, ours+"/load/"+calm); err != nil {
			return err
		}
		_, err := b.write(ctx, ours+"/secrets/"+calm+"/"+secretName(0), map[string]any{"value": value(1)})
		return err
	})
	for _, a := range b.attackKinds() {
		if err := a.prepare(ctx); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		var took struct{ before, during, after measure.Series }
		for range b.bulks {
			before, err := ask(ctx)
			if err != nil {
				return err
			}
			during, err := beside(ctx, a, ask)
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			after, err := ask(ctx)
			if err != nil {
				return err
			}
			took.before, took.during, took.after = append(took.before, before), append(took.during, during), append(took.after, after)
		}
		what := fmt.Sprintf("p99 of a tenant beside %d clients of another: %s", attackers, a.name)
		b.add(
			measure.Quantiles(what, "before", took.during, took.before, 0.99).AtMost(10),
			measure.Quantiles(what+", after it", "before", took.after, took.before, 0.99).AtMost(1.5),
		)
	}
	return nil
}

// beside measures requests while the attack goes on.
func beside(ctx context.Context, a attack, ask func(context.Context) ([]time.Duration, error)) ([]time.Duration, error) {
	attacking, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	failed := make(chan error, attackers)
	for range attackers {
		all.Go(func() {
			for attacking.Err() == nil {
				if err := a.send(attacking); err != nil && attacking.Err() == nil {
					failed <- err
					return
				}
			}
		})
	}
	took, err := ask(ctx)
	stop()
	all.Wait()
	select {
	case broken := <-failed:
		return nil, errors.Join(err, broken)
	default:
		return took, err
	}
}

// attackedSize is the number of secrets in the environment of the attacker, which is the most that
// the default configuration allows.
const attackedSize = 5000

func (b *bench) attackKinds() []attack {
	const workspace = "attacker"
	large := workspace + "/project/large"
	patterns := make([]string, 64)
	for i := range patterns {
		patterns[i] = "*" + strings.Repeat("_*", 120) + fmt.Sprint("x", i)
	}
	reading := func(path string, query map[string][]string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.client.Logical().ReadWithDataWithContext(ctx, ours+"/"+path, query)
			return err
		}
	}
	nothing := func(context.Context) error { return nil }
	return []attack{
		{"patterns over 5,000 names", func(ctx context.Context) error { return b.fillLarge(ctx, workspace, "large") },
			reading("load/"+large, map[string][]string{"include": {strings.Join(patterns, ",")}})},
		{"syncs whose names are hard to compare", func(ctx context.Context) error { return b.furnishComparison(ctx, workspace) }, b.compareSyncs(workspace)},
		{"50,000 references in one load", func(ctx context.Context) error { return b.furnishReferences(ctx, workspace) }, reading("load/"+workspace+"/project/references", nil)},
		{"metadata of 5,000 secrets", nothing, reading("metadata/"+large, nil)},
		{"the changelog of 5,000 secrets", nothing, reading("changes/"+large, nil)},
		{"loads of 4 MB", nothing, reading("load/"+large, nil)},
		{"imports of 5,000 secrets", nothing, b.importLarge(large)},
	}
}

// fillLarge creates an environment of the largest size that the default configuration allows.
func (b *bench) fillLarge(ctx context.Context, workspace, name string) error {
	environment, err := b.environment(ctx, workspace, name)
	if err != nil {
		return err
	}
	_, err = b.write(ctx, ours+"/import/"+environment, map[string]any{"secrets": largeValues(0), "comment": strings.Repeat("c", 50)})
	if err != nil {
		return err
	}
	return b.applied(ctx)
}

func largeValues(generation int) map[string]any {
	all := make(map[string]any, attackedSize)
	for i := range attackedSize {
		all[secretName(i)] = fmt.Sprintf("%0600d", generation*attackedSize+i)
	}
	return all
}

func (b *bench) importLarge(environment string) func(context.Context) error {
	var turn sync.Mutex // clients that overtake each other would be refused by the quota of versions
	generation := 0
	return func(ctx context.Context) error {
		turn.Lock()
		defer turn.Unlock()
		generation = (generation + 1) % 2
		_, err := b.write(ctx, ours+"/import/"+environment, map[string]any{"secrets": largeValues(generation)})
		return err
	}
}

// furnishComparison creates the sync that others are compared with. Its workspace is paused, so no sync runs.
func (b *bench) furnishComparison(ctx context.Context, workspace string) error {
	if _, err := b.write(ctx, ours+"/config", map[string]any{"egress_allow": []string{"127.0.0.0/8+http"}}); err != nil {
		return err
	}
	if err := b.integrate(ctx, workspace, "here", b.client.Address()); err != nil {
		return err
	}
	if _, err := b.write(ctx, ours+"/workspaces/"+workspace, map[string]any{"paused": true}); err != nil {
		return err
	}
	names := make([]string, 64)
	for i := range names {
		names[i] = strings.Repeat("a", 240-i)
	}
	return b.hardSync(ctx, workspace, "first", names)
}

func (b *bench) hardSync(ctx context.Context, workspace, name string, include []string) error {
	_, err := b.write(ctx, ours+"/syncs/"+workspace+"/project/large/vault-kv/"+name, map[string]any{
		"integration": "here", "mount": synced, "path": "compared", "include": include, "name_template": "{{ .Name }}" + strings.Repeat("x", 250),
	})
	return err
}

// compareSyncs writes a sync that the engine refuses after it has compared as much as it may.
func (b *bench) compareSyncs(workspace string) func(context.Context) error {
	hard := make([]string, 64)
	for i := range hard {
		hard[i] = "a*b" + strings.Repeat("?", 100+i) + "*a"
	}
	return func(ctx context.Context) error {
		err := b.hardSync(ctx, workspace, "refused", hard)
		var refused *api.ResponseError
		if errors.As(err, &refused) && refused.StatusCode == http.StatusBadRequest && strings.Contains(refused.Error(), "to compare") {
			return nil
		}
		return errors.Join(errors.New("the sync was not refused as hard to compare"), err)
	}
}

// furnishReferences creates an environment whose load replaces as many references as one request
// may.
func (b *bench) furnishReferences(ctx context.Context, workspace string) error {
	environment, err := b.environment(ctx, workspace, "references")
	if err != nil {
		return err
	}
	if _, err := b.write(ctx, ours+"/secrets/"+environment+"/A", map[string]any{"value": "a"}); err != nil {
		return err
	}
	for i := range 10 {
		refers := map[string]any{"value": strings.Join(slices.Repeat([]string{"${A}"}, 5000), ""), "references": true}
		if _, err := b.write(ctx, ours+"/secrets/"+environment+"/"+secretName(i), refers); err != nil {
			return err
		}
	}
	return nil
}
