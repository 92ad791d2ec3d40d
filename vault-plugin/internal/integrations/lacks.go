package integrations

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// maxChecked bounds the syncs that a verification checks, and so the requests that it makes.
const maxChecked = 20

// lacks returns a sentence for each thing that an integration lacks for any use.
func (s *Service) lacks(d Described, identity provider.Identity) []string {
	var lacks []string
	if len(d.Record.AllowedEnvironments) == 0 {
		lacks = append(lacks, "allowed_environments is empty: no environment can be synced with the integration")
	}
	if len(d.Record.AllowedTargets) == 0 {
		lacks = append(lacks, "allowed_targets is empty: no target can be written with the integration")
	}
	if remaining := identity.Expires.Sub(s.now()); !identity.Expires.IsZero() && remaining < expiresSoon {
		lacks = append(lacks, "the credential expires soon: supply a new credential before "+identity.Expires.UTC().Format(time.RFC3339))
	}
	return lacks
}

// lacksFor returns a sentence for each thing that an integration lacks for the syncs that use it.
// It reads the targets of these syncs, and changes nothing there.
func (s *Service) lacksFor(ctx context.Context, i Integration) []string {
	var lacks []string
	syncs := s.dependentsOf(i.ID)
	for n, sync := range syncs {
		if n == maxChecked {
			return append(lacks, fmt.Sprintf("%d more syncs were not checked", len(syncs)-n))
		}
		if sync.Place.Destination == "" {
			continue
		}
		found, err := s.lacksOf(ctx, i, sync)
		for _, phrase := range found {
			lacks = append(lacks, "for sync "+sync.Name+" the credential lacks "+phrase)
		}
		switch {
		case err == nil:
		case isLack(err):
			lacks = append(lacks, "sync "+sync.Name+" cannot run with this integration: "+hintOf(err))
		default:
			return append(lacks, fmt.Sprintf("sync %s and the syncs after it, %d in total, were not checked: %s", sync.Name, len(syncs)-n, hintOf(err)))
		}
	}
	return lacks
}

// lacksOf asks the provider what the credential lacks for one sync. A lack is not recorded as a
// failed use of the credential.
func (s *Service) lacksOf(ctx context.Context, i Integration, sync Dependent) (lacks []string, err error) {
	use := Use{Integration: i, Environment: sync.Environment, Target: sync.Target}
	failed := s.With(ctx, use, func(ctx context.Context, p provider.Provider, session *provider.Session) error {
		declared, _, _ := s.Providers.Destination(sync.Place.Destination)
		if checker, ok := p.(provider.Checker); ok && declared.Checks {
			lacks, err = checker.Lacks(ctx, session, sync.Place, sync.Entry)
		} else {
			_, err = p.List(ctx, session, sync.Place)
		}
		if isLack(err) {
			return nil
		}
		return err
	})
	return lacks, cmp.Or(failed, err)
}

// isLack reports whether an error shows a problem of the target or of the right to use it. Any
// other error would prevent the check of every further sync too.
func isLack(err error) bool {
	switch outbound.ClassOf(err) {
	case outbound.Permission, outbound.NotFound, outbound.Invalid:
		return true
	}
	return false
}

// hintOf returns the hint of an error. It contains only the engine's own words, never a part of a
// response.
func hintOf(err error) string {
	var known *outbound.Error
	if !errors.As(err, &known) || known.Hint == "" {
		return "the request failed with an error of class " + string(outbound.ClassOf(err))
	}
	return known.Hint
}
