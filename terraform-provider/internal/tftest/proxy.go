package tftest

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// Fault is the treatment of a request by a Proxy.
type Fault int

const (
	// Pass forwards the request and the response.
	Pass Fault = iota
	// Lose forwards the request and closes the connection before the response.
	Lose
	// Break forwards the request and closes the connection in the middle of the response.
	Break
	// Cut closes the connection and forwards nothing.
	Cut
)

// Proxy is a server with TLS and HTTP/2 in front of a Vault. It loses the responses that a test
// selects.
type Proxy struct {
	front *httptest.Server
	vault *httputil.ReverseProxy
	ca    string

	mu     sync.Mutex
	choose func(*http.Request) Fault
}

// NewProxy starts a proxy that forwards everything. It stops when the test ends.
func NewProxy(t *testing.T, server *vaulttest.Server) *Proxy {
	t.Helper()
	at, err := url.Parse(server.Address())
	must(t, err)
	quiet := log.New(io.Discard, "", 0)
	p := &Proxy{ca: filepath.Join(t.TempDir(), "proxy.pem"), vault: &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(at) },
		Transport: server.Client().CloneConfig().HttpClient.Transport, // trusts Vault's CA
		ErrorLog:  quiet,
	}}
	p.front = httptest.NewUnstartedServer(p)
	p.front.EnableHTTP2, p.front.Config.ErrorLog = true, quiet
	p.front.StartTLS()
	t.Cleanup(p.front.Close)
	must(t, os.WriteFile(p.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.front.Certificate().Raw}), 0o600))
	return p
}

// Env returns the environment variables that make a client use the proxy. They disable retries,
// because a retried write could succeed.
func (p *Proxy) Env() []string {
	return []string{"VAULT_ADDR=" + p.front.URL, "VAULT_CACERT=" + p.ca, "VAULT_MAX_RETRIES=0"}
}

// Play sets the function that chooses the treatment of each request from now on.
func (p *Proxy) Play(choose func(*http.Request) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.choose = choose
}

// ServeHTTP treats a request as chosen.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	fault := Pass
	if p.choose != nil {
		fault = p.choose(r)
	}
	p.mu.Unlock()
	switch fault {
	case Pass:
		p.vault.ServeHTTP(w, r)
		return
	case Lose, Break:
		response := httptest.NewRecorder()
		p.vault.ServeHTTP(response, r)
		if fault == Break {
			body := response.Body.Bytes()
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.WriteHeader(response.Code)
			_, _ = w.Write(body[:len(body)/2])
			_ = http.NewResponseController(w).Flush()
		}
	}
	panic(http.ErrAbortHandler) //nolint:forbidigo // net/http then closes the connection.
}
