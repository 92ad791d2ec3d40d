package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/application"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/clock"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// engine is the services of one mount, loaded and at work. It exists from Initialize to Clean.
type engine struct {
	jobs        *jobs.Group
	settings    *settings.Service
	keys        *keys.Service
	tree        *workspaces.Tree
	secrets     *secrets.Service
	application *application.Service
	gateway     *outbound.Gateway
	unswept     atomic.Bool // the last sweep has failed

	integrations *integrations.Service
	syncs        *syncs.Service
}

// stopWithin bounds how long Clean waits for the workers: it blocks every mount that shares the plugin's process.
const stopWithin = 900 * time.Millisecond

// startEngine loads a mount from storage and starts its background work.
func startEngine(ctx context.Context, storage logical.Storage, o Options) (*engine, error) {
	now := o.Clock.Now
	s, err := store.New(storage)
	if err != nil {
		return nil, err
	}
	if err := checkSchema(ctx, s); err != nil {
		return nil, err
	}
	e := &engine{jobs: jobs.NewGroup()}
	e.gateway = outbound.NewGateway(outbound.Options{
		UserAgent: "vault-stashbase/" + strings.TrimPrefix(o.Version, "v"), Resolver: o.Resolver, Clock: sleeper{o.Clock},
	})
	if e.settings, err = settings.Load(ctx, s); err != nil {
		return nil, err
	}
	if e.keys, err = keys.Load(ctx, s, e.jobs, now); err != nil {
		return nil, err
	}
	e.settings.Watch(func(c store.Config) { e.gateway.Enforce(settings.Policy(c)) })
	e.secrets = secrets.New(s, e.keys, e.jobs, now)
	e.settings.Watch(e.keys.Configure)
	e.settings.Watch(e.secrets.Configure)
	e.tree, err = workspaces.Load(ctx, workspaces.Deps{
		Store: s, Settings: e.settings, Keys: e.keys, Contents: e.secrets, Now: now, Orphaned: e.sweep,
	})
	if err != nil {
		return nil, err
	}
	e.application = application.New(e.keys, e.tree)
	e.integrations, err = integrations.Load(ctx, integrations.Deps{
		Store: s, Keys: e.keys, Tree: e.tree, Settings: e.settings, Jobs: e.jobs, Gateway: e.gateway,
		Providers: o.Providers, Clock: o.Clock, Orphaned: e.sweep,
	})
	if err != nil {
		return nil, err
	}
	e.secrets.Also("credentials", e.integrations)
	if err := e.secrets.Learn(ctx, e.tree); err != nil {
		return nil, err
	}
	e.syncs, err = syncs.Load(ctx, syncs.Deps{
		Store: s, Keys: e.keys, Tree: e.tree, Settings: e.settings, Secrets: e.secrets, Integrations: e.integrations, Jobs: e.jobs,
		Providers: o.Providers, Clock: o.Clock, Orphaned: e.sweep,
	})
	if err != nil {
		return nil, err
	}
	e.secrets.Also("ledgers of syncs", e.syncs)
	e.keys.Start()
	e.secrets.Start()
	e.integrations.Start()
	e.syncs.Start()
	e.sweep()
	return e, nil
}

// sleeper has the way out wait by the engine's clock.
type sleeper struct{ clock.Clock }

func (s sleeper) Sleep(ctx context.Context, d time.Duration) error {
	return clock.Sleep(ctx, s.Clock, d)
}

// checkSchema writes the layout's version on a mount that has none, and refuses a newer one than this binary knows.
func checkSchema(ctx context.Context, s *store.Store) error {
	schema, err := s.Schema(ctx)
	switch {
	case errors.Is(err, store.ErrDamaged):
		return fault.Damaged("the storage schema's entry core/schema is damaged; restore it from a snapshot of Vault's storage")
	case err != nil:
		return fmt.Errorf("read the storage schema: %w", err)
	case schema == nil:
		return s.PutSchema(ctx, &store.Schema{Version: store.SchemaVersion})
	case schema.Version > store.SchemaVersion:
		return fault.New(fault.Unavailable, "the mount's storage has schema version %d, this plugin knows up to %d; run the plugin version that wrote it, or a newer one",
			schema.Version, store.SchemaVersion)
	}
	return nil
}

// sweep removes in the background what stands beneath anything deleted.
func (e *engine) sweep() {
	e.jobs.Start("sweep", func(ctx context.Context) {
		e.integrations.Forget()
		e.syncs.Forget()
		e.unswept.Store(e.tree.Sweep(ctx, e.integrations, e.syncs) != nil) // what is left goes with the next sweep
	})
}

// wake has the background work tried again that has failed or was interrupted, once it is known how the writes ended that storage
// has failed in.
func (e *engine) wake() {
	e.keys.Expire()
	e.jobs.Start("wake", func(ctx context.Context) {
		_ = e.settings.Recheck(ctx) // what is still not known is asked for again in a minute
		e.keys.Recheck(ctx)
		e.tree.Recheck(ctx)
		e.secrets.Recheck(ctx)
		e.keys.Start()
		e.secrets.Wake()
		e.integrations.Wake()
		e.syncs.Wake()
		if e.unswept.Load() {
			e.sweep()
		}
	})
}

// stop ends the background work and wipes the keys.
func (e *engine) stop() {
	e.syncs.Stop()
	e.integrations.Stop()
	e.jobs.Stop(stopWithin)
	e.keys.Wipe()
}

// health says what is wrong and what to do, a sentence each.
func (e *engine) health() []string {
	wrong := slices.Concat(e.keys.Health(), e.tree.Health(), e.secrets.Health(), e.integrations.Health(), e.syncs.Health())
	slices.Sort(wrong)
	return wrong
}
