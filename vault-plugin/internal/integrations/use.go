package integrations

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/credseal"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Use is one use of a credential.
type Use struct {
	Integration Integration
	Environment string // project/environment whose secrets are used; "" if none
	Target      string // path of the target; "" if none
}

// Reasons why a use is refused, apart from the integration's grants. Each is the cause of an
// *outbound.Error.
var (
	ErrPaused = errors.New("outgoing requests are paused")
	ErrLocked = errors.New("the workspace is locked")
	ErrGone   = errors.New("the integration no longer exists")
)

// use is a use in progress.
type use struct {
	workspace, integration store.ID
	cancel                 context.CancelFunc
	ended                  chan struct{}
}

// With opens the credential for one use, calls f, and wipes the credential. It checks grants,
// pauses and locks each time, against the current integration and not against u.Integration. The
// context of f is canceled when the workspace is locked or paused, the integration is deleted or
// the mount is stopped.
//
// If f was not called, the error is an *outbound.Error. Its class is NotFound if the integration
// was or may have been deleted. It is Permission if the use is not allowed, and Auth if the
// credential cannot be read. If f was called, the error is that of f.
func (s *Service) With(ctx context.Context, u Use, f func(ctx context.Context, p provider.Provider, session *provider.Session) error) error {
	s.mu.RLock()
	e, err := s.records.ByID(u.Integration.ID), error(nil)
	if e != nil {
		_, err = s.records.Find(e.At)
	}
	s.mu.RUnlock()
	if e == nil || err != nil {
		return u.refuse(outbound.NotFound, ErrGone, "the integration was deleted")
	}
	ctx, end := s.begin(ctx, e.Workspace, e.ID)
	defer end()
	if err := s.authorize(e, u); err != nil {
		return err
	}
	if why := e.unreadable(); why != "" {
		return u.unopened(why)
	}
	client, err := s.client(e)
	if err != nil {
		return err
	}
	g, _ := e.sealed.Find(e.record.Credential.Generation)
	opened, err := s.sealing.Open(ctx, e.owner(), e.endpoint, g)
	switch {
	case errors.Is(err, credseal.ErrUnopened):
		return u.unopened(fmt.Sprintf("its record cred/%s or the record %s is damaged, or was moved here from another key; restore both records from a snapshot of Vault's storage", e.record.ID, e.stored()))
	case fault.Is(err, fault.Locked):
		condition, _ := s.Tree.Condition(e.Workspace)
		return u.refuse(outbound.Permission, ErrLocked, condition.Refusal())
	case err != nil:
		return u.refuse(outbound.Internal, err, "the workspace's keys could not be used; read info for the health of the mount")
	}
	defer opened.Wipe()
	err = f(ctx, s.Providers.Provider(e.provider()), &provider.Session{
		Settings: maps.Clone(e.settings), Auth: e.record.Auth, Credential: opened, HTTP: client,
	})
	s.recordUse(e, err)
	return err
}

// authorize returns an error if a use is not allowed now.
func (s *Service) authorize(e *entry, u Use) error {
	condition, exists := s.Tree.Condition(e.Workspace)
	switch {
	case !exists:
		return u.refuse(outbound.NotFound, ErrGone, "its workspace was deleted")
	case condition.Locked:
		return u.refuse(outbound.Permission, ErrLocked, condition.Refusal())
	case s.Settings.Config().Paused:
		return u.refuse(outbound.Permission, ErrPaused, "the requests of all workspaces to providers are paused; resume them with paused=false in config")
	case condition.Paused:
		return u.refuse(outbound.Permission, ErrPaused, "the requests of this workspace to providers are paused; resume them with paused=false in the workspace")
	case u.Environment != "" && !Allows(e.record.AllowedEnvironments, u.Environment):
		return u.refuse(outbound.Permission, nil, "allowed_environments of integration "+u.Integration.InWorkspace()+" does not allow "+u.Environment)
	case u.Target != "" && !Allows(e.record.AllowedTargets, u.Target):
		return u.refuse(outbound.Permission, nil, "allowed_targets of integration "+u.Integration.InWorkspace()+" does not allow "+u.Target)
	}
	return nil
}

func (u Use) refuse(class outbound.Class, cause error, hint string) error {
	return &outbound.Error{Class: class, Provider: u.Integration.Provider, Operation: "use the credential", Hint: hint, Cause: cause}
}

func (u Use) unopened(why string) error {
	return u.refuse(outbound.Auth, credseal.ErrUnopened, "the credential cannot be read: "+why+"; supply it again with a write of integration "+u.Integration.InWorkspace())
}

// begin registers a use before the use is authorized. A lock, a pause or a deletion that comes
// later therefore finds the use and ends it. The caller calls the returned function when the use
// has ended.
func (s *Service) begin(ctx context.Context, ws, id store.ID) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	u := &use{ws, id, cancel, make(chan struct{})}
	s.mu.Lock()
	s.uses[u] = true
	if s.stopped {
		cancel()
	}
	s.mu.Unlock()
	return ctx, func() {
		cancel()
		s.mu.Lock()
		delete(s.uses, u)
		s.mu.Unlock()
		close(u.ended)
	}
}

// interrupt cancels the uses that match, and returns them.
func (s *Service) interrupt(match func(*use) bool) []*use {
	s.mu.RLock()
	defer s.mu.RUnlock()
	canceled := slices.DeleteFunc(slices.Collect(maps.Keys(s.uses)), func(u *use) bool { return !match(u) })
	for _, u := range canceled {
		u.cancel()
	}
	return canceled
}

// Interrupt cancels the uses of a workspace's credentials, and waits until they have ended or ctx
// is done. It reports whether they have ended.
func (s *Service) Interrupt(ctx context.Context, ws store.ID) (ended bool) {
	for _, u := range s.interrupt(func(u *use) bool { return u.workspace == ws }) {
		select {
		case <-u.ended:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// Stop cancels all uses and closes all connections. Every later use fails.
func (s *Service) Stop() {
	s.interrupt(func(*use) bool { return true })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for id, c := range s.clients {
		c.Close()
		delete(s.clients, id)
	}
}
