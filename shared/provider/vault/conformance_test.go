package vault_test

import (
	"os"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest"
	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// other is the Vault that is synced to. It stores its data on disk, because integrated storage has
// the limits of a production Vault.
var other = vaulttest.Shared(vaulttest.Options{NoPlugin: true, Storage: vaulttest.Raft})

// settings returns the settings of an integration with the other Vault.
func settings(t testing.TB) provider.Values {
	t.Helper()
	server := other.Server(t)
	return provider.Values{"address": server.Address(), "ca_pem": server.CACertPEM()}
}

func TestMain(m *testing.M) { os.Exit(other.Run(m)) }

func TestConformance(t *testing.T) {
	for _, version := range []string{"1", "2"} {
		for _, granularity := range []provider.Granularity{provider.Key, provider.Bundle} {
			t.Run("KV v"+version+"/"+string(granularity), func(t *testing.T) { providertest.Run(t, party(version, granularity)) })
		}
	}
}
