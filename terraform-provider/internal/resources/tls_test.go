package resources_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/tftest"
)

// All other tests connect to a Vault with TLS.
func TestATreeOverPlainHTTP(t *testing.T) {
	server := vaulttest.Start(t, vaulttest.Options{PlainHTTP: true})
	tftest.Each(t, func(t *testing.T, cli tftest.CLI) {
		w := newWorldOf(t, cli, server)
		w.configure(treeConfig)
		w.Apply()
		w.holds(w.read("environments/"+w.workspace+"/api/prod"), "base", "api/shared")
		w.PlansNothing()
		w.Destroy()
	})
}

func TestTheCertificateAuthorityIsGivenToTheProvider(t *testing.T) {
	each(t, func(w *world) {
		w.Env = slices.DeleteFunc(w.Env, func(v string) bool { return strings.HasPrefix(v, "VAULT_CACERT=") })
		w.configure(treeConfig)
		w.Fails([]string{"failed to verify certificate"}, "apply", "-auto-approve")
		w.configure(fmt.Sprintf("provider \"stashbase\" {\n  ca_cert_file = %q\n}\n", w.server.CACertFile()) + treeConfig)
		w.Apply()
		w.PlansNothing()
		w.Destroy()
	})
}
