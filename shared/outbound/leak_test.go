package outbound

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// planted holds one secret for each part of a request.
type planted struct{ token, query, path, body string }

func plant() planted {
	return planted{"tok" + rand.Text(), "query" + rand.Text(), "path" + rand.Text(), "body" + rand.Text()}
}

func (p planted) all() []string { return []string{p.token, p.query, p.path, p.body, hostile} }

func (p planted) request(base string) Request {
	return Request{
		Operation: "write a secret", Method: http.MethodPut, URL: base + "/" + p.path + "?q=" + p.query,
		Header: http.Header{"Authorization": {"Bearer " + p.token}}, Body: []byte(`{"value":"` + p.body + `"}`), Safe: true, Write: true,
	}
}

// An error contains no part of the request or the response, whatever fails and however the error is
// printed. This holds even if the server sends back everything that it received.
func TestErrorsLeakNothing(t *testing.T) {
	echo := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			w.Header().Set("X-Request-Id", token)
			w.Header().Set("Location", r.URL.String())
			w.Header().Set("Retry-After", token)
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, "%s %s %s %s", hostile, token, r.URL, body)
		}
	}
	for name, handler := range map[string]http.HandlerFunc{
		"200, no JSON": echo(200), "302": echo(302), "400": echo(400), "401": echo(401), "403": echo(403), "404": echo(404), "409": echo(409),
		"422": echo(422), "429": echo(429), "500": echo(500), "503": echo(503),
		"cut":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"hang": hang,
		"much": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2<<20)) },
		"a body's piece as its id": func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Request-Id", "id-"+string(body[14:30]))
			w.WriteHeader(400)
		},
	} {
		for protocol, change := range protocols() {
			f := newFixture(t, handler, true, change)
			f.party.MaxBody = 1 << 20
			if name == "hang" {
				f.party.Timeout = 300 * time.Millisecond
			}
			p := plant()
			var out struct{ Fine bool }
			_, err := f.client(t).DoJSON(t.Context(), p.request(f.server.URL), nil, &out)
			if err == nil {
				t.Errorf("%s over %s: no error", name, protocol)
			}
			leaksNothing(t, err, p.all()...)
			if text, marshalErr := json.Marshal(err); marshalErr == nil {
				leaksNothing(t, errors.New(string(text)), p.all()...)
			}
		}
	}
}

func TestInvalidRequestsLeakNothing(t *testing.T) {
	f := overTLS(t, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") })
	p := plant()
	for name, change := range map[string]func(*Request){
		"no URL":                  func(r *Request) { r.URL = "https://[" + p.query },
		"a control character":     func(r *Request) { r.URL += "\n" },
		"no host":                 func(r *Request) { r.URL = "https:///" + p.path },
		"another scheme":          func(r *Request) { r.URL = "ftp://127.0.0.1/" + p.path },
		"no scheme":               func(r *Request) { r.URL = "/" + p.path },
		"a password":              func(r *Request) { r.URL = "https://user:" + p.token + "@127.0.0.1/" },
		"an invalid port":         func(r *Request) { r.URL = "https://127.0.0.1:99999/" + p.path },
		"a line break in a value": func(r *Request) { r.Header.Set("X-Mine", p.token+"\r\nX-More: 1") },
		"an invalid header name":  func(r *Request) { r.Header["X "+p.token] = []string{"1"} },
		"an invalid method":       func(r *Request) { r.Method = "GET " + p.token },
		"a private address":       func(r *Request) { r.URL = "https://10.0.0.1/" + p.path },
		"plain http":              func(r *Request) { r.URL = "http://8.8.8.8/" + p.path },
	} {
		r := p.request(f.server.URL)
		change(&r)
		_, err := f.client(t).Do(t.Context(), r)
		var known *Error
		if !errors.As(err, &known) || known.Hint == "" || known.Unknown {
			t.Errorf("%s: %v", name, err)
		}
		leaksNothing(t, err, p.all()...)
	}
}

// An error is still useful: it contains the provider, the operation, the cause and the service's
// request id.
func TestErrorsAreUseful(t *testing.T) {
	f := overTLS(t, status(403, "X-GitHub-Request-Id", "C0DE:1F2E:3D4C5B:6A7988:65F0A1B2"))
	_, err := f.client(t).Do(t.Context(), f.get())
	want := "permission: party: look: status 403, request C0DE:1F2E:3D4C5B:6A7988:65F0A1B2; the credential is not permitted to do this"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, err); got != want {
			t.Errorf("%s prints %q, want %q", verb, got, want)
		}
	}
}

func TestUnsafeRequestIDsAreLeftOut(t *testing.T) {
	sent := Request{URL: "https://party.example/", Header: http.Header{"Authorization": {"Bearer made-up-token-1234"}}, Body: []byte("a value that is sent")}
	for id, want := range map[string]string{
		"req_0123-4567:89.ab":               "req_0123-4567:89.ab",
		"made-up-token-1234":                "",
		"x-oken-1234-x":                     "",
		"spaces in it":                      "",
		"line\nbreak":                       "",
		"<script>":                          "",
		strings.Repeat("a", maxID+1):        "",
		"ghp_" + strings.Repeat("a", 36):    "",
		"hvs." + strings.Repeat("a", 24):    "",
		"glpat-" + strings.Repeat("a", 20):  "",
		"eyJ" + strings.Repeat("a", 30):     "",
		"AKIA" + strings.Repeat("A", 16):    "",
		"a-value-that-is-not-what-was-sent": "a-value-that-is-not-what-was-sent",
	} {
		if got := requestID(http.Header{"X-Request-Id": {id}}, sent); got != want {
			t.Errorf("%q is shown as %q", id, got)
		}
	}
}

func TestShapesOfTokensAreRedacted(t *testing.T) {
	filler := strings.Repeat("aB3", 14)
	for _, token := range []string{
		"ghp_" + filler, "gho_" + filler, "ghs_123_eyJ" + filler + "." + filler, "github_pat_" + filler, "glpat-" + filler, "hvs." + filler, "s." + filler,
		"AKIA" + strings.Repeat("Z", 16), "eyJ" + filler + "." + filler + "." + filler, "xoxb-" + filler, "Bearer " + filler,
	} {
		err := &Error{Class: Auth, Provider: "party", Operation: "use " + token, Hint: "the token " + token + " is rejected"}
		leaksNothing(t, err, token)
		if text := err.Error(); !strings.Contains(text, "is rejected") {
			t.Errorf("the whole text is redacted: %s", text)
		}
	}
	ordinary := "the token's policies must allow sys/internal/ui/mounts/kv; see docs.github.com/en/rest, base_url is https://HOST/api/v3"
	if got := redact(ordinary); got != ordinary {
		t.Errorf("an ordinary text becomes %q", got)
	}
}
