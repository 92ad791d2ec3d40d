package vault_test

import (
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest"
	"github.com/stashbase/vault-stashbase/shared/provider/vault"
	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

func TestTheCertificateOfTheVaultIsVerified(t *testing.T) {
	server := other.Server(t)
	ca := server.CACertPEM()
	for name, c := range map[string]struct {
		settings provider.Values
		class    outbound.Class
	}{
		"trusted":                 {provider.Values{"ca_pem": ca}, ""},
		"trusted by another name": {provider.Values{"ca_pem": ca, "tls_server_name": vaulttest.ServerName}, ""},
		"of a name that it lacks": {provider.Values{"ca_pem": ca, "tls_server_name": "vault.internal"}, outbound.Network},
		"not trusted":             {provider.Values{}, outbound.Network},
	} {
		t.Run(name, func(t *testing.T) {
			c.settings["address"] = server.Address()
			s := providertest.Session(t, vault.New(), "token", c.settings, map[string]string{"token": server.RootToken()})
			if _, err := vault.New().Verify(t.Context(), s); outbound.ClassOf(err) != c.class {
				t.Errorf("%v, want class %q", err, c.class)
			}
		})
	}
}
