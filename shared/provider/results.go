package provider

import (
	"errors"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

// FailedWith returns the result of a change that ended with err: Unknown if err is an
// *outbound.Error that says so, otherwise Failed. err must not be nil.
func FailedWith(err error) Result {
	var known *outbound.Error
	if errors.As(err, &known) && known.Unknown {
		return Result{Outcome: Unknown, Err: err}
	}
	return Result{Outcome: Failed, Err: err}
}

// SkipRest marks every result that has no outcome yet as Skipped because of err. It changes
// results in place and returns them.
func SkipRest(results []Result, err error) []Result {
	for i := range results {
		if results[i].Outcome == "" {
			results[i] = Result{Outcome: Skipped, Err: err}
		}
	}
	return results
}

// EndsBatch reports whether an error of the given class would repeat for every further change of
// the same Apply. An error that concerns only one change does not end the batch. Permission and
// NotFound count as such errors, because some services decide them for each entry. EndsBatch
// returns false for "", the class of no error.
func EndsBatch(class outbound.Class) bool {
	switch class {
	case "", outbound.Permission, outbound.NotFound, outbound.Invalid, outbound.Limit, outbound.Conflict:
		return false
	default:
		return true
	}
}
