package github

import (
	"regexp"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

// Of docs.github.com/en/actions/reference/security/secrets, "Naming your secrets" and "Limits for secrets", read 2026-11.
const (
	// maxSecrets is how many secrets one repository holds, and one environment.
	maxSecrets = 100

	// maxValue is in bytes, of the value before it is sealed: "Secrets are limited to 48 KB in size".
	maxValue = 48 << 10

	// reserved is how no name may begin, in any case.
	reserved = "GITHUB_"

	nameRule = "letters, digits and '_', not beginning with a digit"
)

// legalName is the rule for a name in the form in which GitHub stores it, upper case.
var legalName = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

// fold is how GitHub compares names. It changes ASCII alone: letters of other alphabets whose upper case is ASCII would slip through
// the rule for names, and become those of another secret.
func fold(name string) string {
	folded := []byte(name)
	for i, c := range folded {
		if 'a' <= c && c <= 'z' {
			folded[i] = c - ('a' - 'A')
		}
	}
	return string(folded)
}

// Of docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api, "About secondary rate limits", and of the best practices
// beside it, read 2026-11. They hold for a token, whatever it writes to. The primary limit, 5,000 requests an hour, is told by headers.
func budgets() []outbound.Budget {
	return []outbound.Budget{
		// "no more than 80 content-generating requests per minute", and "wait at least one second between each request" of many.
		{Requests: 80, Per: time.Minute, Writes: true, Spacing: time.Second},
		// "and no more than 500 content-generating requests per hour".
		{Requests: 500, Per: time.Hour, Writes: true},
	}
}

const (
	// pause is for refusals by a secondary limit that do not say how long to wait: "wait for at least one minute before retrying", then
	// for "an exponentially increasing amount of time".
	pause = time.Minute

	// concurrency is requests at once: "make requests serially instead of concurrently".
	concurrency = 1

	// pageSize is the largest that GitHub answers.
	pageSize = 100

	// maxPages bounds what a list may go on for; a place holds one page, so more than a few is nonsense. It is ours.
	maxPages = 20

	// batch bounds what a crash leaves in doubt. It is ours; GitHub takes one secret a request.
	batch = 20

	// maxBody is in bytes. A page of names takes some 16 KiB, an account 4 KiB. It is ours.
	maxBody = 1 << 20

	// maxKeyID is in bytes; GitHub's have 18 digits. It is ours.
	maxKeyID = 128
)
