package client_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/client"
)

// transports are the two ways to reach a Vault. Go speaks HTTP/2 only over TLS.
var transports = map[string]struct{ tls bool }{"http": {}, "TLS and HTTP/2": {tls: true}}

// serve starts a server and returns a client of it. The client repeats a failed request retries
// times.
func serve(t *testing.T, overTLS bool, retries int, handler http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if overTLS != (r.ProtoMajor == 2) {
			t.Errorf("%s over %s", r.Method, r.Proto)
		}
		handler(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	config := api.DefaultConfig()
	config.AgentAddress, config.MaxRetries, config.MinRetryWait, config.MaxRetryWait = "", retries, 1, 1
	if overTLS {
		s.EnableHTTP2 = true
		s.StartTLS()
		check(t, config.ConfigureTLS(&api.TLSConfig{CACertBytes: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})}))
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	config.Address = s.URL
	vault, err := api.NewClient(config)
	check(t, err)
	return client.New(vault, "")
}

// requests holds one request for each method of HTTP.
var requests = map[string]func(context.Context, *client.Client) (client.Settings, error){
	http.MethodGet: func(ctx context.Context, c *client.Client) (client.Settings, error) {
		return c.Integration(ctx, client.IntegrationPlace{Workspace: "w", Provider: "p", Name: "n"})
	},
	http.MethodPut: func(ctx context.Context, c *client.Client) (client.Settings, error) {
		return c.WriteIntegration(ctx, client.IntegrationPlace{Workspace: "w", Provider: "p", Name: "n"}, client.Settings{"a": "b"})
	},
	http.MethodPatch: func(ctx context.Context, c *client.Client) (client.Settings, error) {
		return c.PatchConfig(ctx, client.Settings{"a": nil})
	},
	http.MethodDelete: func(ctx context.Context, c *client.Client) (client.Settings, error) {
		return nil, c.DeleteWorkspace(ctx, "w")
	},
}

// everyRequest runs a test for each method over each transport.
func everyRequest(t *testing.T, test func(t *testing.T, overTLS bool, method string)) {
	t.Helper()
	for transport, over := range transports {
		for method := range requests {
			t.Run(transport+" "+method, func(t *testing.T) { test(t, over.tls, method) })
		}
	}
}

// The body comes after the header, and is larger than what a connection buffers: it is lost when
// the request's context is cancelled before the body is read.
func TestALargeResponseIsReadWhole(t *testing.T) {
	large := strings.Repeat("x", 4<<20)
	body, err := json.Marshal(map[string]any{"data": map[string]any{"large": large}})
	check(t, err)
	everyRequest(t, func(t *testing.T, overTLS bool, method string) {
		c := serve(t, overTLS, 0, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
			check(t, http.NewResponseController(w).Flush())
			if _, err := w.Write(body); err != nil {
				t.Errorf("the client has not read the response: %v", err)
			}
		})
		got, err := requests[method](t.Context(), c)
		check(t, err)
		if method != http.MethodDelete && got["large"] != large {
			t.Errorf("%d fields", len(got))
		}
	})
}

func TestA404KeepsItsText(t *testing.T) {
	everyRequest(t, func(t *testing.T, overTLS bool, method string) {
		for text, kind := range map[string]client.Kind{
			`not_found: workspace "w" does not exist`: client.NotFound,
			`no handler for route "stashbase/"`:       client.NoMount,
		} {
			c := serve(t, overTLS, 0, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNotFound)
				check(t, json.NewEncoder(w).Encode(map[string]any{"errors": []string{text}}))
			})
			if _, err := requests[method](t.Context(), c); !client.Is(err, kind) || !strings.Contains(err.Error(), strings.TrimPrefix(text, "not_found: ")) {
				t.Errorf("%s: %v", text, err)
			}
		}
	})
}

// A standby redirects to the active node, which gets the same request.
func TestARedirectKeepsTheRequest(t *testing.T) {
	everyRequest(t, func(t *testing.T, overTLS bool, method string) {
		seen := map[bool]string{}
		c := serve(t, overTLS, 0, func(w http.ResponseWriter, r *http.Request) {
			content, err := io.ReadAll(r.Body)
			check(t, err)
			active := strings.HasPrefix(r.URL.Path, "/active")
			seen[active] = fmt.Sprintln(r.Method, strings.TrimPrefix(r.URL.Path, "/active"), r.URL.RawQuery, r.Header.Get("Content-Type"), string(content))
			if !active {
				http.Redirect(w, r, "/active"+r.URL.RequestURI(), http.StatusTemporaryRedirect)
				return
			}
			_, _ = w.Write([]byte(`{"data": {}}`))
		})
		_, err := requests[method](t.Context(), c)
		check(t, err)
		if seen[true] == "" || seen[true] != seen[false] {
			t.Errorf("the standby got %q, the active node %q", seen[false], seen[true])
		}
	})
}

// abort ends the connection, or over HTTP/2 the stream.
func abort() { panic(http.ErrAbortHandler) }

func respond(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestTheOutcomeOfAWriteIsKnownOrNot(t *testing.T) {
	cut := func(http.ResponseWriter, *http.Request) { abort() }
	half := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"data": {`))
			_ = http.NewResponseController(w).Flush()
			abort()
		}
	}
	cases := []struct {
		name     string
		attempts []http.HandlerFunc // the last one is repeated
		kind     client.Kind
		unknown  bool
	}{
		{"cut before the response", []http.HandlerFunc{cut}, client.Unreachable, true},
		{"cut within the response", []http.HandlerFunc{half(200)}, client.Unreachable, true},
		{"cut within an error", []http.HandlerFunc{half(400)}, client.Unreachable, true},
		{"cut once, then refused", []http.HandlerFunc{cut, respond(400, `{"errors": ["conflict: cas: the newest version is 1"]}`)}, client.Conflict, true},
		{"cut once, then sealed", []http.HandlerFunc{cut, respond(503, `{"errors": ["Vault is sealed"]}`)}, client.Sealed, true},
		{"the plugin died", []http.HandlerFunc{respond(500, `{"errors": ["internal error"]}`)}, client.Strange, true},
		{"a proxy gave up", []http.HandlerFunc{respond(504, `<html>`)}, client.Strange, true},
		{"a page in place of the response", []http.HandlerFunc{respond(200, `<html>`)}, client.Strange, true},
		{"a proxy that refuses", []http.HandlerFunc{respond(403, `<html>`)}, client.Strange, false},
		{"refused by the engine", []http.HandlerFunc{respond(400, `{"errors": ["invalid: a: must be b"]}`)}, client.Invalid, false},
		{"refused by Vault", []http.HandlerFunc{respond(403, `{"errors": ["permission denied"]}`)}, client.NoPermission, false},
		{"sealed", []http.HandlerFunc{respond(503, `{"errors": ["Vault is sealed"]}`)}, client.Sealed, false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			everyRequest(t, func(t *testing.T, overTLS bool, method string) {
				var attempts atomic.Int64 // a repeated request may arrive before the first handler has ended
				c := serve(t, overTLS, 1, func(w http.ResponseWriter, r *http.Request) {
					attempt := int(attempts.Add(1)) - 1
					tc.attempts[min(attempt, len(tc.attempts)-1)](w, r)
				})
				_, err := requests[method](t.Context(), c)
				if !client.Is(err, tc.kind) {
					t.Errorf("%v, want %s", err, tc.kind)
				}
				if unknown := client.OutcomeUnknown(err); unknown != (tc.unknown && method != http.MethodGet) {
					t.Errorf("unknown is %t: %v", unknown, err)
				}
			})
		})
	}
}

func TestARequestThatWasNotSentHasAKnownOutcome(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	config := api.DefaultConfig()
	config.Address, config.AgentAddress, config.MaxRetries = s.URL, "", 0
	vault, err := api.NewClient(config)
	check(t, err)
	_, err = client.New(vault, "").PutWorkspace(t.Context(), client.Workspace{Name: "w"})
	if !client.Is(err, client.Unreachable) || client.OutcomeUnknown(err) {
		t.Error(err)
	}
}

// Vault and the engine put warnings beside the data of a response. A read may repeat what a write
// has already warned of.
func TestTheWarningsOfWritesAreHeard(t *testing.T) {
	for method, request := range requests {
		t.Run(method, func(t *testing.T) {
			var heard []string
			c := serve(t, false, 0, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `{"data": {"a": "b"}, "warnings": ["first", "second"]}`)
			})
			hearing := client.WithWarnings(t.Context(), func(warning string) { heard = append(heard, warning) })
			if _, err := request(hearing, c); err != nil {
				t.Fatal(err)
			}
			want := []string{"first", "second"}
			if method == http.MethodGet {
				want = nil
			}
			if !slices.Equal(heard, want) {
				t.Errorf("heard %q, want %q", heard, want)
			}
		})
	}
}
