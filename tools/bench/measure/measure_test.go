package measure

import (
	"context"
	"slices"
	"testing"
	"time"
)

func ms(values ...int) []time.Duration {
	var all []time.Duration
	for _, v := range values {
		all = append(all, time.Duration(v)*time.Millisecond)
	}
	return all
}

func TestQuantile(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i
	}
	for _, tc := range []struct {
		name string
		of   []time.Duration
		q    float64
		want time.Duration
	}{
		{"none", nil, 0.5, 0},
		{"one", ms(7), 0.99, 7 * time.Millisecond},
		{"the median of three", ms(9, 1, 5), 0.5, 5 * time.Millisecond},
		{"the lower median of four", ms(9, 1, 5, 7), 0.5, 5 * time.Millisecond},
		{"p99 of a hundred", ms(hundred...), 0.99, 99 * time.Millisecond},
		{"the largest", ms(hundred...), 1, 100 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Quantile(tc.of, tc.q); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// In the second round, the machine was three times slower for both. This does not affect the ratio.
func TestRatioIsTakenWithinARound(t *testing.T) {
	ours, other := Series{ms(1, 1, 2), ms(3, 3, 6), ms(1)}, Series{ms(2, 2, 2), ms(6, 6, 6), ms(2)}
	if got := Ratio(ours, other, 0.5); got != 0.5 {
		t.Errorf("got %v", got)
	}
}

func TestTurnsMoveOnAndTheFirstRoundDoesNotCount(t *testing.T) {
	var order []string
	subject := func(name string, took int) Subject {
		return Subject{name, func(context.Context) ([]time.Duration, error) {
			order = append(order, name)
			return ms(took), nil
		}}
	}
	series, err := TakeTurns(t.Context(), 2, subject("a", 1), subject("b", 2))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "b", "b", "a", "a", "b"}; !slices.Equal(order, want) {
		t.Errorf("order %v", order)
	}
	if len(series[0]) != 2 || series[0].Median() != time.Millisecond || series[1].Median() != 2*time.Millisecond {
		t.Errorf("series %v", series)
	}
}

func TestClientsAreTimedEach(t *testing.T) {
	took, err := Together(3, 4, func(context.Context, int) error { return nil })(t.Context())
	if err != nil || len(took) != 12 {
		t.Errorf("%d, %v", len(took), err)
	}
}
