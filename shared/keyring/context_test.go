package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// kind is one kind of context with a location in it, behind functions that hide the types.
type kind struct {
	name  string
	seal  func(plaintext []byte) ([]byte, error)
	open  func(sealed []byte) ([]byte, error)
	other map[string]func(sealed []byte) ([]byte, error) // opens with one thing changed
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

func newKind[L Location](name string, c *Context[L], at L, otherScopes map[string]*Context[L], otherLocations map[string]L) kind {
	k := kind{name: name, open: openWith(c, at), other: make(map[string]func([]byte) ([]byte, error))}
	k.seal = func(plaintext []byte) ([]byte, error) {
		ct, err := c.Seal(at, plaintext)
		return ct.Bytes(), err
	}
	for name, scope := range otherScopes {
		k.other[name] = openWith(scope, at)
	}
	for name, location := range otherLocations {
		k.other[name] = openWith(c, location)
	}
	return k
}

// kinds has each kind of context, and for each the ways in which its scope or location can be another one.
func kinds(t testing.TB) []kind {
	t.Helper()
	m := newTestMaster(t)
	w, stranger := newTestWorkspace(t, m), newTestWorkspace(t, m)
	endpoint, elsewhere := [32]byte{1}, [32]byte{2}
	return []kind{
		newKind("secret", must(w.Secrets("shop", "prod"))(t), SecretLocation{"db", 7},
			map[string]*Context[SecretLocation]{
				"workspace":   must(stranger.Secrets("shop", "prod"))(t),
				"project":     must(w.Secrets("shops", "prod"))(t),
				"environment": must(w.Secrets("shop", "test"))(t),
				"cut":         must(w.Secrets("shopp", "rod"))(t),
			},
			map[string]SecretLocation{"name": {"dc", 7}, "version": {"db", 8}, "both": {"db\x00", 1792}}),
		newKind("credential", must(w.Integration("vault", "main"))(t), CredentialLocation{endpoint, "token", 3},
			map[string]*Context[CredentialLocation]{
				"workspace":   must(stranger.Integration("vault", "main"))(t),
				"provider":    must(w.Integration("github", "main"))(t),
				"integration": must(w.Integration("vault", "second"))(t),
			},
			map[string]CredentialLocation{
				"endpoint": {elsewhere, "token", 3}, "field": {endpoint, "key", 3}, "generation": {endpoint, "token", 4},
			}),
		newKind("sync", must(w.SyncMetadata("github", "ci"))(t), SyncLocation{"ledger"},
			map[string]*Context[SyncLocation]{
				"workspace":   must(stranger.SyncMetadata("github", "ci"))(t),
				"destination": must(w.SyncMetadata("vercel", "ci"))(t),
				"sync":        must(w.SyncMetadata("github", "cd"))(t),
			},
			map[string]SyncLocation{"record": {"ledger2"}}),
		newKind("application", must(w.Application("orders"))(t), ApplicationLocation{[]byte("id 1")},
			map[string]*Context[ApplicationLocation]{
				"workspace": must(stranger.Application("orders"))(t),
				"context":   must(w.Application("invoices"))(t),
			},
			map[string]ApplicationLocation{"associated data": {[]byte("id 2")}, "none": {}}),
	}
}

func TestWhatIsSealedOpensAtItsPlaceAndNowhereElse(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			for _, plaintext := range [][]byte{{}, []byte("s"), bytes.Repeat([]byte("long"), 5000)} {
				sealed := must(k.seal(plaintext))(t)
				if len(sealed) != len(plaintext)+84 {
					t.Errorf("%d bytes are sealed in %d", len(plaintext), len(sealed))
				}
				got := must(k.open(sealed))(t)
				if got == nil || !bytes.Equal(got, plaintext) {
					t.Errorf("opened %d bytes that differ from the %d sealed", len(got), len(plaintext))
				}
				for changed, open := range k.other {
					if got, err := open(sealed); got != nil || !errors.Is(err, ErrOpen) {
						t.Errorf("with another %s it answers %v", changed, err)
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
			refused(t, k, append(bytes.Clone(sealed), 0), "with a byte more")
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

// Without the commitment this would open: the attacker knows both keys and made one ciphertext for both.
func TestCommitmentIsCheckedThoughTheTagIsRight(t *testing.T) {
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

func TestCiphertextOfAnotherDomainIsRefusedBeforeAnyKeyIsDerived(t *testing.T) {
	c := must(newTestWorkspace(t, newTestMaster(t)).Secrets("p", "e"))(t)
	ct := must(c.Seal(SecretLocation{}, nil))(t)
	if _, err := ParseCiphertext[SyncLocation](ct.Bytes()); !errors.Is(err, ErrFormat) {
		t.Errorf("bytes: %v", err)
	}
	if _, err := ParseText[CredentialLocation](ct.Text()); !errors.Is(err, ErrFormat) {
		t.Errorf("text: %v", err)
	}
}

func TestEnvelopeWithAnotherHeaderDoesNotParse(t *testing.T) {
	c := must(newTestWorkspace(t, newTestMaster(t)).Secrets("p", "e"))(t)
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

func TestInputBeyondItsLimitIsRefused(t *testing.T) {
	w := newTestWorkspace(t, newTestMaster(t))
	app := must(w.Application("a"))(t)
	secrets := must(w.Secrets("p", "e"))(t)
	long := strings.Repeat("x", 65536)
	most := ApplicationLocation{make([]byte, 32<<10)}
	ct := must(app.Seal(most, nil))(t)
	must(app.Open(most, ct))(t)
	for name, call := range map[string]func() error{
		"associated data to seal": func() error { _, err := app.Seal(ApplicationLocation{make([]byte, 32<<10+1)}, nil); return err },
		"associated data to open": func() error { _, err := app.Open(ApplicationLocation{make([]byte, 32<<10+1)}, ct); return err },
		"location":                func() error { _, err := secrets.Seal(SecretLocation{Name: long}, nil); return err },
		"binding":                 func() error { _, err := secrets.Seal(SecretLocation{Name: long[:65500]}, nil); return err },
		"scope of a context":      func() error { _, err := w.Secrets(long, "e"); return err },
		"scope of a MAC":          func() error { _, err := w.Fingerprints(long, "e"); return err },
		"plaintext":               func() error { _, err := secrets.Seal(SecretLocation{}, make([]byte, MaxPlaintext+1)); return err },
	} {
		if err := call(); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCiphertextsDoNotChangeWithTheBytesTheyWereMadeOf(t *testing.T) {
	c := must(newTestWorkspace(t, newTestMaster(t)).Secrets("p", "e"))(t)
	b := must(c.Seal(SecretLocation{}, []byte("x")))(t).Bytes()
	ct := must(ParseCiphertext[SecretLocation](b))(t)
	clear(b)
	clear(ct.Bytes())
	must(c.Open(SecretLocation{}, ct))(t)
}
