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

// maxLooked bounds the syncs whose places a verification looks at, and by that the requests it makes.
const maxLooked = 20

// lacks says what an integration lacks for any use.
func (s *Service) lacks(d Described, who provider.Identity) []string {
	var lacks []string
	if len(d.Record.AllowedEnvironments) == 0 {
		lacks = append(lacks, "allowed_environments is empty: no environment may be synced with it")
	}
	if len(d.Record.AllowedTargets) == 0 {
		lacks = append(lacks, "allowed_targets is empty: nothing may be written with it")
	}
	if left := who.Expires.Sub(s.now()); !who.Expires.IsZero() && left < expiresSoon {
		lacks = append(lacks, "the credential expires soon: supply its successor before "+who.Expires.UTC().Format(time.RFC3339))
	}
	return lacks
}

// lacksFor says what an integration lacks for the syncs that use it. It looks at their places, and changes nothing there.
func (s *Service) lacksFor(ctx context.Context, of Integration) []string {
	var lacks []string
	users := s.dependentsOf(of.ID)
	for i, user := range users {
		if i == maxLooked {
			return append(lacks, fmt.Sprintf("%d more syncs were not looked at", len(users)-i))
		}
		if user.Place.Destination == "" {
			continue
		}
		some, err := s.lacksOf(ctx, of, user)
		for _, phrase := range some {
			lacks = append(lacks, "for sync "+user.Name+" it lacks "+phrase)
		}
		switch {
		case err == nil:
		case isLack(err):
			lacks = append(lacks, "sync "+user.Name+" cannot be kept with it: "+hintOf(err))
		default:
			return append(lacks, fmt.Sprintf("sync %s and those behind it, %d in all, were not looked at: %s", user.Name, len(users)-i, hintOf(err)))
		}
	}
	return lacks
}

// lacksOf asks the provider about one place. What is lacking there is no failure of the credential, and is not noted as one.
func (s *Service) lacksOf(ctx context.Context, of Integration, user Dependent) (lacks []string, err error) {
	use := Use{Integration: of, Environment: user.Environment, Target: user.Target}
	failed := s.With(ctx, use, func(ctx context.Context, p provider.Provider, session *provider.Session) error {
		declared, _, _ := s.Providers.Destination(user.Place.Destination)
		if checker, able := p.(provider.Checker); able && declared.Checks {
			lacks, err = checker.Lacks(ctx, session, user.Place, user.Entry)
		} else {
			_, err = p.List(ctx, session, user.Place)
		}
		if isLack(err) {
			return nil
		}
		return err
	})
	return lacks, cmp.Or(failed, err)
}

// isLack tells what a place, or the right to it, is short of from what keeps anybody from asking.
func isLack(err error) bool {
	switch outbound.ClassOf(err) {
	case outbound.Permission, outbound.NotFound, outbound.Invalid:
		return true
	}
	return false
}

// hintOf is what can be told of an error, which is the engine's own words.
func hintOf(err error) string {
	var known *outbound.Error
	if !errors.As(err, &known) || known.Hint == "" {
		return "the failure is of class " + string(outbound.ClassOf(err))
	}
	return known.Hint
}
