package integrations

import (
	"context"
	"strings"
	"time"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// VerifyWithin bounds how long a verification takes in all: while it waits, Vault cannot be sealed.
const VerifyWithin = 9 * time.Second

// expiresSoon is how long before its end a credential is said to lack time.
const expiresSoon = 14 * 24 * time.Hour

// Verification is what a provider tells of a credential, and what the credential may be used for.
type Verification struct {
	Described
	Identity provider.Identity
	Lacks    []string // a sentence each
}

// Verify asks the provider who a credential is. Its errors are those of Find and of With.
func (s *Service) Verify(ctx context.Context, call caller.Request, at Path) (Verification, error) {
	of, err := s.Find(call, at)
	if err != nil {
		return Verification{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer s.Clock.AfterFunc(VerifyWithin, func() { cancel(context.DeadlineExceeded) })()
	var who provider.Identity
	err = s.With(ctx, Use{Integration: of}, func(ctx context.Context, p provider.Provider, session *provider.Session) error {
		var err error
		who, err = p.Verify(ctx, session)
		return err
	})
	if err != nil {
		return Verification{}, err
	}
	s.expires(of, who.Expires)
	after, err := s.Read(call, at)
	if err != nil {
		return Verification{}, err
	}
	return Verification{after, who, append(s.lacks(after, who), s.lacksFor(ctx, of)...)}, nil
}

// expires keeps what the provider has told of the credential's end, unless another was supplied meanwhile.
func (s *Service) expires(of Integration, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.records.ByID(of.ID)
	if e == nil || e.record.Credential.Generation != of.Record.Credential.Generation || e.record.Credential.Expires.Equal(at) {
		return
	}
	n := s.usage[of.ID]
	n.expires = &at
	s.usage[of.ID] = n
}

// unknownProvider returns the error for a provider that does not exist, with the names of those
// that do.
func (s *Service) unknownProvider(name string) error {
	names := strings.Join(s.Providers.Names(), ", ")
	if names == "" {
		names = "none in this version"
	}
	return fault.New(fault.NotFound, "provider %q does not exist; the providers are: %s", name, names)
}
