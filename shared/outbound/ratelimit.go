package outbound

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Dialect is the form in which a service reports its rate limits.
type Dialect string

// The dialects.
const (
	NoDialect Dialect = "" // only Retry-After, which every dialect includes
	// XRateLimit is X-RateLimit-Remaining and -Reset. The latter is a Unix time (GitHub, Vercel) or
	// a number of seconds from now (HCP Terraform).
	XRateLimit Dialect = "x-ratelimit"
	// RateLimitDraft is RateLimit-Remaining and -Reset of an IETF draft, the latter in seconds from
	// now: GitLab, Heroku.
	RateLimitDraft Dialect = "ratelimit"
)

// longestWait is the maximum wait that a service can ask for. After it, the request is sent again.
const longestWait = 24 * time.Hour

// rateLimits holds the rate limits that a response reports.
type rateLimits struct {
	retryAfter time.Duration // 0 if not reported
	known      bool          // remaining and reset are set
	remaining  int
	reset      time.Duration // from now
}

// read returns the rate limits in a response header.
func (d Dialect) read(header http.Header, now time.Time) rateLimits {
	var r rateLimits
	remoteNow := partyTime(header, now)
	r.retryAfter, _ = parseRetryAfter(header.Get("Retry-After"), remoteNow)
	prefix := map[Dialect]string{XRateLimit: "X-Ratelimit-", RateLimitDraft: "Ratelimit-"}[d]
	if prefix == "" {
		return r
	}
	remaining, ok := parseCount(header.Get(prefix + "Remaining"))
	reset, ok2 := parseReset(header.Get(prefix+"Reset"), remoteNow)
	if ok && ok2 {
		r.known, r.remaining, r.reset = true, remaining, reset
	}
	return r
}

// partyTime returns the time of the service's clock. Times in the header are compared with it.
func partyTime(header http.Header, now time.Time) time.Time {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		return date
	}
	return now
}

// parseRetryAfter parses a Retry-After header: seconds or a date (RFC 9110, section 10.2.3).
func parseRetryAfter(text string, now time.Time) (wait time.Duration, ok bool) {
	text = strings.TrimSpace(text)
	if wait, ok := parseSeconds(text); ok {
		return wait, true
	}
	date, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	return bounded(date.Sub(now)), true
}

// A number of at least epoch is a Unix time in seconds, and of at least milli a Unix time in
// milliseconds. A smaller number is a duration in seconds. epoch is a time in 2001, or a duration
// of 31 years.
const (
	epoch = 1_000_000_000
	milli = 1_000_000_000_000
)

// parseReset parses the end of a rate limit window: seconds from now, or seconds or milliseconds
// since 1970.
func parseReset(text string, now time.Time) (wait time.Duration, ok bool) {
	text = strings.TrimSpace(text)
	whole, _, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	switch {
	case err != nil || n < epoch:
		return parseSeconds(text)
	case n >= milli:
		return bounded(time.UnixMilli(n).Sub(now)), true
	}
	return bounded(time.Unix(n, 0).Sub(now)), true
}

// parseSeconds parses a number of seconds and rounds a fraction up.
func parseSeconds(text string) (wait time.Duration, ok bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	if !isDigits(whole) || fraction != "" && !isDigits(fraction) {
		return 0, false
	}
	seconds, err := strconv.ParseInt(whole, 10, 32)
	if err != nil {
		return longestWait, true
	}
	if strings.Trim(fraction, "0") != "" {
		seconds++
	}
	return bounded(time.Duration(seconds) * time.Second), true
}

// parseCount parses the number of requests left. A number that is too large becomes the largest
// int32.
func parseCount(text string) (n int, ok bool) {
	text, _, _ = strings.Cut(strings.TrimSpace(text), ";")
	if !isDigits(text) {
		return 0, false
	}
	parsed, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 1<<31 - 1, true
	}
	return int(parsed), true
}

func isDigits(text string) bool {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return text != ""
}

func bounded(wait time.Duration) time.Duration { return max(0, min(wait, longestWait)) }
