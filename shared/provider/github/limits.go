package github

import (
	"regexp"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

// Source: docs.github.com/en/actions/reference/security/secrets, "Naming your secrets" and "Limits
// for secrets", read 2026-11.
const (
	// maxSecrets is the maximum number of secrets of one repository, and of one environment.
	maxSecrets = 100

	// maxValue is in bytes and applies to the value before it is sealed: "Secrets are limited to 48
	// KB in size".
	maxValue = 48 << 10

	// reserved is a prefix that a name must not have, in any case.
	reserved = "GITHUB_"

	nameRule = "letters, digits and '_', not beginning with a digit"
)

// legalName matches a valid name in upper case, which is the form that GitHub stores.
var legalName = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

// fold converts a name to the form in which GitHub compares names. It changes only ASCII letters:
// other letters whose upper case is ASCII would otherwise pass the rule for names and collide with
// another secret.
func fold(name string) string {
	folded := []byte(name)
	for i, c := range folded {
		if 'a' <= c && c <= 'z' {
			folded[i] = c - ('a' - 'A')
		}
	}
	return string(folded)
}

// Source: docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api, "About secondary
// rate limits", and the best practices on the next page, read 2026-11. The limits apply to a token,
// whatever it writes to. The primary limit of 5,000 requests per hour is reported in headers.
func budgets() []outbound.Budget {
	return []outbound.Budget{
		// "no more than 80 content-generating requests per minute", and "wait at least one second
		// between each request" of many.
		{Requests: 80, Per: time.Minute, Writes: true, Spacing: time.Second},
		// "and no more than 500 content-generating requests per hour".
		{Requests: 500, Per: time.Hour, Writes: true},
	}
}

const (
	// pause is the wait after a response of a secondary limit that names no wait: "wait for at
	// least one minute before retrying", then for "an exponentially increasing amount of time".
	pause = time.Minute

	// concurrency is the number of parallel requests: "make requests serially instead of
	// concurrently".
	concurrency = 1

	// pageSize is the maximum that GitHub accepts.
	pageSize = 100

	// maxPages limits the number of pages of a list. The secrets of a place fit in one page, so
	// more than a few pages are an error. This limit is our own.
	maxPages = 20

	// batch limits the number of changes whose outcome is unknown after a crash. This limit is our
	// own; GitHub accepts one secret per request.
	batch = 20

	// maxBody is in bytes. A page of names takes about 16 KiB, an account 4 KiB. This limit is our
	// own.
	maxBody = 1 << 20

	// maxKeyID is in bytes. GitHub's key ids have 18 digits. This limit is our own.
	maxKeyID = 128
)
