package outbound

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Dialect is how a party tells of its rate limits.
type Dialect string

// The dialects.
const (
	NoDialect      Dialect = ""            // Retry-After alone, as everywhere
	XRateLimit     Dialect = "x-ratelimit" // X-RateLimit-Remaining and -Reset, in seconds since 1970 (GitHub, Vercel) or from now (HCP Terraform)
	RateLimitDraft Dialect = "ratelimit"   // RateLimit-Remaining and -Reset in seconds from now (IETF draft): GitLab, Heroku
)

// longestWait bounds what a party may ask for: one that asks for more is asked again after a day.
const longestWait = 24 * time.Hour

// heard is what an answer tells about the party's rate limits.
type heard struct {
	retryAfter time.Duration // 0 where it does not say
	told       bool          // remaining and reset are told
	remaining  int
	reset      time.Duration // from now
}

// listen reads an answer's header.
func (d Dialect) listen(header http.Header, now time.Time) heard {
	var h heard
	there := partyTime(header, now)
	h.retryAfter, _ = parseRetryAfter(header.Get("Retry-After"), there)
	prefix := map[Dialect]string{XRateLimit: "X-Ratelimit-", RateLimitDraft: "Ratelimit-"}[d]
	if prefix == "" {
		return h
	}
	remaining, ok := parseCount(header.Get(prefix + "Remaining"))
	reset, ok2 := parseReset(header.Get(prefix+"Reset"), there)
	if ok && ok2 {
		h.told, h.remaining, h.reset = true, remaining, reset
	}
	return h
}

// partyTime is the time by the party's clock, which its dates are to be held against.
func partyTime(header http.Header, now time.Time) time.Time {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		return date
	}
	return now
}

// parseRetryAfter reads a Retry-After of RFC 9110, 10.2.3: seconds or a date.
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

// epoch is where a number of seconds is taken for a moment and no longer for a span of time, and milli where one of milliseconds is.
// The first is in 2001, and 31 years long.
const (
	epoch = 1_000_000_000
	milli = 1_000_000_000_000
)

// parseReset reads when a window of a rate limit ends: seconds from now, or seconds or milliseconds since 1970.
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

// parseSeconds reads a number of seconds, with a fraction or without. A fraction is rounded up.
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

// parseCount reads how many requests are left; of more than fit, the most that do.
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
