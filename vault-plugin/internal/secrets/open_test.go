package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/activity"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/budget"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/engine"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// mounted is an engine with the environments acme/api/one and acme/api/two.
type mounted struct {
	*engine.Engine
	t        *testing.T
	requests int
}

var (
	one = workspaces.Path{Workspace: "acme", Project: "api", Environment: "one"}
	two = workspaces.Path{Workspace: "acme", Project: "api", Environment: "two"}
)

func mount(t *testing.T) *mounted {
	t.Helper()
	storage, err := store.New(enginetest.NewStorage())
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Start(t.Context(), storage, engine.Options{Version: "v0.0.0-test", Clock: enginetest.NewClock(), Providers: &provider.Registry{}}, activity.ToLog(hclog.NewNullLogger()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	m := &mounted{Engine: e, t: t}
	_, err = e.Settings.Change(t.Context(), m.call(), func(c *store.Config) {
		c.Settings.MaxValueBytes, c.Settings.MaxEnvironmentBytes = 384<<10, 24<<20
	})
	m.must(err)
	_, err = e.Tree.PutWorkspace(t.Context(), m.call(), "acme", false, func(*store.Workspace) {})
	m.must(err)
	_, err = e.Tree.PutProject(t.Context(), m.call(), one.Parent(), func(*store.Project) {})
	m.must(err)
	for _, path := range []workspaces.Path{one, two} {
		_, err = e.Tree.PutEnvironment(t.Context(), m.call(), path, func(r *store.Environment) { r.SharedWith = []string{"*/*"} })
		m.must(err)
	}
	return m
}

func (m *mounted) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *mounted) call() caller.Request {
	m.requests++
	return caller.Request{ID: fmt.Sprint("request-", m.requests), Mount: "stashbase/"}
}

func (m *mounted) write(path workspaces.Path, name, value string, refers bool) error {
	_, err := m.Secrets.Write(m.t.Context(), m.call(), path, name, secrets.Input{Value: []byte(value), References: &refers})
	return err
}

// used fails the test unless the budget of requests is used as wanted.
func (m *mounted) used(what string, want func(n int) bool) {
	m.t.Helper()
	requests, lasting := m.Secrets.Opened()
	if n := requests.Used(); !want(n) {
		m.t.Errorf("%s: %d bytes are in use", what, n)
	}
	if n := lasting.Used(); n != 0 {
		m.t.Errorf("%s: %d bytes of the other budget are in use", what, n)
	}
}

func none(n int) bool { return n == 0 }

func TestADeliveryHoldsAShareUntilItIsWiped(t *testing.T) {
	m := mount(t)
	m.must(m.write(one, "A", strings.Repeat("a", 1000), false))
	d, err := m.Secrets.Deliver(t.Context(), m.call(), one, secrets.Selection{})
	m.must(err)
	m.used("an open delivery", func(n int) bool { return n >= 1000 && n < 1200 })
	d.Wipe()
	d.Wipe()
	m.used("a wiped delivery", none)
	d, err = m.Secrets.Deliver(t.Context(), m.call(), one, secrets.Selection{Lasts: true})
	m.must(err)
	requests, lasting := m.Secrets.Opened()
	if requests.Used() != 0 || lasting.Used() < 1000 {
		t.Errorf("a delivery that lasts uses %d and %d bytes", requests.Used(), lasting.Used())
	}
	d.Wipe()
	m.used("a wiped delivery that lasts", none)
}

// A share that the values turn out to exceed is given back before the largest one is waited for.
func TestAllSharesAreGivenBack(t *testing.T) {
	m := mount(t)
	m.must(m.write(two, "A", strings.Repeat("a", 300<<10), false))
	m.must(m.write(two, "GONE", "x", false))
	for i := range 10 { // short values that resolve to long ones
		m.must(m.write(one, fmt.Sprint("B", i), "${two/A}", true))
	}
	m.used("writes with references", none)
	d, err := m.Secrets.Deliver(t.Context(), m.call(), one, secrets.Selection{})
	m.must(err)
	if len(d.Secrets) != 10 || len(d.Secrets[9].Value) != 300<<10 {
		t.Errorf("%d secrets are delivered", len(d.Secrets))
	}
	m.used("more than the usual share", func(n int) bool { return n == secrets.MaxHeld })
	d.Wipe()
	m.used("a wiped delivery", none)
	_, err = m.Secrets.Compare(t.Context(), m.call(), one, two)
	m.must(err)
	m.used("a comparison", none)
	m.must(m.write(one, "C", "${two/GONE}", true))
	_, err = m.Secrets.Purge(t.Context(), m.call(), two, "GONE")
	m.must(err)
	if _, err := m.Secrets.Deliver(t.Context(), m.call(), one, secrets.Selection{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a broken reference: %v", err)
	}
	if _, err := m.Secrets.Compare(t.Context(), m.call(), two, one); !fault.Is(err, fault.NotFound) {
		t.Errorf("a comparison with a broken reference: %v", err)
	}
	if err := m.write(one, "D", "${two/NONE}", true); !fault.Is(err, fault.NotFound) {
		t.Errorf("a write of a broken reference: %v", err)
	}
	m.used("failures", none)
}

func TestARequestWaitsForItsShareBeforeItOpensAnything(t *testing.T) {
	m := mount(t)
	m.must(m.write(one, "A", "a", false))
	m.must(m.write(two, "B", "${one/A}", true))
	full := budget.New(100, 100)
	m.Secrets.SetOpened(full)
	release, err := full.Acquire(t.Context(), "other", 100)
	m.must(err)
	for name, request := range map[string]func(context.Context) error{
		"a delivery": func(ctx context.Context) error {
			_, err := m.Secrets.Deliver(ctx, m.call(), one, secrets.Selection{})
			return err
		},
		"a delivery with references": func(ctx context.Context) error {
			_, err := m.Secrets.Deliver(ctx, m.call(), two, secrets.Selection{})
			return err
		},
		"a comparison": func(ctx context.Context) error {
			_, err := m.Secrets.Compare(ctx, m.call(), one, two)
			return err
		},
		"a write with references": func(ctx context.Context) error {
			refers := true
			_, err := m.Secrets.Write(ctx, m.call(), one, "C", secrets.Input{Value: []byte("${A}"), References: &refers})
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := request(ctx); !fault.Is(err, fault.Unavailable) || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("%s does not wait: %v", name, err)
		}
		cancel()
	}
	if full.Used() != 100 {
		t.Errorf("%d of 100 bytes are in use", full.Used())
	}
	release()
	d, err := m.Secrets.Deliver(t.Context(), m.call(), one, secrets.Selection{})
	m.must(err)
	d.Wipe()
}

// A comparison needs the values of two environments. If it took their shares one after the other,
// two comparisons could each hold one and wait for the other's.
func TestComparisonsDoNotWaitForEachOther(t *testing.T) {
	m := mount(t)
	for _, path := range []workspaces.Path{one, two} {
		m.must(m.write(path, "A", strings.Repeat("a", 1000), false))
	}
	const both = 2200 // room for both environments, and for no third
	small := budget.New(both, both)
	m.Secrets.SetOpened(small)
	release, err := small.Acquire(t.Context(), "other", both/2-1) // one environment fits beside it
	m.must(err)
	soon, end := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer end()
	if _, err := m.Secrets.Compare(soon, m.call(), one, two); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a comparison does not take the share of both environments: %v", err)
	}
	release()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for i := range 8 {
		call := m.call()
		from, to := one, two
		if i%2 == 1 {
			from, to = two, one
		}
		all.Go(func() {
			for range 100 {
				if _, err := m.Secrets.Compare(ctx, call, from, to); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	m.used("comparisons", none)
}

func TestTheValuesOfOneRequestAreBounded(t *testing.T) {
	m := mount(t)
	value := strings.Repeat("v", 380<<10)
	most := secrets.MaxHeld / (2 * len(value)) // each is held once as a target, and once as delivered
	for i := range most + 1 {
		m.must(m.write(two, fmt.Sprint("A", i), value, false))
		m.must(m.write(one, fmt.Sprint("B", i), fmt.Sprintf("${two/A%d}", i), true))
	}
	deliver := func(exclude ...string) (secrets.Delivery, error) {
		return m.Secrets.Deliver(t.Context(), m.call(), one, secrets.Selection{Exclude: exclude})
	}
	d, err := deliver("B0")
	m.must(err)
	if len(d.Secrets) != most {
		t.Errorf("%d secrets are delivered", len(d.Secrets))
	}
	d.Wipe()
	if _, err := deliver(); !fault.Is(err, fault.Limit) {
		t.Errorf("one value more: %v", err)
	}
	m.used("a failure", none)
}
