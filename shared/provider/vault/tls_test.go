package vault_test

import (
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest"
	"github.com/stashbase/vault-stashbase/shared/provider/vault"
)

// The certificate of httptest is for 127.0.0.1 and example.com.
func TestAVaultIsRecognisedByItsCertificate(t *testing.T) {
	server := other.Server(t)
	at, err := url.Parse(server.Address())
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(at) }})
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it is the point that handshakes fail
	secure.StartTLS()
	t.Cleanup(secure.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	for name, c := range map[string]struct {
		settings provider.Values
		class    outbound.Class
	}{
		"trusted":                 {provider.Values{"ca_pem": ca}, ""},
		"trusted by another name": {provider.Values{"ca_pem": ca, "tls_server_name": "example.com"}, ""},
		"of a name that it lacks": {provider.Values{"ca_pem": ca, "tls_server_name": "vault.internal"}, outbound.Network},
		"not trusted":             {provider.Values{}, outbound.Network},
	} {
		t.Run(name, func(t *testing.T) {
			c.settings["address"] = secure.URL
			s := providertest.Session(t, vault.New(), "token", c.settings, map[string]string{"token": server.RootToken()})
			if _, err := vault.New().Verify(t.Context(), s); outbound.ClassOf(err) != c.class {
				t.Errorf("%v, want class %q", err, c.class)
			}
		})
	}
}
