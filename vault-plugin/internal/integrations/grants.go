package integrations

import (
	globs "path"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// Limits of a grant.
const (
	MaxGrants  = 256
	maxPattern = 512 // bytes
)

// matchAll is the pattern that matches every name. It must be given explicitly: an empty grant
// allows nothing.
const matchAll = "*"

// Allows reports whether a name matches one of the patterns of a grant. The pattern `*` matches
// every name. In any other pattern, a `*` does not match a slash.
func Allows(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		matched, _ := globs.Match(pattern, name)
		return matched || pattern == matchAll
	})
}

// checkGrant checks the patterns of a grant. want describes a valid pattern, for the error. Each
// pattern except matchAll must have the given number of slashes; -1 allows any number.
func checkGrant(field, want string, slashes int, patterns []string) error {
	if len(patterns) > MaxGrants {
		return fault.New(fault.Limit, "%s: has %d patterns; at most %d are allowed", field, len(patterns), MaxGrants)
	}
	for _, pattern := range patterns {
		_, err := globs.Match(pattern, "")
		wrongDepth := slashes >= 0 && pattern != matchAll && strings.Count(pattern, "/") != slashes
		if err != nil || pattern == "" || len(pattern) > maxPattern || wrongDepth {
			return fault.New(fault.Invalid, "%s: each pattern must be %s, and have at most %d bytes", field, want, maxPattern)
		}
	}
	return nil
}

func checkGrants(environments, targets []string) error {
	if err := checkGrant("allowed_environments", "project/environment, such as api/staging or web/*, or a single * for all environments", 1, environments); err != nil {
		return err
	}
	return checkGrant("allowed_targets", "the path of a target, such as acme/* (a * does not match a slash), or a single * for all targets", -1, targets)
}
