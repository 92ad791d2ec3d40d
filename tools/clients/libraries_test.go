package clients_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault-client-go"
	"github.com/helmfile/vals/pkg/config"
	"github.com/helmfile/vals/pkg/log"
	valsvault "github.com/helmfile/vals/pkg/providers/vault"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// texts converts the data of a response.
func texts(of map[string]any) map[string]string {
	out := make(map[string]string, len(of))
	for name, value := range of {
		out[name] = fmt.Sprint(value)
	}
	return out
}

func TestTheVaultProviderOfValsReadsAnEnvironment(t *testing.T) {
	w := newWorkload(t)
	t.Setenv("VAULT_TOKEN", w.client.Token())
	t.Setenv("VAULT_CACERT", w.server.CACertFile())
	p := valsvault.New(log.New(log.Config{Output: t.Output()}), config.Map(map[string]any{"address": w.server.Address()}))
	got, err := p.GetStringMap(vaulttest.MountPath + "/" + w.path)
	if err != nil {
		t.Fatal(err)
	}
	delivered(t, texts(got))
	one, err := p.GetString(vaulttest.MountPath + "/" + w.path + "/API_KEY")
	if err != nil || one != values["API_KEY"] {
		t.Errorf("%q, %v", one, err)
	}
	if _, err := p.GetStringMap(vaulttest.MountPath + "/" + missing); err == nil || !strings.Contains(err.Error(), "no secret found") {
		t.Errorf("an environment that does not exist: %v", err)
	}
}

func TestVaultClientGoReadsAnEnvironmentAsKVVersion1(t *testing.T) {
	w := newWorkload(t)
	var tls vault.TLSConfiguration
	tls.ServerCertificate.FromFile = w.server.CACertFile()
	client, err := vault.New(vault.WithAddress(w.server.Address()), vault.WithTLS(tls))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.SetToken(w.client.Token()); err != nil {
		t.Fatal(err)
	}
	mount := vault.WithMountPath(vaulttest.MountPath)
	got, err := client.Secrets.KvV1Read(t.Context(), w.path, mount)
	if err != nil {
		t.Fatal(err)
	}
	delivered(t, texts(got.Data))
	listed, err := client.Secrets.KvV1List(t.Context(), project, mount)
	if err != nil || !slices.Equal(listed.Data.Keys, []string{"development"}) {
		t.Errorf("the list is %v (%v)", listed, err)
	}
	if _, err := client.Secrets.KvV1Read(t.Context(), missing, mount); !vault.IsErrorStatus(err, http.StatusNotFound) {
		t.Errorf("an environment that does not exist: %v", err)
	}
}
