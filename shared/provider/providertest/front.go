package providertest

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// front is a server between the provider and the party.
type front struct {
	url   string
	party http.Handler
	ended chan struct{}

	mu     sync.Mutex
	all    int
	writes int
	trick  func(r request) trick
}

// request is a request with its position, by which a trick is chosen.
type request struct {
	*http.Request
	N     int // number among all requests, from 1
	Write int // number among the writing requests, from 1; 0 for a reading one
}

// trick responds to a request instead of the party.
type trick func(f *front, w http.ResponseWriter, r *http.Request)

func newFront(t testing.TB, party, caPEM string) *front {
	t.Helper()
	target, err := url.Parse(party)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	if caPEM != "" {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(caPEM))
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
	}
	f := &front{party: proxy, ended: make(chan struct{})}
	server := httptest.NewServer(f)
	f.url = server.URL
	t.Cleanup(func() {
		close(f.ended)
		server.Close()
		transport.CloseIdleConnections()
	})
	return f
}

// play sets choose, which returns the trick for a request or nil to pass the request to the party.
// It resets the counts.
func (f *front) play(choose func(r request) trick) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trick, f.all, f.writes = choose, 0, 0
}

// counted returns the number of requests and of writing requests since the last play.
func (f *front) counted() (all, writes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all, f.writes
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.all++
	numbered := request{Request: r, N: f.all}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, "LIST":
	default:
		f.writes++
		numbered.Write = f.writes
	}
	choose := f.trick
	f.mu.Unlock()
	if choose != nil {
		if play := choose(numbered); play != nil {
			play(f, w, r)
			return
		}
	}
	f.party.ServeHTTP(w, r)
}

// always plays a trick on every request.
func always(play trick) func(request) trick { return func(request) trick { return play } }

// onWrites plays a trick on the n-th writing request and on all later ones.
func onWrites(n int, play trick) func(request) trick {
	return func(r request) trick {
		if r.Write < n || r.Write == 0 {
			return nil
		}
		return play
	}
}

// hostile is part of every dishonest response and must not be part of any error.
const hostile = "Xq7-planted-by-a-hostile-party-Zk2"

func body(status int, kind, text string) trick {
	return func(_ *front, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
}

var (
	garbage = body(http.StatusOK, "application/json", "\x00\xff{\x01"+hostile)
	html    = body(http.StatusOK, "text/html", "<html><title>"+hostile+"</title></html>")
	broken  = body(http.StatusInternalServerError, "text/html", "<html>"+hostile+"</html>")
	nothing = body(http.StatusOK, "application/json", "")
)

// redirect redirects to another server.
func redirect(to string) trick {
	return func(_ *front, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	}
}

// tooMuch sends JSON without an end.
func tooMuch(f *front, w http.ResponseWriter, r *http.Request) {
	chunk := []byte(strings.Repeat(hostile, 1<<10))
	_, _ = w.Write([]byte(`{"data":"`))
	for {
		select {
		case <-f.ended:
			return
		case <-r.Context().Done():
			return
		default:
		}
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// hang never responds.
func hang(f *front, _ http.ResponseWriter, r *http.Request) {
	select {
	case <-f.ended:
	case <-r.Context().Done():
	}
}

// cut closes the connection before the response.
func cut(*front, http.ResponseWriter, *http.Request) { abort() }

// lose passes the request to the party and closes the connection before the response is complete.
func lose(f *front, _ http.ResponseWriter, r *http.Request) {
	f.party.ServeHTTP(httptest.NewRecorder(), r)
	abort()
}

// abort closes the connection of the current request.
func abort() { panic(http.ErrAbortHandler) } //nolint:forbidigo // net/http closes the connection on this panic.

// limited sends a rate-limited response with a wait that is longer than any retry.
func limited(_ *front, w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "3600")
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = w.Write([]byte(hostile))
}
