// Package githubtest provides a GitHub server for tests: repositories, environments and their
// GitHub Actions secrets, over TLS on loopback. It opens the values that are sealed for it, so
// tests can compare values. It enforces the rules that GitHub publishes: names, sizes, numbers,
// permissions, pages and rate limits.
//
// Requests and responses are validated against GitHub's own OpenAPI description, so a provider and
// its test server cannot share a mistake. A violation fails the test.
package githubtest

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options configure a Server. The comment of a field names its default, if any.
type Options struct {
	Now      func() time.Time // time.Now
	BasePath string           // prefix of every path: "/api/v3" for a GitHub Enterprise Server
	Lax      bool             // requests that violate the description do not fail the test

	// Before is called with each request before it is handled. It may use the server.
	Before func(r *http.Request)
}

// Server is a GitHub server. It is safe for concurrent use.
type Server struct {
	URL   string // of the API, including BasePath
	CAPEM string // certificate of the server

	t       testing.TB
	options Options
	spec    *description // nil if it is not available on this machine
	mux     *http.ServeMux

	mu       sync.Mutex
	repos    map[string]*repository // by full name in lower case
	grants   map[string]*grant      // by token
	refusal  *Refusal
	over     int      // writes that were rejected because of a secondary limit
	requests []string // method and path of each request
}

// New starts a server and stops it when the test ends.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{t: t, options: o, spec: load(t), repos: make(map[string]*repository), grants: make(map[string]*grant)}
	s.mux = s.routes()
	server := httptest.NewUnstartedServer(s)
	// Tests close connections on purpose, and the server would log each of them.
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true // as GitHub's server
	server.StartTLS()
	t.Cleanup(server.Close)
	s.URL = server.URL + o.BasePath
	s.CAPEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	return s
}

// Refusal is the response to every request, or to every request that changes something.
type Refusal struct {
	Status     int // 403 or 429
	Message    string
	Header     map[string]string // in addition to the usual headers: Retry-After
	WritesOnly bool
	Times      int // number of rejected requests; 0 for all
}

// Refuse makes the server respond with r from now on. With nil, it handles requests normally.
func (s *Server) Refuse(r *Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r != nil {
		copied := *r
		r = &copied
	}
	s.refusal = r
}

// Over returns the number of requests that violated a secondary limit.
func (s *Server) Over() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// Asked returns the method and the path of each request so far.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

// ServeHTTP handles one request and validates the request and its response against the description.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	response := httptest.NewRecorder()
	http.StripPrefix(s.options.BasePath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.options.Before != nil {
			s.options.Before(r)
		}
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.EscapedPath())
		s.handle(w, r)
		s.mu.Unlock()
		s.spec.check(s.t, s.options.Lax, s.mux, r, body, response)
	})).ServeHTTP(response, r)
	for name, values := range response.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(response.Code)
	_, _ = w.Write(response.Body.Bytes())
}

// handle checks the token, the headers and the rate limits, and then serves the path.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	// Clients compare the times in other headers with this one.
	h.Set("Date", s.now().Format(http.TimeFormat))
	h.Set("X-Github-Request-Id", requestID())
	h.Set("X-Github-Media-Type", "github.v3; format=json")
	h.Set("X-Github-Api-Version-Selected", "2022-11-28")
	g := s.authenticate(r)
	if g == nil {
		refuse(w, http.StatusUnauthorized, "Bad credentials")
		return
	}
	if r.Header.Get("User-Agent") == "" {
		refuse(w, http.StatusForbidden, "Request forbidden by administrative rules.")
		return
	}
	if v := r.Header.Get("X-Github-Api-Version"); v != "" && v != "2022-11-28" && v != "2026-03-10" {
		refuse(w, http.StatusBadRequest, "The API version is not supported.")
		return
	}
	g.describe(h)
	if !s.withinLimits(w, r, g) {
		return
	}
	if _, pattern := s.mux.Handler(r); pattern == "" {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	s.mux.ServeHTTP(w, r.WithContext(withGrant(r.Context(), g)))
}

// refuse sends an error in GitHub's form.
func refuse(w http.ResponseWriter, status int, message string) {
	about := "https://docs.github.com/rest"
	if strings.Contains(message, "secondary rate limit") {
		about += "/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
	}
	reply(w, status, map[string]string{"message": message, "documentation_url": about, "status": strconv.Itoa(status)})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// changes reports whether a request changes something.
func changes(r *http.Request) bool {
	return !strings.Contains("GET HEAD OPTIONS", r.Method)
}
