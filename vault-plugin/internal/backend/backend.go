// Package backend is the face of the engine towards Vault: the paths, their schemas and help, the check of raw input, and the
// life of a mount. A path file parses, calls one service and shapes the answer; behaviour lives in the services.
package backend

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/engine"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/intake"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Backend is one mount of the engine.
type Backend struct {
	*framework.Backend
	options engine.Options
	intake  *intake.Checker

	engine      atomic.Pointer[engine.Engine] // nil before Initialize, and while what it holds is out of date
	initialized atomic.Bool                   // storage may be used from now on
	start       sync.Mutex                    // one start at a time
	stops       atomic.Int64                  // what was loaded before the last stop is out of date
}

// Factory answers a factory for mounts of the engine. It also runs when Vault only asks what the plugin is: it touches no storage
// and starts nothing.
func Factory(o engine.Options) logical.Factory {
	return func(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
		b, err := newBackend(o)
		if err != nil {
			return nil, err
		}
		cached := *conf
		cached.System = cacheSystemView(conf.System)
		return b, b.Setup(ctx, &cached)
	}
}

func newBackend(o engine.Options) (*Backend, error) {
	b := &Backend{options: o}
	b.Backend = &framework.Backend{
		Help:           strings.TrimSpace(help),
		BackendType:    logical.TypeLogical,
		RunningVersion: o.Version,
		PathsSpecial:   &logical.Paths{SealWrapStorage: store.SealWrapped()},
		Paths:          b.paths(),
		InitializeFunc: b.initialize,
		PeriodicFunc:   b.periodic,
		Clean:          b.clean,
		Invalidate:     b.invalidate,
	}
	var err error
	b.intake, err = intake.New(b.Paths, intake.StringValues("secrets", "metadata", "custom_metadata"))
	return b, err
}

func (b *Backend) paths() []*framework.Path {
	var all []*framework.Path
	for _, family := range [][]*framework.Path{
		b.loadPaths(), b.secretPaths(), b.encryptionPaths(), // first, for they are asked for most, and patterns are tried in turn
		b.configPaths(), b.infoPaths(), b.masterKeyPaths(), b.workspacePaths(), b.lockPaths(), b.keyPaths(), b.projectPaths(),
		b.environmentPaths(), b.versionPaths(), b.metadataPaths(), b.importPaths(), b.renderPaths(), b.changePaths(),
		b.integrationPaths(), b.syncPaths(), b.syncStatusPaths(), b.policyPaths(),
	} {
		all = append(all, family...)
	}
	return all
}

// initialize loads the mount. It never fails the mount: what is wrong is answered by every request, where a person sees it.
func (b *Backend) initialize(ctx context.Context, req *logical.InitializationRequest) error {
	b.initialized.Store(true)
	_, _ = b.ready(ctx, req.Storage)
	return nil
}

// ready answers the loaded mount. One that could not be loaded, or is out of date, is loaded now; before Vault has initialized
// it, there is none.
func (b *Backend) ready(ctx context.Context, storage logical.Storage) (*engine.Engine, error) {
	if e := b.engine.Load(); e != nil {
		return e, nil
	}
	if !b.initialized.Load() {
		return nil, errLoading()
	}
	b.start.Lock()
	defer b.start.Unlock()
	for range startAttempts {
		if e := b.engine.Load(); e != nil {
			return e, nil
		}
		before := b.stops.Load()
		if !b.initialized.Load() {
			return nil, errLoading()
		}
		e, err := b.load(ctx, storage)
		if err != nil {
			b.Logger().Error("the mount could not be loaded", "error", err)
			return nil, err
		}
		b.engine.Store(e)
		if b.stops.Load() == before {
			return e, nil
		}
		b.stop() // who stopped the mount meanwhile may not have found this one
	}
	return nil, errLoading()
}

func (b *Backend) load(ctx context.Context, storage logical.Storage) (*engine.Engine, error) {
	s, err := store.New(storage)
	if err != nil {
		return nil, err
	}
	return engine.Start(ctx, s, b.options)
}

// startAttempts bounds how often a mount is loaded again because it was stopped meanwhile.
const startAttempts = 3

func errLoading() error { return fault.New(fault.Unavailable, "the mount is being loaded; try again") }

// periodic runs every minute on the active node, with Vault's state lock held: it only wakes.
func (b *Backend) periodic(ctx context.Context, req *logical.Request) error {
	if !b.initialized.Load() {
		return nil
	}
	e, err := b.ready(ctx, req.Storage)
	if err == nil {
		e.Wake()
	}
	return nil // why a mount cannot be loaded is logged, and answered to every request
}

func (b *Backend) clean(context.Context) {
	b.initialized.Store(false)
	b.stop()
}

func (b *Backend) stop() {
	b.stops.Add(1)
	if e := b.engine.Swap(nil); e != nil {
		e.Stop()
	}
}

// Settle waits until no background work is under way, for tests that look at what it has done.
func (b *Backend) Settle() {
	if e := b.engine.Load(); e != nil {
		e.Wait()
	}
}

// invalidate answers a change of storage by another node: the next request loads the mount anew.
func (b *Backend) invalidate(context.Context, string) { b.stop() }

// HandleRequest checks the raw input before the framework converts it, and sees that every error leaves as one that keeps its
// status on the way to Vault.
func (b *Backend) HandleRequest(ctx context.Context, req *logical.Request) (*logical.Response, error) {
	if req.Operation == logical.HelpOperation || req.Operation == logical.RollbackOperation {
		return b.Backend.HandleRequest(ctx, req)
	}
	if _, err := b.ready(ctx, req.Storage); err != nil {
		return nil, outgoing(err)
	}
	if err := cmp.Or(b.noProvider(req.Path), b.noDestination(req.Path)); err != nil {
		return nil, outgoing(err)
	}
	if err := b.intake.Check(req); err != nil {
		return nil, outgoing(err)
	}
	resp, err := b.Backend.HandleRequest(ctx, req)
	return resp, outgoing(err)
}

// HandleExistenceCheck asks about the path alone: Vault calls it before the ACL check, and the framework would convert, and
// quote, whatever the request carries.
func (b *Backend) HandleExistenceCheck(ctx context.Context, req *logical.Request) (checkFound, exists bool, err error) {
	if b.noProvider(req.Path) != nil || b.noDestination(req.Path) != nil {
		return false, false, nil // the request itself is answered with the reason
	}
	checkFound, exists, err = b.Backend.HandleExistenceCheck(ctx, b.intake.ExistenceRequest(req))
	return checkFound, exists, outgoing(err)
}

// outgoing turns an error into the one form whose status survives the plugin protocol: a bare logical.CodedError.
func outgoing(err error) error {
	var known *fault.Error
	var provider *outbound.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return logical.CodedError(known.Status, known.Error())
	case errors.Is(err, integrations.ErrLocked):
		return outgoing(fault.New(fault.Locked, "the workspace is locked; unlock it first"))
	case errors.Is(err, integrations.ErrPaused) && errors.As(err, &provider):
		return outgoing(fault.New(fault.Conflict, "%s", provider.Hint))
	case errors.As(err, &provider):
		return outgoing(fault.New(fault.Provider, "%s", provider))
	case errors.Is(err, logical.ErrUnsupportedOperation), errors.Is(err, logical.ErrUnsupportedPath), errors.Is(err, logical.ErrReadOnly):
		return err
	default:
		return logical.CodedError(http.StatusInternalServerError, string(fault.Unavailable)+": "+err.Error())
	}
}

const help = `
Stashbase keeps a team's secrets in workspaces, each with an encryption key hierarchy of its own.

A workspace holds projects, a project holds environments, an environment holds secrets with versions.
Begin with:

    $ vault write -force stashbase/workspaces/acme
    $ vault write -force stashbase/projects/acme/api
    $ vault write -force stashbase/environments/acme/api/development
    $ vault write stashbase/secrets/acme/api/development/DATABASE_URL value=...
    $ vault kv get stashbase/load/acme/api/development

Services encrypt their own data under a workspace's keys, and keep it themselves:

    $ vault write stashbase/encrypt/acme/billing plaintext=$(printf 4111111111111111 | base64)
`
