package outbound

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// hostile is part of every malicious response and must not be part of any error.
const hostile = "Xq7-planted-by-a-hostile-party-Zk2"

// windowOf is the number of consecutive characters of a secret that a text must not contain.
const windowOf = 8

// leaksNothing checks that no way to print an error shows a part of the secrets.
func leaksNothing(t *testing.T, err error, secrets ...string) {
	t.Helper()
	wrapped := fmt.Errorf("outer: %w", err)
	texts := []string{fmt.Sprintf("%v|%+v|%#v|%s|%q|%v|%+v|%#v", err, err, err, err, err, wrapped, wrapped, wrapped)}
	var known *Error
	if errors.As(err, &known) {
		texts = append(texts, fmt.Sprintf("%v|%+v|%#v|%x", *known, *known, *known, *known), fmt.Sprintf("%v %+v", []error{err}, struct{ E Error }{*known}))
	}
	for _, text := range texts {
		for _, s := range secrets {
			for i := 0; i+windowOf <= len(s); i++ {
				if strings.Contains(text, s[i:i+windowOf]) {
					t.Errorf("an error contains %q: %s", s[i:i+windowOf], text)
					return
				}
			}
		}
	}
}

func TestInvalidResponses(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		class   Class
	}{
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/"+hostile, http.StatusTemporaryRedirect)
		}, Provider},
		{"a redirect to nowhere", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) }, Provider},
		{"too much", func(w http.ResponseWriter, _ *http.Request) {
			for range 200 {
				if _, err := w.Write(bytes.Repeat([]byte(hostile), 1<<10)); err != nil {
					return
				}
			}
		}, Provider},
		{"too much, packed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			zeros := make([]byte, 1<<20)
			for range 64 {
				if _, err := packed.Write(zeros); err != nil {
					return
				}
			}
		}, Provider},
		{"packed, and not so", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, hostile)
		}, Provider},
		{"a connection that is closed before the response", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Network},
		{"a connection that is closed within the response", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, hostile)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, Network},
		{"silence", hang, Network},
		{"silence within the response", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, hostile)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, Network},
	} {
		for protocol, change := range protocols() {
			f := newFixture(t, c.handler, true, change)
			f.party.MaxBody, f.party.Timeout = 1<<20, 10*time.Second
			if strings.HasPrefix(c.name, "silence") {
				f.party.Timeout = 300 * time.Millisecond
			}
			_, err := f.client(t).Do(t.Context(), f.get())
			known := failedAs(t, c.name+" over "+protocol, err, c.class)
			if known.Unknown {
				t.Errorf("%s over %s: the outcome of a read is unknown", c.name, protocol)
			}
			leaksNothing(t, err, hostile, f.server.URL)
		}
	}
}

// HTTP/2 treats such headers as a connection error.
func TestHeadersAreBounded(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"too long": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Long", strings.Repeat(hostile, 4<<10)) },
		"too many": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 5000 {
				w.Header().Set(fmt.Sprintf("X-Many-%d", i), hostile)
			}
		},
	} {
		for protocol, change := range protocols() {
			f := newFixture(t, handler, true, change)
			_, err := f.client(t).Do(t.Context(), f.get())
			_ = failedAs(t, name+" over "+protocol, err, map[string]Class{"HTTP/1": Provider, "HTTP/2": Network}[protocol])
			leaksNothing(t, err, hostile)
		}
	}
}

// Bytes that are not HTTP. They must not appear in a log either: net/http would log them.
func TestServersOfAnotherProtocol(t *testing.T) {
	var logged bytes.Buffer
	log.SetOutput(&logged)
	t.Cleanup(func() { log.SetOutput(io.Discard) })
	for name, c := range map[string]struct {
		first, then string
		class       Class
	}{
		"data before the request":  {"SSH-2.0-" + hostile + "\r\n", "", Provider},
		"an invalid response":      {"", hostile + "\r\n\r\n", Provider},
		"no response":              {"", "", Network},
		"more than Content-Length": {"", "HTTP/1.1 404 " + hostile + "\r\nContent-Length: 2\r\n\r\nok" + hostile, NotFound},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(conn, c.first)
				_, _ = conn.Read(make([]byte, 4<<10))
				_, _ = io.WriteString(conn, c.then)
				time.AfterFunc(50*time.Millisecond, func() { _ = conn.Close() })
			}
		}()
		f := newFixture(t, fine, false, nil)
		r := f.get()
		r.URL = "http://" + l.Addr().String()
		_, err = f.client(t).Do(t.Context(), r)
		_ = failedAs(t, name, err, c.class)
		leaksNothing(t, err, hostile)
		_ = l.Close()
	}
	if logged.Len() > 0 {
		t.Errorf("logged: %s", &logged)
	}
}

// A write may have had its effect after it was sent, but not before.
func TestUnknownOutcomes(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		change  func(*Request)
		want    bool
	}{
		{"no response", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, true},
		{"no response to a safe request", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, func(r *Request) { r.Safe = true }, true},
		{"status 502", status(502), nil, true},
		{"status 500", status(500), nil, true},
		{"status 400", status(400), nil, false},
		{"status 429", status(429), nil, false},
		{"a redirect", status(307), nil, false},
		{"not reached", fine, func(r *Request) { r.URL = "https://127.0.0.1:1/" }, false},
		{"refused by the policy", fine, func(r *Request) { r.URL = "https://10.0.0.1/" }, false},
	} {
		for protocol, change := range protocols() {
			f := newFixture(t, c.handler, true, change)
			r := Request{Operation: "change", Method: http.MethodPost, URL: f.server.URL, Body: []byte(`{}`), Write: true}
			if c.change != nil {
				c.change(&r)
			}
			_, err := f.client(t).Do(t.Context(), r)
			var known *Error
			if !errors.As(err, &known) || known.Unknown != c.want {
				t.Errorf("%s over %s: unknown is %v: %v (%v)", c.name, protocol, !c.want, err, errors.Unwrap(err))
			}
		}
	}
}

// If an earlier attempt may have had its effect, the outcome stays unknown whatever a later attempt
// returns.
func TestAnUnknownOutcomeStaysUnknown(t *testing.T) {
	var requests atomic.Int32
	f := overTLS(t, func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusConflict)
	})
	_, err := f.client(t).Do(t.Context(), Request{Operation: "change", Method: http.MethodPut, URL: f.server.URL, Safe: true, Write: true})
	if known := failedAs(t, "the second attempt", err, Conflict); !known.Unknown {
		t.Error("a conflict with our own first attempt has a known outcome")
	}
}

func TestAWholeRequestEndsInTime(t *testing.T) {
	f := overTLS(t, hang)
	f.party.Timeout = 200 * time.Millisecond
	begun := time.Now()
	_, err := f.client(t).Do(t.Context(), f.get())
	if _ = failedAs(t, "silence", err, Network); time.Since(begun) > 2*time.Second {
		t.Errorf("took %s", time.Since(begun))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun = time.Now()
	_, err = f.client(t).Do(ctx, f.get())
	if _ = failedAs(t, "a context that ends", err, Network); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > time.Second {
		t.Errorf("took %s: %v", time.Since(begun), err)
	}
}

// Data that arrives before the request is not read, because the transport would log it.
func TestNothingIsReadBeforeTheRequest(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		if conn, err := l.Accept(); err == nil {
			_, _ = io.WriteString(conn, hostile)
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	}()
	f := newFixture(t, fine, false, nil)
	c, err := (&route{gateway: f.gateway, workspace: "acme"}).dialPlain(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan string, 1)
	go func() {
		text := make([]byte, len(hostile))
		n, _ := c.Read(text)
		read <- string(text[:n])
	}()
	select {
	case text := <-read:
		t.Fatalf("%q is read before the request", text)
	case <-time.After(100 * time.Millisecond):
	}
	if _, err := io.WriteString(c, "a request"); err != nil {
		t.Fatal(err)
	}
	if text := <-read; text != hostile {
		t.Errorf("%q is read after the request", text)
	}
	_ = c.Close()
}
