package acceptance_test

import (
	"fmt"
	"path"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// longestSeal bounds how long a run that waits for its own server may delay a seal or a step-down.
// A request holds Vault's state lock. While a seal is pending, the server does not respond to the
// requests of the run, so only the end of the wait ends them.
const longestSeal = 12 * time.Second

func TestARunThatWaitsForItsOwnServerDoesNotDelayASeal(t *testing.T) {
	s := vaulttest.Start(t, vaulttest.Options{Storage: vaulttest.Raft})
	y := newSynced(t, s)
	y.begin()
	for _, tc := range []struct {
		name string
		act  func()
		back func()
	}{
		{"seal", func() { s.Seal(t) }, func() { s.Unseal(t) }},
		{"step down", func() { stepDown(t, s) }, func() { s.Unseal(t) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			many := data{}
			for i := range 2000 {
				many[fmt.Sprintf("M%d", i)] = value()
			}
			y.write("import/"+y.env, data{"secrets": data{}, "mode": "replace", "confirm": path.Base(y.env)})
			y.arrives("an empty environment", map[string]string{})
			y.write("import/"+y.env, data{"secrets": many})
			done := make(chan response, 1)
			go func() {
				a, _ := y.try("POST", y.sync+"/run", data{"wait": "10s"})
				done <- a
			}()
			eventually(t, s, "the run to be in progress", func() error {
				listed, err := s.Client().Logical().List(y.mount + "/metadata/" + y.folder)
				if err == nil && listed == nil {
					err = &notYet{"no entry"}
				}
				return err
			})
			start := time.Now()
			tc.act()
			took := time.Since(start)
			t.Logf("%s took %s, the run: %s", tc.name, took, <-done)
			if took > longestSeal {
				t.Errorf("%s took %s; the limit is %s", tc.name, took, longestSeal)
			}
			tc.back()
			want := make(map[string]string)
			for name, v := range many {
				want[name] = fmt.Sprint(v)
			}
			y.arrives("everything", want)
		})
	}
}

// stepDown returns when the node is no longer the leader. Vault responds to the request earlier.
func stepDown(t testing.TB, s *vaulttest.Server) {
	t.Helper()
	must(t, s.Client().Sys().StepDown())
	eventually(t, s, "the node to step down", func() error {
		leader, err := s.Client().Sys().Leader()
		if err == nil && leader.IsSelf {
			err = &notYet{"the leader"}
		}
		return err
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
