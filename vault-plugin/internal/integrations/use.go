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
	Environment string // project/environment whose secrets it is used for; "" where it is not about one
	Target      string // path of the target it is used on; "" where it is not about one
}

// Why a use is refused that the integration's own settings allow. Each is the cause of an *outbound.Error.
var (
	ErrPaused = errors.New("what goes out is paused")
	ErrLocked = errors.New("the workspace is locked")
	ErrGone   = errors.New("the integration does not exist any more")
)

// use is one that is under way.
type use struct {
	workspace, integration store.ID
	cancel                 context.CancelFunc
	ended                  chan struct{}
}

// With opens the credential for one use and wipes it after. The integration as it is now decides, not as it was found: its grants,
// pauses and locks are checked each time. f works under the context it is given, which ends when the workspace is locked, the integration deleted or the mount
// stopped. With's errors are *outbound.Error: of class Permission where the use is not allowed, of class Auth where the credential is
// missing or cannot be read, else what f answers.
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
	if err := s.may(e, u); err != nil {
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
		return u.unopened(fmt.Sprintf("its stored entry cred/%s is damaged or was moved here, or the record %s was; restore them from a snapshot of Vault's storage", e.record.ID, e.stored()))
	case fault.Is(err, fault.Locked):
		return u.refuse(outbound.Permission, ErrLocked, "the workspace is locked; unlock it first")
	case err != nil:
		return u.refuse(outbound.Internal, err, "the workspace's keys could not be used; the health of the mount says more, see info")
	}
	defer opened.Wipe()
	err = f(ctx, s.Providers.Provider(e.provider()), &provider.Session{
		Settings: maps.Clone(e.settings), Auth: e.record.Auth, Credential: opened, HTTP: client,
	})
	s.note(e, err)
	return err
}

// may decides whether a use is allowed.
func (s *Service) may(e *entry, u Use) error {
	condition, exists := s.Tree.Condition(e.Workspace)
	switch {
	case !exists:
		return u.refuse(outbound.NotFound, ErrGone, "its workspace was deleted")
	case condition.Locked:
		return u.refuse(outbound.Permission, ErrLocked, "the workspace is locked; unlock it first")
	case s.Settings.Config().Paused:
		return u.refuse(outbound.Permission, ErrPaused, "everything that goes out is paused; config paused=false ends that")
	case condition.Paused:
		return u.refuse(outbound.Permission, ErrPaused, "what goes out of this workspace is paused; paused=false of the workspace ends that")
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

// begin registers a use before it is decided upon: what forbids it from now on finds it and ends it.
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

// interrupt ends the uses that are meant, and answers them.
func (s *Service) interrupt(meant func(*use) bool) []*use {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ended := slices.DeleteFunc(slices.Collect(maps.Keys(s.uses)), func(u *use) bool { return !meant(u) })
	for _, u := range ended {
		u.cancel()
	}
	return ended
}

// Interrupt ends the uses of a workspace's credentials that are under way, and waits for them as long as ctx allows.
func (s *Service) Interrupt(ctx context.Context, ws store.ID) {
	for _, u := range s.interrupt(func(u *use) bool { return u.workspace == ws }) {
		select {
		case <-u.ended:
		case <-ctx.Done():
			return
		}
	}
}

// Stop ends all uses and closes all connections.
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
