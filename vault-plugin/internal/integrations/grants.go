package integrations

import (
	globs "path"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// Bounds of what an integration may be used for.
const (
	MaxGrants  = 256
	maxPattern = 512 // bytes
)

// everything is the pattern that allows all; it has to be written out.
const everything = "*"

// Allows reports whether one of the patterns of a grant is met. A `*` within a pattern stops at a slash; alone it meets all.
func Allows(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		met, _ := globs.Match(pattern, name)
		return met || pattern == everything
	})
}

func checkGrant(field, want string, slashes int, patterns []string) error {
	if len(patterns) > MaxGrants {
		return fault.New(fault.Limit, "%s: has %d patterns; at most %d are kept", field, len(patterns), MaxGrants)
	}
	for _, pattern := range patterns {
		_, err := globs.Match(pattern, "")
		misshapen := slashes >= 0 && pattern != everything && strings.Count(pattern, "/") != slashes
		if err != nil || pattern == "" || len(pattern) > maxPattern || misshapen {
			return fault.New(fault.Invalid, "%s: must be %s", field, want)
		}
	}
	return nil
}

func checkGrants(environments, targets []string) error {
	if err := checkGrant("allowed_environments", "patterns project/environment, such as api/staging or web/*, or * alone for all", 1, environments); err != nil {
		return err
	}
	return checkGrant("allowed_targets", "patterns of the targets of syncs, such as acme/* (a * stops at a slash), or * alone for all", -1, targets)
}
