package integrations

import (
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/globs"
)

// matchAll is the pattern that matches every name. It must be given explicitly: an empty grant
// allows nothing.
const matchAll = "*"

// Allows reports whether a name matches one of the patterns of a grant. The pattern `*` matches
// every name. In any other pattern, a `*` does not match a slash.
func Allows(patterns []string, name string) bool {
	return slices.Contains(patterns, matchAll) || globs.Compile(patterns).Match(name)
}

// checkGrant checks the patterns of a grant. want describes a valid pattern, for the error. Each
// pattern except matchAll must have the given number of slashes; -1 allows any number.
func checkGrant(field, want string, slashes int, patterns []string) error {
	if err := globs.Check(field, want, patterns); err != nil {
		return err
	}
	for _, pattern := range patterns {
		wrongDepth := slashes >= 0 && pattern != matchAll && strings.Count(pattern, "/") != slashes
		if pattern == "" || wrongDepth {
			return fault.New(fault.Invalid, "%s: each pattern must be %s", field, want)
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
