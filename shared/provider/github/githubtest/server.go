// Package githubtest is a GitHub for tests: repositories, environments and their secrets for GitHub Actions, over TLS on loopback. It
// opens what is sealed for it, so that a test can compare values, and enforces the rules that GitHub publishes: names, sizes, numbers,
// permissions, pages and rate limits.
//
// Requests and answers are held against GitHub's own OpenAPI description, so that a provider and its test server are not right by
// agreeing with each other alone. What breaks it fails the test.
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

// Options make a server that is not the usual one.
type Options struct {
	Now      func() time.Time // time.Now
	BasePath string           // what stands before each path: "/api/v3" for a GitHub Enterprise Server
	Lax      bool             // requests that break the description are answered, and do not fail the test

	// Before is called with each request before anything is done about it. It may use the server.
	Before func(r *http.Request)
}

// Server is a GitHub. It is safe for concurrent use.
type Server struct {
	URL   string // of the API, BasePath included
	CAPEM string // that signs its certificate

	t       testing.TB
	options Options
	spec    *description // nil where there is none on this machine
	mux     *http.ServeMux

	mu      sync.Mutex
	repos   map[string]*repository // by full name in lower case
	grants  map[string]*grant      // by token
	refusal *Refusal
	over    int      // writes that were refused because they break a secondary limit
	asked   []string // method and path of each request
}

// New starts a server, and stops it with the test.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{t: t, options: o, spec: load(t), repos: make(map[string]*repository), grants: make(map[string]*grant)}
	s.mux = s.routes()
	server := httptest.NewUnstartedServer(s)
	// The noise of connections that clients end on purpose.
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true // as GitHub's has it
	server.StartTLS()
	t.Cleanup(server.Close)
	s.URL = server.URL + o.BasePath
	s.CAPEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	return s
}

// Refusal is how every request is refused, or every one that changes something.
type Refusal struct {
	Status     int // 403 or 429
	Message    string
	Header     map[string]string // beside those that each answer has: Retry-After
	WritesOnly bool
	Times      int // how many; 0 for all
}

// Refuse has requests refused from now on; nil for none.
func (s *Server) Refuse(r *Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r != nil {
		copied := *r
		r = &copied
	}
	s.refusal = r
}

// Over is how many requests broke a secondary limit.
func (s *Server) Over() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// Asked answers method and path of each request so far.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// ServeHTTP answers one request, and holds it and the answer against the description.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	http.StripPrefix(s.options.BasePath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.options.Before != nil {
			s.options.Before(r)
		}
		s.mu.Lock()
		s.asked = append(s.asked, r.Method+" "+r.URL.EscapedPath())
		s.answer(w, r)
		s.mu.Unlock()
		s.spec.check(s.t, s.options.Lax, s.mux, r, body, answer)
	})).ServeHTTP(answer, r)
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// answer does what stands before every path: who asks, and whether it may ask once more.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	// What is told as a moment is to be held against the teller's clock.
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
	g.tell(h)
	if !s.mayAsk(w, r, g) {
		return
	}
	if _, pattern := s.mux.Handler(r); pattern == "" {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	s.mux.ServeHTTP(w, r.WithContext(withGrant(r.Context(), g)))
}

// refuse answers an error in GitHub's form.
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
