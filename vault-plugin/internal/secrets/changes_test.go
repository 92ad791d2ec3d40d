package secrets

import (
	"fmt"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

func TestAPageOfTheChangelogEndsAtItsLimits(t *testing.T) {
	of := func(sizes ...int) (all []loggedChange) {
		for i, n := range sizes {
			all = append(all, loggedChange{cursor{time.Unix(int64(-i), 0), fmt.Sprint("request-", i)}, n})
		}
		return all
	}
	for _, tc := range []struct {
		name  string
		all   []loggedChange
		limit int
		page  int
	}{
		{"no change", of(), 10, 0},
		{"below the limit", of(1, 1), 3, 2},
		{"at the limit", of(1, 1, 1), 3, 3},
		{"above the limit", of(1, 1, 1, 1), 3, 3},
		{"at the limit of secrets", of(5_000, 5_000), 10, 2},
		{"above the limit of secrets", of(5_000, 5_000, 1), 10, 2},
		{"a change above the limit of secrets", of(20_000, 1), 10, 1},
	} {
		page, next := firstPage(tc.all, tc.limit)
		want := ""
		if tc.page < len(tc.all) {
			want = tc.all[tc.page-1].String()
		}
		if len(page) != tc.page || next != want {
			t.Errorf("%s: %d changes and next %q, want %d and %q", tc.name, len(page), next, tc.page, want)
		}
	}
}

func TestAChangeNamesABoundedNumberOfSecrets(t *testing.T) {
	for _, n := range []int{maxChangedSecrets, maxChangedSecrets + 1} {
		heads := make([]namedHead, n)
		for i := range heads {
			version := store.Version{Number: 1, RequestID: "request", Created: time.Unix(1, 0)}
			heads[i] = namedHead{name: fmt.Sprintf("S%06d", i), head: &store.Head{First: 1, Versions: []store.Version{version}}}
		}
		logged, err := changeLog(t.Context(), heads)
		if err != nil || len(logged) != 1 || logged[0].secrets != n {
			t.Fatalf("%v, %v", logged, err)
		}
		all, err := describeChanges(t.Context(), heads, logged)
		if err != nil || len(all[0].Secrets) != maxChangedSecrets || all[0].Omitted != n-maxChangedSecrets || all[0].Secrets[0].Name != "S000000" {
			t.Errorf("of %d secrets, %d are named and %d omitted: %v", n, len(all[0].Secrets), all[0].Omitted, err)
		}
	}
}
