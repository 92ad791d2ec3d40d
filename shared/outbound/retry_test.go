package outbound

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func protocols() map[string]func(*httptest.Server) {
	return map[string]func(*httptest.Server){"HTTP/1": onlyHTTP1, "HTTP/2": withHTTP2}
}

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, hostile)
	}
}

func TestStatusesHaveClasses(t *testing.T) {
	for _, c := range []struct {
		status  int
		headers []string
		class   Class
		after   time.Duration
	}{
		{300, nil, Provider, 0}, {301, nil, Provider, 0}, {304, nil, Provider, 0}, {308, nil, Provider, 0},
		{400, nil, Invalid, 0}, {401, nil, Auth, 0}, {402, nil, Limit, 0}, {403, nil, Permission, 0}, {404, nil, NotFound, 0}, {405, nil, Invalid, 0},
		{408, nil, Provider, 0}, {409, nil, Conflict, 0}, {410, nil, NotFound, 0}, {412, nil, Conflict, 0}, {413, nil, Invalid, 0},
		{418, nil, Invalid, 0}, {422, nil, Invalid, 0}, {423, nil, Conflict, 0}, {425, nil, Provider, 0}, {451, nil, Permission, 0},
		{429, nil, RateLimited, 0}, {429, []string{"Retry-After", "120"}, RateLimited, 2 * time.Minute},
		{429, []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "90"}, RateLimited, 90 * time.Second},
		{429, []string{"Retry-After", "30", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "90"}, RateLimited, 90 * time.Second},
		{429, []string{"Retry-After", "soon"}, RateLimited, 0},
		{403, []string{"Retry-After", "60"}, RateLimited, time.Minute},
		{403, []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "90"}, RateLimited, 90 * time.Second},
		{403, []string{"X-RateLimit-Remaining", "9", "X-RateLimit-Reset", "90"}, Permission, 0},
		{500, nil, Provider, 0}, {502, nil, Provider, 0}, {503, []string{"Retry-After", "60"}, Provider, time.Minute}, {507, nil, Limit, 0}, {599, nil, Provider, 0},
	} {
		f := overTLS(t, status(c.status, c.headers...))
		f.party.Dialect = XRateLimit
		_, err := f.client(t).Do(t.Context(), f.get())
		known := failedAs(t, strconv.Itoa(c.status), err, c.class)
		if known.Status != c.status || known.RetryAfter != c.after {
			t.Errorf("%d %q: status %d, RetryAfter %s, want %s", c.status, c.headers, known.Status, known.RetryAfter, c.after)
		}
		leaksNothing(t, err, hostile)
	}
}

func TestRulesOfThePartyTakePrecedence(t *testing.T) {
	f := overTLS(t, status(422, "X-Reason", "quota"))
	f.party.Classify = func(r *Response) (Class, string, bool) {
		if r.Header.Get("X-Reason") == "quota" && string(r.Body) == hostile {
			return Limit, "its own hint", true
		}
		return "", "", false
	}
	_, err := f.client(t).Do(t.Context(), f.get())
	if known := failedAs(t, "its own rule", err, Limit); known.Hint != "its own hint" {
		t.Errorf("the hint is %q", known.Hint)
	}
}

func TestNumberOfAttempts(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		safe    bool
		want    int32
	}{
		{"502, safe", status(502), true, attempts},
		{"503, safe", status(503), true, attempts},
		{"504, safe", status(504), true, attempts},
		{"a closed connection, safe", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, attempts},
		{"429 with a short wait, safe", status(429, "Retry-After", "2"), true, attempts},
		{"429 with a long wait, safe", status(429, "Retry-After", "60"), true, 1},
		{"429 without a wait, safe", status(429), true, 1},
		{"503 with a long wait, safe", status(503, "Retry-After", "60"), true, 1},
		{"500, safe", status(500), true, 1},
		{"401, safe", status(401), true, 1},
		{"404, safe", status(404), true, 1},
		{"a redirect, safe", status(302, "Location", "/"), true, 1},
		{"502, not safe", status(502), false, 1},
		{"503, not safe", status(503), false, 1},
		{"429 with a short wait, not safe", status(429, "Retry-After", "2"), false, 1},
		{"a closed connection, not safe", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, 1},
	} {
		for protocol, change := range protocols() {
			var requests atomic.Int32
			f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				if body, _ := io.ReadAll(r.Body); string(body) != "the body" {
					t.Errorf("%s: the body is %q", c.name, body)
				}
				c.handler(w, r)
			}, true, change)
			r := Request{Operation: "change", Method: http.MethodPost, URL: f.server.URL, Body: []byte("the body"), Safe: c.safe, Write: true}
			if _, err := f.client(t).Do(t.Context(), r); err == nil {
				t.Errorf("%s: no error", c.name)
			}
			if got := requests.Load(); got != c.want {
				t.Errorf("%s over %s: %d requests, want %d", c.name, protocol, got, c.want)
			}
		}
	}
}

func TestATemporaryFailureIsRepeated(t *testing.T) {
	var requests atomic.Int32
	f := overTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) < attempts {
			status(503)(w, r)
			return
		}
		fine(w, r)
	})
	if _, err := f.client(t).Do(t.Context(), f.get()); err != nil {
		t.Error(err)
	}
}

// The wait that a service asks for applies to all later requests.
func TestAWaitAppliesToLaterRequests(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		change  func(*Party)
	}{
		"a header": {status(429, "Retry-After", "3600"), func(*Party) {}},
		"the body": {status(429), func(p *Party) {
			p.Wait = func(r *Response, _ time.Time) time.Duration {
				if !strings.Contains(string(r.Body), hostile) {
					return 0
				}
				return time.Hour
			}
		}},
		"nothing, and a pause declared": {status(429), func(p *Party) { p.Pause = time.Hour }},
	} {
		var requests atomic.Int32
		f := overTLS(t, func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			c.handler(w, r)
		})
		c.change(&f.party)
		client := f.client(t)
		for range 3 {
			_, err := client.Do(t.Context(), f.get())
			known := failedAs(t, name, err, RateLimited)
			if known.RetryAfter < 59*time.Minute || known.RetryAfter > time.Hour {
				t.Errorf("%s: RetryAfter is %s", name, known.RetryAfter)
			}
		}
		if got := requests.Load(); got != 1 {
			t.Errorf("%s: %d requests, want 1", name, got)
		}
	}
}

func TestAReportedLimitIsNotExceeded(t *testing.T) {
	left := 3
	f := overTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if left == 0 {
			t.Error("a request was sent although none is left")
		}
		left--
		w.Header().Set("RateLimit-Remaining", strconv.Itoa(left))
		w.Header().Set("RateLimit-Reset", "600")
		fine(w, r)
	})
	f.party.Dialect = RateLimitDraft
	client := f.client(t)
	for range 3 {
		if _, err := client.Do(t.Context(), f.get()); err != nil {
			t.Fatal(err)
		}
	}
	_, err := client.Do(t.Context(), f.get())
	if known := failedAs(t, "the fourth", err, RateLimited); known.RetryAfter < 9*time.Minute {
		t.Errorf("RetryAfter is %s", known.RetryAfter)
	}
}
