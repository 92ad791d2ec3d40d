// Package measure compares the times of subjects. The subjects take turns, one round each, so that
// a change in the speed of the machine affects all of them. A ratio is computed within a round, and
// the median over the rounds is reported.
package measure

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// Subject is a measured subject. Round returns the duration of each of its operations.
type Subject struct {
	Name  string
	Round func(ctx context.Context) ([]time.Duration, error)
}

// Each returns a round of n operations, one after the other.
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

// Whole returns a round of n operations that is timed as one operation.
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

// Together returns a round in which each client runs n operations, in parallel with the others.
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

// Series contains the durations of one subject: for each round, each operation.
type Series [][]time.Duration

// TakeTurns runs one warm-up round for each subject, which does not count, and then the rounds.
// Each round begins with the next subject, so that no subject always runs after the slowest.
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

// Median returns the median of all operations.
func (s Series) Median() time.Duration { return Quantile(slices.Concat(s...), 0.5) }

// Quantile returns the smallest duration that at least the share q of the operations does not
// exceed, or 0 for an empty series.
func Quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

// Ratio compares the quantile q of two series in each round, and returns the median of the rounds'
// ratios.
func Ratio(a, b Series, q float64) float64 {
	ratios := make([]float64, 0, len(a))
	for i := range min(len(a), len(b)) {
		if of := Quantile(b[i], q); of > 0 {
			ratios = append(ratios, float64(Quantile(a[i], q))/float64(of))
		}
	}
	return Middle(ratios)
}

// Middle returns the median of numbers, or 0 if there are none.
func Middle(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
