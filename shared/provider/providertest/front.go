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

// front is a server that stands before the party.
type front struct {
	url   string
	party http.Handler
	ended chan struct{}

	mu     sync.Mutex
	all    int
	writes int
	trick  func(r request) trick
}

// request is what a trick may be chosen by.
type request struct {
	*http.Request
	N     int // of all requests, from 1
	Write int // of those that change something, from 1; 0 for another one
}

// trick answers a request in the party's place.
type trick func(f *front, w http.ResponseWriter, r *http.Request)

func newFront(t testing.TB, party, caPEM string) *front {
	t.Helper()
	at, err := url.Parse(party)
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
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(at) },
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

// play has tricks played from now on; choose answers nil for a request that passes.
func (f *front) play(choose func(r request) trick) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trick, f.all, f.writes = choose, 0, 0
}

// counted answers how many requests there were since the last play, and how many of them would change something.
func (f *front) counted() (all, writes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all, f.writes
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.all++
	asked := request{Request: r, N: f.all}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, "LIST":
	default:
		f.writes++
		asked.Write = f.writes
	}
	choose := f.trick
	f.mu.Unlock()
	if choose != nil {
		if play := choose(asked); play != nil {
			play(f, w, r)
			return
		}
	}
	f.party.ServeHTTP(w, r)
}

// always plays a trick on every request.
func always(play trick) func(request) trick { return func(request) trick { return play } }

// onWrites plays a trick on the n-th request that changes something, and on all later ones.
func onWrites(n int, play trick) func(request) trick {
	return func(r request) trick {
		if r.Write < n || r.Write == 0 {
			return nil
		}
		return play
	}
}

// hostile stands in every answer that no honest party gives, and must be in no error.
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

// redirect sends to another server.
func redirect(to string) trick {
	return func(_ *front, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	}
}

// tooMuch answers JSON without end.
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

// hang never answers.
func hang(f *front, _ http.ResponseWriter, r *http.Request) {
	select {
	case <-f.ended:
	case <-r.Context().Done():
	}
}

// cut ends the connection before an answer.
func cut(*front, http.ResponseWriter, *http.Request) { abort() }

// lose has the party do what it is asked, and ends the connection before its answer is through.
func lose(f *front, _ http.ResponseWriter, r *http.Request) {
	f.party.ServeHTTP(httptest.NewRecorder(), r)
	abort()
}

// abort is how a handler of net/http ends a connection.
func abort() { panic(http.ErrAbortHandler) } //nolint:forbidigo // net/http takes it for the wish to cut the connection.

// limited refuses for a time that nobody waits for.
func limited(_ *front, w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "3600")
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = w.Write([]byte(hostile))
}
