package crashtest

import (
	"errors"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// toys is the only provider of the world. Its server is outside the world. It accepts one key, like
// the server of a real provider.
var toys = newToys()

func newToys() (t struct {
	registry *provider.Registry
	server   *toy.Server
	key      string
}) {
	p, server := toy.New()
	t.registry, _ = provider.NewRegistry(p) // an error here fails every test
	t.server, t.key = server, server.Key()
	return t
}

// integrations lists the integrations of the world.
var integrations = []string{"integrations/acme/toy/main", "integrations/acme/toy/second", "integrations/other/toy/main"}

func integrationOperations() []operation {
	const one = "integrations/acme/toy/main"
	return []operation{
		{name: "create an integration", request: request{Op: write, Path: "integrations/acme/toy/new", Data: data{"key": toys.key, "labels": "a"}}},
		{name: "change an integration", request: request{Op: write, Path: one, Data: data{"allowed_targets": "*", "page_size": 7}}},
		{name: "move an integration without its credential", request: request{Op: write, Path: one, Data: data{"region": "us"}}},
		{name: "move an integration with its credential", request: request{Op: patch, Path: one, Data: data{"region": "us", "key": toys.key}}},
		{name: "supply the credential again", request: request{Op: write, Path: one, Data: data{"key": toys.key}}},
		{name: "delete an integration", request: request{Op: destroy, Path: one}},
		{name: "create a sync", prepare: granted, request: request{Op: write, Path: manualSync, Data: definition}},
		{name: "delete a sync", prepare: synced, request: request{Op: destroy, Path: manualSync, Data: data{"purge": false}}},
	}
}

// manualSync runs on request only, because the comparison of worlds does not cover the shelves.
const manualSync = "syncs/acme/api/dev/toy-shelf/main"

var definition = data{"integration": "main", "shelf": "crashes", "trigger": "manual", "on_conflict": "overwrite"}

// granted allows syncs of acme to use an integration.
func granted(m *mount) { m.Write(integrations[0], data{"allowed_targets": "*"}) }

// synced creates a sync and runs it, so that it has a ledger.
func synced(m *mount) {
	granted(m)
	m.Write(manualSync, definition)
	m.Write(manualSync+"/run", nil)
	m.Settle()
}

// integrations reads the integrations of a workspace, and checks whether their credentials open.
func (v view) integrations(m *mount, w string) {
	for _, path := range v.names(m, "integrations/"+w) {
		v.ask(m, request{Op: read, Path: "integrations/" + w + "/" + path})
		v.ask(m, request{Op: write, Path: "integrations/" + w + "/" + path + "/verify"})
	}
	for _, path := range v.names(m, "syncs/"+w) {
		v.ask(m, request{Op: read, Path: "syncs/" + w + "/" + path})
	}
}

func (c inspection) loadIntegrations(t *testing.T, ws store.ID) error {
	t.Helper()
	names, err := c.store.Integrations(t.Context(), ws)
	for prov, all := range names {
		for _, name := range all {
			record, readErr := c.store.Integration(t.Context(), ws, prov, name)
			if err = errors.Join(err, readErr); err == nil {
				c.generations[record.ID] = record.Credential.Generation
			}
		}
	}
	return err
}

// checkCredential checks that only the current generation of a credential is stored.
func (c inspection) checkCredential(t *testing.T, key string, integration store.ID) {
	t.Helper()
	sealed, err := c.store.Credential(t.Context(), integration)
	switch number, exists := c.generations[integration]; {
	case !exists:
		t.Errorf("%s is an orphan", key)
	case err != nil || sealed == nil:
		t.Errorf("%s cannot be read: %v", key, err)
	case len(sealed.Generations) != 1 || sealed.Generations[0].Number != number:
		t.Errorf("%s has %d generations, want only generation %d", key, len(sealed.Generations), number)
	}
}

// TestMovedCredentialDoesNotOpen replaces sealed credentials, and single fields of them, with
// others: of another integration, workspace, field, generation or endpoint. Other credentials must
// still open, and the credential must open again after it is restored.
func TestMovedCredentialDoesNotOpen(t *testing.T) {
	m := world(t)
	m.Write("integrations/acme/toy/pair", data{"auth": "pair", "account": "ada", "password": toys.key})
	m.Write(integrations[1], data{"key": toys.key}) // creates its second generation
	clean, clock := m.Storage.Clone(), m.Clock
	end(m)
	type moved struct {
		name     string
		to, from string
		change   func(to, from *store.Generation)
	}
	whole := func(to, from *store.Generation) { *to = *from }
	envelope := func(field, of string) func(to, from *store.Generation) {
		return func(to, from *store.Generation) { to.Fields[field] = from.Fields[of] }
	}
	main, second, other, pair := integrations[0], integrations[1], integrations[2], "integrations/acme/toy/pair"
	for _, x := range []moved{
		{"another integration's", main, second, whole},
		{"another integration's envelope", main, second, envelope("key", "key")},
		{"another workspace's", main, other, whole},
		{"another workspace's envelope", main, other, envelope("key", "key")},
		{"another field's", main, pair, envelope("key", "password")},
		{"its own in another generation", main, main, func(to, _ *store.Generation) { to.Number = 2 }},
		{"its own for another endpoint", main, main, func(to, _ *store.Generation) { to.Endpoint[0] ^= 1 }},
		{"cut", main, main, func(to, from *store.Generation) { to.Fields["key"] = from.Fields["key"][:80] }},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := clean.Clone()
			records, err := store.New(s)
			if err != nil {
				t.Fatal(err)
			}
			to, from := credentialOf(t, records, x.to), credentialOf(t, records, x.from)
			key := "cred/" + string(to.id)
			was := s.Raw(key)
			x.change(&to.sealed.Generations[0], &from.sealed.Generations[0])
			record := *to.record
			record.Credential.Generation = to.sealed.Generations[0].Number
			if err := errors.Join(records.PutCredential(t.Context(), to.id, to.sealed), records.PutIntegration(t.Context(), to.ws, "toy", to.name, &record)); err != nil {
				t.Fatal(err)
			}
			m := start(t, s, clock)
			if got := m.Refuse(write, x.to+"/verify", nil); got.Word() != "provider" || got.Status != 400 {
				t.Errorf("verify returned %v, want 400 provider", got)
			}
			for _, neighbour := range []string{second, other, pair} {
				m.Write(neighbour+"/verify", nil)
			}
			end(m)
			s.SetRaw(key, was)
			if err := records.PutIntegration(t.Context(), to.ws, "toy", to.name, to.record); err != nil {
				t.Fatal(err)
			}
			m = start(t, s, clock)
			m.Write(x.to+"/verify", nil)
			end(m)
		})
	}
}

// kept is the stored data of an integration.
type kept struct {
	ws, id store.ID
	name   string
	record *store.Integration
	sealed *store.Credential
}

func credentialOf(t *testing.T, records *store.Store, path string) kept {
	t.Helper()
	segments := strings.Split(path, "/")
	w, name := segments[1], segments[3]
	ws, err := records.Workspace(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	record, err := records.Integration(t.Context(), ws.ID, "toy", name)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := records.Credential(t.Context(), record.ID)
	if err != nil {
		t.Fatal(err)
	}
	return kept{ws.ID, record.ID, name, record, sealed}
}

// TestRewrapCoversCredentials checks that key versions cannot be retired while credentials need
// them. A credential that does not open under the current settings is kept for the settings that it
// was supplied with.
func TestRewrapCoversCredentials(t *testing.T) {
	m := world(t)
	m.Write(integrations[0], data{"region": "us"})
	lockedAmidRewrap(m) // nothing is rewrapped yet
	m.Storage.FailFrom(3, false)
	m.Write("workspaces/acme/unlock", nil)
	m.Settle()
	m.Storage.Reset()
	if got := m.Refuse(write, "keys/acme", data{"min_decryption_version": 2}); got.Status != 409 || !strings.Contains(got.Text, "2 credentials") {
		t.Errorf("min_decryption_version returned %v, want 409 with 2 credentials", got)
	}
	m = m.Restart()
	m.Settle()
	rewrap, _ := m.Read("keys/acme")["rewrap"].(data)
	if rewrap["state"] != "done" || rewrap["failed"] != 0.0 || rewrap["done"] != rewrap["total"] {
		t.Errorf("the rewrap is %v", rewrap)
	}
	m.Write("keys/acme", data{"min_decryption_version": 2})
	m.Write("keys/acme/trim", nil)
	m = m.Restart()
	m.Write(integrations[1]+"/verify", nil)
	if got := m.Refuse(write, integrations[0]+"/verify", nil); got.Word() != "provider" {
		t.Errorf("verify of the moved integration returned %v", got)
	}
	m.Write(integrations[0], data{"region": "eu"})
	m.Write(integrations[0]+"/verify", nil)
	m.Write(integrations[2]+"/verify", nil)
}
