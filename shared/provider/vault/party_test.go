package vault_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest"
	"github.com/stashbase/vault-stashbase/shared/provider/vault"
)

// policy contains the rules that a sync to one path needs, as the guide lists them.
const policy = `
path "%[1]s/data/%[2]s"       { capabilities = ["create", "read", "update"] }
path "%[1]s/data/%[2]s/*"     { capabilities = ["create", "read", "update"] }
path "%[1]s/metadata/%[2]s"   { capabilities = ["read", "list"] }
path "%[1]s/metadata/%[2]s/*" { capabilities = ["read", "list", "delete"] }
path "%[1]s/%[2]s"            { capabilities = ["create", "read", "update", "delete", "list"] }
path "%[1]s/%[2]s/*"          { capabilities = ["create", "read", "update", "delete", "list"] }
path "auth/token/lookup-self" { capabilities = ["read"] }`

// lookUp contains the rule for capabilities-self, which the policy `default` grants too.
const lookUp = `
path "sys/capabilities-self"  { capabilities = ["update"] }`

const readOnly = `
path "%[1]s/*"                { capabilities = ["read", "list"] }
path "auth/token/lookup-self" { capabilities = ["read"] }`

// bench is a KV engine of the other Vault, accessed with the official client.
type bench struct {
	t           testing.TB
	root        *api.Client
	version     string
	granularity provider.Granularity
	mount, path string
}

// party returns an empty place and a token with only the permissions that a sync needs.
func party(version string, g provider.Granularity) func(testing.TB) providertest.Party {
	return func(t testing.TB) providertest.Party { return newBench(t, version, g).party() }
}

func newBench(t testing.TB, version string, g provider.Granularity) *bench {
	t.Helper()
	b := &bench{t, other.Server(t).Client(), version, g, "kv-" + strings.ToLower(rand.Text()[:10]), "acme/api"}
	b.must(b.root.Sys().Mount(b.mount, &api.MountInput{Type: "kv", Options: map[string]string{"version": version}}))
	if version == "2" {
		// A new engine of version 2 rejects requests for a moment while it is upgraded.
		other.Server(t).Eventually(t, 10*time.Second, "the KV engine to be ready", func(ctx context.Context) error {
			_, err := b.root.Logical().ListWithContext(ctx, b.mount+"/metadata")
			return err
		})
	}
	t.Cleanup(func() { _ = b.root.Sys().Unmount(b.mount) })
	return b
}

func (b *bench) party() providertest.Party {
	racy := ""
	if b.version == "1" && b.granularity == provider.Bundle {
		racy = "KV v1 has no check-and-set"
	}
	token := other.Server(b.t).ClientWithPolicy(b.t, fmt.Sprintf(policy, b.mount, b.path)+lookUp).Token()
	return providertest.Party{
		Provider:    vault.New(),
		Destination: "vault-kv",
		Granularity: b.granularity,
		Settings:    settings(b.t),
		Credential:  map[string]string{"token": token},
		Refused:     map[string]string{"token": "hvs." + rand.Text()},
		Place:       provider.Values{"mount": b.mount, "path": b.path},
		Elsewhere: []provider.Values{
			{"mount": "no-such-mount", "path": b.path}, {"mount": b.mount + "/acme", "path": "web"}, {"mount": "cubbyhole", "path": b.path}, {"mount": "sys", "path": b.path},
		},
		Address: "address",
		Racy:    racy,
		Weak: func() (provider.Values, map[string]string) {
			token := other.Server(b.t).ClientWithPolicy(b.t, fmt.Sprintf(readOnly, b.mount)+lookUp).Token()
			return nil, map[string]string{"token": token}
		},
		Plant:   b.plant,
		Remove:  b.remove,
		Truth:   b.truth,
		Objects: func() []string { return b.objects("") },
		Extend:  b.extend(),
	}
}

// objects returns the paths of all KV secrets below a folder, with the mount.
func (b *bench) objects(folder string) []string {
	b.t.Helper()
	secret, err := b.root.Logical().List(b.apiPath("metadata", folder))
	b.must(err)
	if secret == nil {
		return nil
	}
	var paths []string
	names, _ := secret.Data["keys"].([]any)
	for _, name := range names {
		below := folder + name.(string)
		if strings.HasSuffix(below, "/") {
			paths = append(paths, b.objects(below)...)
		} else {
			paths = append(paths, b.mount+"/"+below)
		}
	}
	return paths
}

// extend returns Party.Extend. A bundle keeps the fields of others.
func (b *bench) extend() func(name string) func() bool {
	if b.granularity == provider.Bundle {
		return nil
	}
	return func(name string) func() bool {
		secret := b.path + "/" + name
		fields := b.get(secret)
		fields["owner"] = "them"
		b.put(secret, fields)
		return func() bool { return b.get(secret)["owner"] == "them" }
	}
}

// apiPath returns the API path of a KV secret.
func (b *bench) apiPath(kind, secret string) string {
	if b.version == "1" {
		return path.Join(b.mount, secret)
	}
	return path.Join(b.mount, kind, secret)
}

func (b *bench) put(secret string, fields map[string]any) {
	b.t.Helper()
	if b.version == "2" {
		fields = map[string]any{"data": fields}
	}
	_, err := b.root.Logical().Write(b.apiPath("data", secret), fields)
	b.must(err)
}

func (b *bench) get(path string) map[string]any {
	b.t.Helper()
	secret, err := b.root.Logical().Read(b.apiPath("data", path))
	b.must(err)
	if secret == nil {
		return nil
	}
	if b.version == "1" {
		return secret.Data
	}
	fields, _ := secret.Data["data"].(map[string]any)
	return fields
}

func (b *bench) plant(name, value string) {
	b.t.Helper()
	if b.granularity == provider.Key {
		b.put(b.path+"/"+name, map[string]any{"value": value})
		return
	}
	fields := b.get(b.path)
	if fields == nil {
		fields = make(map[string]any)
	}
	fields[name] = value
	b.put(b.path, fields)
}

func (b *bench) remove(name string) {
	b.t.Helper()
	if b.granularity == provider.Key {
		_, err := b.root.Logical().Delete(b.apiPath("metadata", b.path+"/"+name))
		b.must(err)
		return
	}
	fields := b.get(b.path)
	delete(fields, name)
	if len(fields) == 0 {
		_, err := b.root.Logical().Delete(b.apiPath("data", b.path))
		b.must(err)
		return
	}
	b.put(b.path, fields)
}

func (b *bench) truth() map[string]string {
	b.t.Helper()
	truth := make(map[string]string)
	if b.granularity == provider.Bundle {
		for name, value := range b.get(b.path) {
			truth[name] = plain(value)
		}
		return truth
	}
	secret, err := b.root.Logical().List(b.apiPath("metadata", b.path))
	b.must(err)
	if secret == nil {
		return truth
	}
	names, _ := secret.Data["keys"].([]any)
	for _, name := range names {
		if fields := b.get(b.path + "/" + name.(string)); fields != nil {
			truth[name.(string)] = plain(fields["value"])
		}
	}
	return truth
}

// plain returns a string unchanged and any other value as JSON.
func plain(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	encoded, _ := json.Marshal(value)
	return string(encoded)
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}
