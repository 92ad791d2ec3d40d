package outbound

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
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

// Each request but the private ones would reach the server if its check were missing.
func TestInvalidRequestsLeakNothing(t *testing.T) {
	f := overTLS(t, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") })
	p := plant()
	f.gateway.dial = func(_ context.Context, to netip.AddrPort) (net.Conn, error) {
		t.Errorf("%s was dialled", to)
		return nil, errors.New("the test allows no connection")
	}
	for name, c := range map[string]struct {
		change func(*Request)
		class  Class
		hint   string
		cause  error
	}{
		"no URL":                  {func(r *Request) { r.URL = "https://[" + p.query }, Invalid, "a URL with a host", nil},
		"a control character":     {func(r *Request) { r.URL += "\n" }, Invalid, "a URL with a host", nil},
		"no host":                 {func(r *Request) { r.URL = "https:///" + p.path }, Invalid, "a URL with a host", nil},
		"another scheme":          {func(r *Request) { r.URL = "ftp://127.0.0.1/" + p.path }, Invalid, "https://", nil},
		"no scheme":               {func(r *Request) { r.URL = "/" + p.path }, Invalid, "a URL with a host", nil},
		"a user name":             {func(r *Request) { r.URL = strings.Replace(r.URL, "://", "://"+p.token+"@", 1) }, Invalid, "user name", nil},
		"a password":              {func(r *Request) { r.URL = strings.Replace(r.URL, "://", "://user:"+p.token+"@", 1) }, Invalid, "user name", nil},
		"a port that is too high": {func(r *Request) { r.URL = "https://127.0.0.1:99999/" + p.path }, Invalid, "port", nil},
		"port 0":                  {func(r *Request) { r.URL = "https://127.0.0.1:0/" + p.path }, Invalid, "port", nil},
		"a line break in a value": {func(r *Request) { r.Header.Set("X-Mine", p.token+"\r\nX-More: 1") }, Internal, "header", nil},
		"an invalid header name":  {func(r *Request) { r.Header["X "+p.token] = []string{"1"} }, Internal, "header", nil},
		"an invalid method":       {func(r *Request) { r.Method = "GET " + p.token }, Internal, "method", nil},
		"a private address":       {func(r *Request) { r.URL = "https://10.0.0.1/" + p.path }, Network, "10.0.0.0/8", ErrRefused},
		"plain http":              {func(r *Request) { r.URL = "http://8.8.8.8/" + p.path }, Network, "plain http", ErrRefused},
	} {
		r := p.request(f.server.URL)
		c.change(&r)
		_, err := f.client(t).Do(t.Context(), r)
		known := failedAs(t, name, err, c.class)
		if !strings.Contains(known.Hint, c.hint) || known.Unknown || c.cause != nil && !errors.Is(err, c.cause) {
			t.Errorf("%s: %v (%v)", name, err, known.Cause)
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

func TestShownTextsAreShortAndPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"ada":                               "ada",
		"token für 密码":                      "token für 密码",
		"":                                  "",
		"a\x1b[31mb\r\nc\x00\u202ed\u00a0e": "a?[31mb??c??d?e",
		"a\xffb":                            "a?b",
		strings.Repeat("x", 20):             strings.Repeat("x", 20),
		strings.Repeat("x", 21):             strings.Repeat("x", 17) + "...",
		strings.Repeat("ä", 11):             strings.Repeat("ä", 8) + "...",
		"is ghp_" + strings.Repeat("a", 36): "is [redacted]",
	} {
		if got := Shown(text, 20); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
	if got := Shown(strings.Repeat("密", 1<<20), 20); len(got) > 20 {
		t.Errorf("a long text is shown with %d bytes", len(got))
	}
}
