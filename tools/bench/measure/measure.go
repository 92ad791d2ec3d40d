// Package measure times subjects against each other. They take turns, a round each, so that a machine that gets slower or
// faster meanwhile does so for all of them; a ratio is taken within a round, and the median over the rounds is reported.
package measure

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// Subject is what is timed: a round answers how long each of its operations took.
type Subject struct {
	Name  string
	Round func(ctx context.Context) ([]time.Duration, error)
}

// Each makes a round of n operations, one after the other.
func Each(n int, op func(ctx context.Context) error) func(context.Context) ([]time.Duration, error) {
	return func(ctx context.Context) ([]time.Duration, error) {
		took := make([]time.Duration, n)
		for i := range took {
			start := time.Now()
			if err := op(ctx); err != nil {
				return nil, err
			}
			took[i] = time.Since(start)
		}
		return took, nil
	}
}

// Whole makes a round of n operations that is timed as one.
func Whole(n int, op func(ctx context.Context, i int) error) func(context.Context) ([]time.Duration, error) {
	return func(ctx context.Context) ([]time.Duration, error) {
		start := time.Now()
		for i := range n {
			if err := op(ctx, i); err != nil {
				return nil, err
			}
		}
		return []time.Duration{time.Since(start)}, nil
	}
}

// Together makes a round in which clients do n operations each, at the same time.
func Together(clients, n int, op func(ctx context.Context, client int) error) func(context.Context) ([]time.Duration, error) {
	return func(ctx context.Context) ([]time.Duration, error) {
		took := make([][]time.Duration, clients)
		work, ctx := errgroup.WithContext(ctx)
		for client := range clients {
			work.Go(func() (err error) {
				took[client], err = Each(n, func(ctx context.Context) error { return op(ctx, client) })(ctx)
				return err
			})
		}
		err := work.Wait()
		return slices.Concat(took...), err
	}
}

// Series is what one subject took: by round, each operation.
type Series [][]time.Duration

// TakeTurns warms each subject up with one round that does not count, and then runs the rounds. Who begins moves on by one with
// every round, so that none is always the one after the slowest.
func TakeTurns(ctx context.Context, rounds int, subjects ...Subject) ([]Series, error) {
	series := make([]Series, len(subjects))
	for round := range rounds + 1 {
		for turn := range subjects {
			i := (turn + round) % len(subjects)
			took, err := subjects[i].Round(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", subjects[i].Name, err)
			}
			if round > 0 {
				series[i] = append(series[i], took)
			}
		}
	}
	return series, nil
}

// Median is that of all operations.
func (s Series) Median() time.Duration { return Quantile(slices.Concat(s...), 0.5) }

// Quantile answers the smallest duration that at least the share q of them does not exceed; 0 for none.
func Quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

// Ratio compares two series round by round by the quantile q, and answers the median of the rounds' ratios.
func Ratio(a, b Series, q float64) float64 {
	ratios := make([]float64, 0, len(a))
	for i := range min(len(a), len(b)) {
		if of := Quantile(b[i], q); of > 0 {
			ratios = append(ratios, float64(Quantile(a[i], q))/float64(of))
		}
	}
	return Middle(ratios)
}

// Middle is the median of numbers; 0 for none.
func Middle(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
