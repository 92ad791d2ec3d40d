// Package engine owns the services of one mount: it wires, starts and stops them. It knows nothing
// about paths and requests.
package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/activity"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/clock"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/encryption"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/rewrap"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Options configure the mounts of a program.
type Options struct {
	Version   string // the plugin's semantic version, with a leading v
	Clock     clock.Clock
	Providers *provider.Registry
	Resolver  outbound.Resolver // resolves the hosts of providers; nil uses the system's resolver
}

// Engine holds the loaded and running services of one mount. It exists from Initialize to Clean.
type Engine struct {
	Settings     *settings.Service
	Keys         *keys.Service
	Tree         *workspaces.Tree
	Secrets      *secrets.Service
	Encryption   *encryption.Service
	Integrations *integrations.Service
	Syncs        *syncs.Service
	Rewrap       *rewrap.Service
	Gateway      *outbound.Gateway

	jobs   *jobs.Group
	undone *undone.Service
}

// stopWithin limits how long Stop waits for the workers. Vault calls Clean, which calls Stop, and
// Clean blocks every mount in the plugin's process.
const stopWithin = 900 * time.Millisecond

// Start loads a mount from storage and starts its background work. Events of the mount go to sink.
func Start(ctx context.Context, s *store.Store, o Options, sink activity.Sink) (*Engine, error) {
	now := o.Clock.Now
	err := checkSchema(ctx, s)
	if err != nil {
		return nil, err
	}
	e := &Engine{jobs: jobs.NewGroup()}
	e.Gateway = outbound.NewGateway(outbound.Options{
		UserAgent: "vault-stashbase/" + strings.TrimPrefix(o.Version, "v"), Resolver: o.Resolver, Clock: sleeper{o.Clock},
	})
	if e.Settings, err = settings.Load(ctx, s); err != nil {
		return nil, err
	}
	if e.Keys, err = keys.Load(ctx, s, e.jobs, now); err != nil {
		return nil, err
	}
	e.Settings.Watch(func(c store.Config) { e.Gateway.Enforce(settings.Policy(c)) })
	e.Secrets = secrets.New(s, e.Keys, e.jobs, now)
	e.Settings.Watch(e.Keys.Configure)
	e.Settings.Watch(e.Secrets.Configure)
	if e.undone, err = undone.Load(ctx, s, e.Keys, e.jobs); err != nil {
		return nil, err
	}
	e.Tree, err = workspaces.Load(ctx, workspaces.Deps{
		Store: s, Settings: e.Settings, Keys: e.Keys, Contents: e.Secrets, Now: now, Undone: e.undone,
	})
	if err != nil {
		return nil, err
	}
	e.Encryption = encryption.New(e.Keys, e.Tree)
	e.Integrations, err = integrations.Load(ctx, integrations.Deps{
		Store: s, Keys: e.Keys, Tree: e.Tree, Settings: e.Settings, Jobs: e.jobs, Gateway: e.Gateway,
		Providers: o.Providers, Clock: o.Clock, Undone: e.undone, Activity: sink,
	})
	if err != nil {
		return nil, err
	}
	if err := e.Secrets.Load(ctx, e.Tree); err != nil {
		return nil, err
	}
	e.Syncs, err = syncs.Load(ctx, syncs.Deps{
		Store: s, Keys: e.Keys, Tree: e.Tree, Settings: e.Settings, Secrets: e.Secrets, Integrations: e.Integrations, Jobs: e.jobs,
		Providers: o.Providers, Clock: o.Clock, Undone: e.undone, Activity: sink,
	})
	if err != nil {
		return nil, err
	}
	e.Rewrap = rewrap.New(e.Keys, e.Tree, e.jobs)
	e.Rewrap.RegisterSealed("secrets", e.Secrets)
	e.Rewrap.RegisterSealed("credentials", e.Integrations)
	e.Rewrap.RegisterSealed("ledgers", e.Syncs)
	e.Keys.Start()
	e.Secrets.Start()
	e.Rewrap.Start()
	e.Integrations.Start()
	e.Syncs.Start()
	e.undone.Start()
	return e, nil
}

// sleeper makes the gateway wait on the engine's clock.
type sleeper struct{ clock.Clock }

func (s sleeper) Sleep(ctx context.Context, d time.Duration) error {
	return clock.Sleep(ctx, s.Clock, d)
}

// checkSchema writes the layout's version to a mount that has none. It rejects every version but
// its own.
func checkSchema(ctx context.Context, s *store.Store) error {
	schema, err := s.Schema(ctx)
	switch {
	case errors.Is(err, store.ErrDamaged):
		return fault.Damaged("storage entry core/schema, which holds the schema version, is damaged; restore it from a snapshot of Vault's storage")
	case err != nil:
		return fmt.Errorf("read the storage schema: %w", err)
	case schema == nil:
		return s.PutSchema(ctx, &store.Schema{Version: store.SchemaVersion})
	case schema.Version > store.SchemaVersion:
		return fault.New(fault.Unavailable, "the mount's storage has schema version %d, but this plugin supports versions up to %d; run the plugin version that wrote it, or a newer one",
			schema.Version, store.SchemaVersion)
	case schema.Version < store.SchemaVersion:
		return fault.New(fault.Unavailable, "the mount's storage has schema version %d, which no release has written; this plugin supports version %d only, so mount the engine at another path and write the secrets there",
			schema.Version, store.SchemaVersion)
	}
	return nil
}

// Wake starts background work again that failed or was interrupted. Before that, it rechecks the
// changes whose outcome is unknown because a storage call failed.
func (e *Engine) Wake() {
	e.Keys.Expire()
	e.jobs.Start("wake", func(ctx context.Context) {
		_ = e.Settings.Recheck(ctx) // the next Wake, in a minute, rechecks what is still unknown
		e.Keys.Recheck(ctx)
		e.Tree.Recheck(ctx)
		e.Secrets.Recheck(ctx)
		e.Keys.Start()
		e.Secrets.Start()
		e.Rewrap.Wake()
		e.Integrations.Wake()
		e.Syncs.Wake()
		e.undone.Wake()
	})
}

// Wait returns when no background work is running.
func (e *Engine) Wait() { e.jobs.Wait() }

// Stop ends the background work and wipes the keys.
func (e *Engine) Stop() {
	e.Syncs.Stop()
	e.Integrations.Stop()
	e.jobs.Stop(stopWithin)
	e.Keys.Wipe()
}

// Health returns one sentence for each problem: what is wrong and what to do. They are sorted.
func (e *Engine) Health() []string {
	wrong := slices.Concat(e.Keys.Health(), e.Tree.Health(), e.undone.Health(), e.Secrets.Health(), e.Rewrap.Health(), e.Integrations.Health(), e.Syncs.Health())
	slices.Sort(wrong)
	return wrong
}

// Attention returns one sentence for each sync and each integration that needs a person. Syncs come
// first, and the most urgent states first.
func (e *Engine) Attention() []string {
	var all []string
	for _, sync := range e.Syncs.Attention() {
		class := ""
		if sync.Class != "" {
			class = fmt.Sprintf(" (%s)", sync.Class)
		}
		all = append(all, fmt.Sprintf("sync %s is %s%s", sync.Path, sync.State, class))
	}
	for _, i := range e.Integrations.Attention() {
		what := " is unreadable"
		if i.State == integrations.Ready {
			what = ": the provider refused its credential"
		}
		all = append(all, "integration "+i.String()+what)
	}
	return all
}
