package outbound

import (
	"net/http"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func TestRetryAfterIsRead(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0":                                0,
		"60":                               time.Minute,
		" 60 ":                             time.Minute,
		"1.2":                              2 * time.Second,
		"Sat, 28 Nov 2026 12:00:30 GMT":    30 * time.Second,
		"Saturday, 28-Nov-26 12:00:30 GMT": 30 * time.Second,
		"Sat Nov 28 12:00:30 2026":         30 * time.Second,
		"Sat, 28 Nov 2026 11:00:00 GMT":    0,
		"Sat, 28 Nov 2099 12:00:00 GMT":    longestWait,
		"99999999999999999999999":          longestWait,
	} {
		if got, ok := parseRetryAfter(text, noon); !ok || got != want {
			t.Errorf("%q: %s, %v; want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-1", "+1", "soon", "1m", "0x10", "1e3", "1.", "1.x", "2026-11-28T12:00:30Z", "１"} {
		if got, ok := parseRetryAfter(text, noon); ok && text != "1." {
			t.Errorf("%q is parsed as %s", text, got)
		}
	}
}

func TestResetsAreRead(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30":            30 * time.Second,
		"0.4":           time.Second,
		"1795867230":    30 * time.Second,
		"1795867230.75": 30 * time.Second,
		"1795867230000": 30 * time.Second,
		"1700000000":    0,
		"4102444800":    longestWait,
	} {
		if got, ok := parseReset(text, noon); !ok || got != want {
			t.Errorf("%q: %s, %v; want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-5", "soon", "2026-11-28"} {
		if got, ok := parseReset(text, noon); ok {
			t.Errorf("%q is parsed as %s", text, got)
		}
	}
}

func TestDialectsAreRead(t *testing.T) {
	for _, c := range []struct {
		name    string
		dialect Dialect
		header  http.Header
		want    rateLimits
	}{
		{"nothing", XRateLimit, http.Header{}, rateLimits{}},
		{"no dialect", NoDialect, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"30"}, "Retry-After": {"5"}}, rateLimits{retryAfter: 5 * time.Second}},
		{"GitHub", XRateLimit, http.Header{"X-Ratelimit-Remaining": {"7"}, "X-Ratelimit-Reset": {"1795867230"}}, rateLimits{known: true, remaining: 7, reset: 30 * time.Second}},
		{"a party whose clock is an hour ahead", XRateLimit, http.Header{
			"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"1795870830"}, "Date": {"Sat, 28 Nov 2026 13:00:00 GMT"},
		}, rateLimits{known: true, reset: 30 * time.Second}},
		{"the draft", RateLimitDraft, http.Header{"Ratelimit-Remaining": {"7;w=60"}, "Ratelimit-Reset": {"30"}}, rateLimits{known: true, remaining: 7, reset: 30 * time.Second}},
		{"a reset alone", RateLimitDraft, http.Header{"Ratelimit-Reset": {"30"}}, rateLimits{}},
		{"remaining alone, as Heroku", RateLimitDraft, http.Header{"Ratelimit-Remaining": {"0"}}, rateLimits{}},
		{"nonsense", XRateLimit, http.Header{"X-Ratelimit-Remaining": {"many"}, "X-Ratelimit-Reset": {"later"}, "Retry-After": {"please"}}, rateLimits{}},
	} {
		if got := c.dialect.read(c.header, noon); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestBackoffGrowsAndIsRandom(t *testing.T) {
	for n, most := range map[int]time.Duration{1: 500 * time.Millisecond, 2: time.Second, 3: 2 * time.Second, 5: 8 * time.Second, 100: 8 * time.Second, 5000: 8 * time.Second} {
		if got := backoff(n, 0); got != 0 {
			t.Errorf("the minimum after %d attempts is %s, want 0", n, got)
		}
		if got := backoff(n, 0.5); got != most/2 {
			t.Errorf("the mean after %d attempts is %s, want %s", n, got, most/2)
		}
	}
}

func TestOnlySafeRequestsAreRepeatedAfterTemporaryFailures(t *testing.T) {
	for _, c := range []struct {
		name    string
		n       int
		safe    bool
		failed  failure
		want    bool
		atLeast time.Duration
	}{
		{"safe, temporary", 1, true, failure{&Error{}, true}, true, 0},
		{"not safe", 1, false, failure{&Error{}, true}, false, 0},
		{"not temporary", 1, true, failure{&Error{}, false}, false, 0},
		{"the last attempt", attempts, true, failure{&Error{}, true}, false, 0},
		{"a short wait asked for", 1, true, failure{&Error{RetryAfter: 5 * time.Second}, true}, true, 5 * time.Second},
		{"a long wait asked for", 1, true, failure{&Error{RetryAfter: time.Minute}, true}, false, 0},
	} {
		wait, again := repetition(c.n, c.safe, &c.failed, 0.5)
		if again != c.want || wait < c.atLeast {
			t.Errorf("%s: repeated: %t, after %s", c.name, again, wait)
		}
	}
}

func FuzzLimitHeaders(f *testing.F) {
	for _, seed := range []string{"60", "1795867230", "1795867230000", "0.4", "Sat, 28 Nov 2026 12:00:30 GMT", "-1", "9223372036854775807", "99999999999999999999"} {
		f.Add(seed, seed, seed, seed)
	}
	f.Fuzz(func(t *testing.T, retryAfter, remaining, reset, date string) {
		for _, d := range []Dialect{NoDialect, XRateLimit, RateLimitDraft} {
			r := d.read(http.Header{
				"Retry-After": {retryAfter}, "Date": {date},
				"X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset},
				"Ratelimit-Remaining": {remaining}, "Ratelimit-Reset": {reset},
			}, noon)
			if r.retryAfter < 0 || r.retryAfter > longestWait || r.reset < 0 || r.reset > longestWait || r.remaining < 0 {
				t.Fatalf("%s: %+v", d, r)
			}
		}
	})
}
