package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// kind is one kind of context and a location in it. Its functions hide the types.
type kind struct {
	name  string
	seal  func(plaintext []byte) ([]byte, error)
	open  func(sealed []byte) ([]byte, error)
	other map[string]func(sealed []byte) ([]byte, error) // open under another scope or location
}

func openWith[L Location](c *Context[L], at L) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		ct, err := ParseCiphertext[L](b)
		if err != nil {
			return nil, err
		}
		return c.Open(at, ct)
	}
}

func newKind[L Location](name string, contexts map[string]*Context[L], at L, otherLocations map[string]L) kind {
	c := contexts[""]
	k := kind{name: name, open: openWith(c, at), other: make(map[string]func([]byte) ([]byte, error))}
	k.seal = func(plaintext []byte) ([]byte, error) {
		ct, err := c.Seal(at, plaintext)
		return ct.Bytes(), err
	}
	for name, scope := range contexts {
		if name != "" {
			k.other["scope: "+name] = openWith(scope, at)
		}
	}
	for name, location := range otherLocations {
		k.other["location: "+name] = openWith(c, location)
	}
	return k
}

// kinds returns each kind of context. Its other functions cover every way in which a scope or a
// location can differ.
func kinds(t testing.TB) []kind {
	t.Helper()
	m := newTestMaster(t)
	w, stranger := newTestWorkspace(t, m), newTestWorkspace(t, m)
	endpoint, elsewhere := [32]byte{1}, [32]byte{2}
	secrets := contextsOf(t, w, stranger, (*Workspace).Secrets, production, map[string]EnvironmentScope{
		"project":     {"shops", "production", ID{1}},
		"environment": {"shop", "test", ID{1}},
		"id":          {"shop", "production", ID{9}},
		"cut":         {"shopp", "roduction", ID{1}},
	})
	integrations := map[string]IntegrationScope{
		"provider":    {"vault", "main", ID{2}},
		"integration": {"github", "second", ID{2}},
		"id":          {"github", "main", ID{9}},
	}
	credentials := contextsOf(t, w, stranger, (*Workspace).Credentials, github, integrations)
	leases := contextsOf(t, w, stranger, (*Workspace).Leases, github, integrations)
	rotations := contextsOf(t, w, stranger, (*Workspace).RotationJournal, github, integrations)
	syncs := contextsOf(t, w, stranger, (*Workspace).SyncMetadata, ci, otherSyncs)
	webhooks := contextsOf(t, w, stranger, (*Workspace).Webhook, alerts, map[string]WebhookScope{
		"webhook": {"alarms", ID{4}}, "id": {"alerts", ID{9}},
	})
	applications := contextsOf(t, w, stranger, (*Workspace).Application, "orders", map[string]string{"context": "invoices"})
	return []kind{
		newKind("secret", secrets, SecretLocation{"db", 7}, map[string]SecretLocation{
			"name": {"dc", 7}, "version": {"db", 8}, "both": {"db\x00", 1792},
		}),
		newKind("credential", credentials, CredentialLocation{endpoint, "token", 3}, map[string]CredentialLocation{
			"endpoint": {elsewhere, "token", 3}, "field": {endpoint, "key", 3}, "generation": {endpoint, "token", 4},
		}),
		newKind("lease", leases, LeaseLocation{endpoint, "deploy", ID{5}, 2}, map[string]LeaseLocation{
			"endpoint": {elsewhere, "deploy", ID{5}, 2}, "role": {endpoint, "read", ID{5}, 2},
			"lease": {endpoint, "deploy", ID{6}, 2}, "revision": {endpoint, "deploy", ID{5}, 3},
		}),
		newKind("rotation journal", rotations, RotationLocation{endpoint, 4, "token"}, map[string]RotationLocation{
			"endpoint": {elsewhere, 4, "token"}, "generation": {endpoint, 5, "token"}, "field": {endpoint, 4, "key"},
		}),
		newKind("sync", syncs, SyncLocation{"ledger/0"}, map[string]SyncLocation{"record": {"ledger/1"}}),
		newKind("webhook", webhooks, WebhookLocation{"url", 1}, map[string]WebhookLocation{
			"field": {"secret", 1}, "generation": {"url", 2},
		}),
		newKind("application", applications, ApplicationLocation{[]byte("id 1")}, map[string]ApplicationLocation{
			"associated data": {[]byte("id 2")}, "none": {},
		}),
	}
}

var otherSyncs = map[string]SyncScope{
	"project":     {"shops", "production", "github-actions", "ci", ID{3}},
	"environment": {"shop", "test", "github-actions", "ci", ID{3}},
	"destination": {"shop", "production", "vercel", "ci", ID{3}},
	"sync":        {"shop", "production", "github-actions", "cd", ID{3}},
	"id":          {"shop", "production", "github-actions", "ci", ID{9}},
}

// contextsOf returns the context of scope under the key "", and the contexts of another workspace
// and of other scopes.
func contextsOf[C, S any](
	t testing.TB, w, stranger *Workspace, context func(*Workspace, S) (C, error), scope S, others map[string]S,
) map[string]C {
	t.Helper()
	all := map[string]C{"": must(context(w, scope))(t), "workspace": must(context(stranger, scope))(t)}
	for name, other := range others {
		all[name] = must(context(w, other))(t)
	}
	return all
}

func TestSealedDataOpensOnlyForItsScopeAndLocation(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			for _, plaintext := range [][]byte{{}, []byte("s"), bytes.Repeat([]byte("long"), 5000)} {
				sealed := must(k.seal(plaintext))(t)
				if len(sealed) != len(plaintext)+84 {
					t.Errorf("the ciphertext of %d bytes has %d bytes", len(plaintext), len(sealed))
				}
				got := must(k.open(sealed))(t)
				if got == nil || !bytes.Equal(got, plaintext) {
					t.Errorf("opened %d bytes that differ from the %d sealed bytes", len(got), len(plaintext))
				}
				for changed, open := range k.other {
					if got, err := open(sealed); got != nil || !errors.Is(err, ErrOpen) {
						t.Errorf("with another %s: %v", changed, err)
					}
				}
			}
		})
	}
}

func TestEveryBitFlipAndTruncationFails(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			sealed := must(k.seal([]byte("plaintext")))(t)
			for i := range sealed {
				for bit := range 8 {
					changed := bytes.Clone(sealed)
					changed[i] ^= 1 << bit
					refused(t, k, changed, fmt.Sprintf("with bit %d of byte %d flipped", bit, i))
				}
			}
			for n := range sealed {
				refused(t, k, sealed[:n], fmt.Sprintf("cut to %d bytes", n))
				refused(t, k, sealed[n+1:], fmt.Sprintf("without the first %d bytes", n+1))
			}
			refused(t, k, append(bytes.Clone(sealed), 0), "with an additional byte")
		})
	}
}

func refused(t *testing.T, k kind, b []byte, how string) {
	t.Helper()
	got, err := k.open(b)
	if got != nil || !errors.Is(err, ErrOpen) && !errors.Is(err, ErrFormat) {
		t.Errorf("%s: %v", how, err)
	}
}

// Without the commitment this envelope would open: an attacker who knows both keys made one
// ciphertext for both.
func TestCommitmentIsCheckedEvenIfTheTagIsValid(t *testing.T) {
	h := newHead(domainSecret, 1, 9)
	m := must(endMessage(template(newTemplate()).begin(h).text("binding")))(t)
	keys := make([]byte, messageKeysSize)
	random(keys)
	e := must(seal(h, m, keys, []byte("plaintext")))(t)
	must(open(e, m, keys))(t)
	other := bytes.Clone(keys)
	other[keySize] ^= 1
	if _, err := open(e, m, other); !errors.Is(err, ErrOpen) {
		t.Errorf("the same key with another commitment: %v", err)
	}
}

func TestCiphertextOfAnotherDomainDoesNotParse(t *testing.T) {
	c := must(newTestWorkspace(t, newTestMaster(t)).Secrets(production))(t)
	ct := must(c.Seal(SecretLocation{}, nil))(t)
	if _, err := ParseCiphertext[SyncLocation](ct.Bytes()); !errors.Is(err, ErrFormat) {
		t.Errorf("bytes: %v", err)
	}
	if _, err := ParseText[CredentialLocation](ct.Text()); !errors.Is(err, ErrFormat) {
		t.Errorf("text: %v", err)
	}
}

func TestEnvelopeWithAnotherHeaderDoesNotParse(t *testing.T) {
	c := must(newTestWorkspace(t, newTestMaster(t)).Secrets(production))(t)
	sealed := must(c.Seal(SecretLocation{}, nil))(t).Bytes()
	for _, test := range []struct {
		name   string
		change func(b []byte) []byte
	}{
		{"format", func(b []byte) []byte { b[0]++; return b }},
		{"suite", func(b []byte) []byte { b[1]++; return b }},
		{"domain", func(b []byte) []byte { b[2]++; return b }},
		{"flags", func(b []byte) []byte { b[3]++; return b }},
		{"key version 0", func(b []byte) []byte { b[7] = 0; return b }},
		{"no room for the tag", func(b []byte) []byte { return b[:overhead-1] }},
	} {
		if ct, err := ParseCiphertext[SecretLocation](test.change(bytes.Clone(sealed))); ct.sealed != nil || !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestInputBeyondItsLimitIsRejected(t *testing.T) {
	w := newTestWorkspace(t, newTestMaster(t))
	app := must(w.Application("a"))(t)
	secrets := must(w.Secrets(production))(t)
	long := strings.Repeat("x", 65536)
	most := ApplicationLocation{make([]byte, 32<<10)}
	ct := must(app.Seal(most, nil))(t)
	must(app.Open(most, ct))(t)
	for name, call := range map[string]func() error{
		"associated data to seal": func() error { _, err := app.Seal(ApplicationLocation{make([]byte, 32<<10+1)}, nil); return err },
		"associated data to open": func() error { _, err := app.Open(ApplicationLocation{make([]byte, 32<<10+1)}, ct); return err },
		"location":                func() error { _, err := secrets.Seal(SecretLocation{Name: long}, nil); return err },
		"binding":                 func() error { _, err := secrets.Seal(SecretLocation{Name: long[:65500]}, nil); return err },
		"scope of a context":      func() error { _, err := w.Secrets(EnvironmentScope{Project: long}); return err },
		"name of a workspace":     func() error { _, err := newTestMaster(t).NewWorkspace(WorkspaceScope{Name: long}, day); return err },
		"scope of a MAC":          func() error { _, err := w.Fingerprints(SyncScope{Name: long}); return err },
		"plaintext":               func() error { _, err := secrets.Seal(SecretLocation{}, make([]byte, MaxPlaintext+1)); return err },
	} {
		if err := call(); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCiphertextsShareNoMemoryWithTheirBytes(t *testing.T) {
	c := must(newTestWorkspace(t, newTestMaster(t)).Secrets(production))(t)
	b := must(c.Seal(SecretLocation{}, []byte("x")))(t).Bytes()
	ct := must(ParseCiphertext[SecretLocation](b))(t)
	clear(b)
	clear(ct.Bytes())
	must(c.Open(SecretLocation{}, ct))(t)
}
