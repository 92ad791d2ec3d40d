package provider_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

func TestFailedWithKeepsAnUnknownOutcome(t *testing.T) {
	unknown := &outbound.Error{Class: outbound.Network, Unknown: true}
	tests := map[string]struct {
		err  error
		want provider.Outcome
	}{
		"no effect":         {&outbound.Error{Class: outbound.Conflict}, provider.Failed},
		"perhaps an effect": {unknown, provider.Unknown},
		"wrapped":           {fmt.Errorf("write A: %w", unknown), provider.Unknown},
		"another error":     {errors.New("no such name"), provider.Failed},
	}
	for name, tt := range tests {
		got := provider.FailedWith(tt.err)
		if got.Outcome != tt.want || !errors.Is(got.Err, tt.err) || got.Entry != (provider.Entry{}) {
			t.Errorf("%s: got %+v, want the outcome %s and the same error", name, got, tt.want)
		}
	}
}

func TestSkipRestKeepsResultsThatHaveAnOutcome(t *testing.T) {
	cause := &outbound.Error{Class: outbound.Auth}
	failure := errors.New("no such name")
	results := []provider.Result{
		{Outcome: provider.Done, Entry: provider.Entry{Name: "A"}}, {}, {Outcome: provider.Failed, Err: failure}, {},
		{Outcome: provider.Unknown, Err: failure},
	}
	want := []provider.Result{
		results[0], {Outcome: provider.Skipped, Err: cause}, results[2], {Outcome: provider.Skipped, Err: cause}, results[4],
	}
	got := provider.SkipRest(results, cause)
	if len(got) != len(want) || &got[0] != &results[0] {
		t.Fatalf("SkipRest returned %d results, want the %d given ones", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("result %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestEndsBatch(t *testing.T) {
	want := map[outbound.Class]bool{
		"":                   false,
		outbound.Auth:        true,
		outbound.Permission:  false,
		outbound.NotFound:    false,
		outbound.RateLimited: true,
		outbound.Invalid:     false,
		outbound.Limit:       false,
		outbound.Conflict:    false,
		outbound.Network:     true,
		outbound.Provider:    true,
		outbound.Internal:    true,
	}
	for _, class := range append(outbound.Classes(), "") {
		ends, listed := want[class]
		if !listed {
			t.Errorf("class %q is not in the table", class)
		}
		if got := provider.EndsBatch(class); got != ends {
			t.Errorf("class %q: got %t, want %t", class, got, ends)
		}
	}
}
