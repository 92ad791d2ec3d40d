// Package backend connects the engine to Vault. It declares the paths with their schemas and help,
// checks raw input, and starts and stops a mount. A path file parses a request, calls one service
// and builds the response. The services implement the behaviour.
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
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/activity"
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

	engine      atomic.Pointer[engine.Engine] // nil before Initialize and while out of date
	initialized atomic.Bool                   // storage may be used
	start       sync.Mutex                    // allows one start at a time
	stops       atomic.Int64                  // number of stops; each makes the loaded engine obsolete
}

// Factory returns a factory for mounts of the engine. Vault also runs the factory to read the
// plugin's type and version, so the factory touches no storage and starts nothing.
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
	describeJSON(b.Paths)
	var err error
	b.intake, err = newIntake(b.Paths)
	return b, err
}

func (b *Backend) paths() []*framework.Path {
	var all []*framework.Path
	for _, family := range [][]*framework.Path{
		// These get the most requests, and patterns are tried in order.
		b.loadPaths(), b.secretPaths(), b.encryptionPaths(),
		b.configPaths(), b.infoPaths(), b.masterKeyPaths(), b.workspacePaths(), b.lockPaths(), b.keyPaths(), b.projectPaths(),
		b.environmentPaths(), b.versionPaths(), b.metadataPaths(), b.importPaths(), b.renderPaths(), b.changePaths(),
		b.integrationPaths(), b.syncPaths(), b.syncStatusPaths(), b.policyPaths(), b.tablePaths(),
	} {
		all = append(all, family...)
	}
	all = append(all, b.levelPaths(all)...)
	return append(all, b.rootPath(all))
}

// initialize loads the mount. It returns no error, because an error would fail the whole mount.
// If the mount cannot be loaded, every request returns the cause.
func (b *Backend) initialize(ctx context.Context, req *logical.InitializationRequest) error {
	b.initialized.Store(true)
	_, _ = b.ready(ctx, req.Storage)
	return nil
}

// ready returns the engine of the mount. It loads the mount if an earlier load failed or if the
// loaded state is out of date. Before Vault has initialized the mount, ready returns an error.
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
			b.Logger().Error("cannot load the mount", "error", err)
			return nil, err
		}
		b.engine.Store(e)
		if b.stops.Load() == before {
			return e, nil
		}
		b.stop() // a stop during the load may have missed this engine
	}
	return nil, errLoading()
}

func (b *Backend) load(ctx context.Context, storage logical.Storage) (*engine.Engine, error) {
	s, err := store.New(storage)
	if err != nil {
		return nil, err
	}
	return engine.Start(ctx, s, b.options, activity.ToLog(b.Logger().Named("activity")))
}

// startAttempts limits how often a mount that was stopped during its load is loaded again.
const startAttempts = 3

func errLoading() error { return fault.New(fault.Unavailable, "the mount is being loaded; try again") }

// periodic runs every minute on the active node. Vault holds its state lock meanwhile, so periodic
// only wakes the background work.
func (b *Backend) periodic(ctx context.Context, req *logical.Request) error {
	if !b.initialized.Load() {
		return nil
	}
	e, err := b.ready(ctx, req.Storage)
	if err == nil {
		e.Wake()
	}
	return nil // ready has logged the cause, and every request returns it
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

// Settle waits until no background work is running. It is for tests that check the results of that
// work.
func (b *Backend) Settle() {
	if e := b.engine.Load(); e != nil {
		e.Wait()
	}
}

// invalidate stops the mount after another node has changed its storage. The next request loads it
// again.
func (b *Backend) invalidate(context.Context, string) { b.stop() }

// HandleRequest checks the raw input before the framework converts it. It converts every error to a
// form that keeps its status on the way to Vault.
func (b *Backend) HandleRequest(ctx context.Context, req *logical.Request) (*logical.Response, error) {
	switch req.Operation {
	case logical.HelpOperation:
		return b.handleHelp(ctx, req)
	case logical.RollbackOperation:
		return b.Backend.HandleRequest(ctx, req)
	}
	if _, err := b.ready(ctx, req.Storage); err != nil {
		return nil, outgoing(err)
	}
	if err := cmp.Or(b.checkProvider(req.Path), b.checkDestination(req.Path)); err != nil {
		return nil, outgoing(err)
	}
	if err := b.intake.Check(req); err != nil {
		return nil, outgoing(err)
	}
	resp, err := b.Backend.HandleRequest(ctx, req)
	if errors.Is(err, logical.ErrUnsupportedOperation) {
		err = b.unsupported(req)
	}
	return resp, outgoing(err)
}

// HandleExistenceCheck passes only the path to the framework. Vault calls it before the ACL check,
// and the framework would convert the request's data and quote them in errors.
func (b *Backend) HandleExistenceCheck(ctx context.Context, req *logical.Request) (checkFound, exists bool, err error) {
	if b.checkProvider(req.Path) != nil || b.checkDestination(req.Path) != nil {
		return false, false, nil // HandleRequest returns the reason
	}
	checkFound, exists, err = b.Backend.HandleExistenceCheck(ctx, b.intake.ExistenceRequest(req))
	return checkFound, exists, outgoing(err)
}

// outgoing converts an error to a bare logical.CodedError, the only form whose status survives the
// plugin protocol.
func outgoing(err error) error {
	var known *fault.Error
	var provider *outbound.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return logical.CodedError(known.Status, known.Error())
	case errors.Is(err, integrations.ErrLocked) && errors.As(err, &provider):
		return outgoing(fault.New(fault.Locked, "%s", provider.Hint))
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
Stashbase stores a team's secrets in workspaces. Each workspace has its own hierarchy of encryption
keys. A workspace contains projects, a project contains environments, and an environment contains
secrets with versions.

To begin, create one of each and read the environment:

    $ vault write -force stashbase/workspaces/acme
    $ vault write -force stashbase/projects/acme/api
    $ vault write -force stashbase/environments/acme/api/development
    $ vault write stashbase/secrets/acme/api/development/DATABASE_URL value=...
    $ vault kv get stashbase/load/acme/api/development

A service can encrypt its own data under a workspace's keys. The engine does not store that data:

    $ vault write stashbase/encrypt/acme/billing plaintext=$(printf 4111111111111111 | base64)
`
