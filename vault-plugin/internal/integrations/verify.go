package integrations

import (
	"context"
	"strings"
	"time"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// VerifyWithin bounds the total time of a verification, because Vault cannot be sealed while it
// runs.
const VerifyWithin = 9 * time.Second

// expiresSoon is the remaining validity below which a verification reports that a credential
// expires soon.
const expiresSoon = 14 * 24 * time.Hour

// Verification is the result of a verified credential: its owner, as reported by the provider and
// made fit to be shown, and what the credential lacks.
type Verification struct {
	Described
	Identity provider.Identity
	Lacks    []string // one sentence for each thing that is missing
}

// Verify asks the provider for the owner of a credential. It checks what the credential lacks, for
// any use and for the syncs that use it. Its errors are those of Find and of With.
func (s *Service) Verify(ctx context.Context, call caller.Request, at Path) (Verification, error) {
	found, err := s.Find(call, at)
	if err != nil {
		return Verification{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer s.Clock.AfterFunc(VerifyWithin, func() { cancel(context.DeadlineExceeded) })()
	var identity provider.Identity
	err = s.With(ctx, Use{Integration: found}, func(ctx context.Context, p provider.Provider, session *provider.Session) error {
		reported, err := p.Verify(ctx, session)
		identity = reported.Shown(session.Credential)
		return err
	})
	if err != nil {
		return Verification{}, err
	}
	s.setExpires(found, identity.Expires)
	after, err := s.Read(call, at)
	if err != nil {
		return Verification{}, err
	}
	return Verification{after, identity, append(s.lacks(after, identity), s.lacksFor(ctx, found)...)}, nil
}

// setExpires keeps the time when a credential expires, as reported by the provider. It does nothing
// if another credential was supplied meanwhile.
func (s *Service) setExpires(i Integration, expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.records.ByID(i.ID)
	if e == nil || e.record.Credential.Generation != i.Record.Credential.Generation || e.record.Credential.Expires.Equal(expires) {
		return
	}
	n := s.usage[i.ID]
	n.expires = &expires
	s.usage[i.ID] = n
}

// unknownProvider returns the error for a provider that does not exist. The error lists the
// existing providers.
func (s *Service) unknownProvider(name string) error {
	names := strings.Join(s.Providers.Names(), ", ")
	if names == "" {
		names = "none in this version"
	}
	return fault.New(fault.NotFound, "provider %q does not exist; the providers are: %s", name, names)
}
