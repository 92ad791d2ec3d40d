package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"testing"
)

const kibibyte = 1 << 10

var benchLocation = SecretLocation{Name: "DATABASE_URL", Version: 3}

func benchContext(t testing.TB) *Context[SecretLocation] {
	t.Helper()
	return must(newTestWorkspace(t, newTestMaster(t)).Secrets(production))(t)
}

func BenchmarkSeal1KiB(b *testing.B) {
	c, plaintext := benchContext(b), make([]byte, kibibyte)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Seal(benchLocation, plaintext); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen1KiB(b *testing.B) {
	c := benchContext(b)
	ct := must(c.Seal(benchLocation, make([]byte, kibibyte)))(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Open(benchLocation, ct); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBareGCMSeal1KiB is the baseline: one key for all messages and no derivation.
func BenchmarkBareGCMSeal1KiB(b *testing.B) {
	block := must(aes.NewCipher(make([]byte, keySize)))(b)
	aead := must(cipher.NewGCMWithRandomNonce(block))(b)
	plaintext, additional := make([]byte, kibibyte), make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		aead.Seal(nil, nil, plaintext, additional)
	}
}

func BenchmarkRewrap1KiB(b *testing.B) {
	c := benchContext(b)
	ct := must(c.Seal(benchLocation, make([]byte, kibibyte)))(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Rewrap(benchLocation, ct); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkColdOpen1KiB is a first read, for which the keyring is not cached.
func BenchmarkColdOpen1KiB(b *testing.B) {
	m := newTestMaster(b)
	w := newTestWorkspace(b, m)
	entry := must(m.Wrap(w))(b)
	sealed := must(must(w.Secrets(production))(b).Seal(benchLocation, make([]byte, kibibyte)))(b).Bytes()
	b.ReportAllocs()
	for b.Loop() {
		unwrapped := must(m.Unwrap(w.Scope(), entry))(b)
		c := must(unwrapped.Secrets(production))(b)
		ct := must(ParseCiphertext[SecretLocation](sealed))(b)
		if _, err := c.Open(benchLocation, ct); err != nil {
			b.Fatal(err)
		}
		c.Wipe()
		unwrapped.Wipe()
	}
}

func BenchmarkUnwrap(b *testing.B) {
	m := newTestMaster(b)
	w := newTestWorkspace(b, m)
	entry := must(m.Wrap(w))(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Unwrap(w.Scope(), entry); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrap(b *testing.B) {
	m := newTestMaster(b)
	w := newTestWorkspace(b, m)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Wrap(w); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkContext uses each context once.
func BenchmarkContext(b *testing.B) {
	w := newTestWorkspace(b, newTestMaster(b))
	ct := must(must(w.Secrets(production))(b).Seal(benchLocation, make([]byte, kibibyte)))(b)
	b.ReportAllocs()
	for b.Loop() {
		c := must(w.Secrets(production))(b)
		if _, err := c.Open(benchLocation, ct); err != nil {
			b.Fatal(err)
		}
		c.Wipe()
	}
}

func BenchmarkDigest1KiB(b *testing.B) {
	m := must(newTestWorkspace(b, newTestMaster(b)).AccessTokens())(b)
	data := make([]byte, kibibyte)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Sum(AccessTokenLocation{production, "deploy", "0123456789abcdefghijkl"}, data); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSealAndOpenAllocateLittle(t *testing.T) {
	const limit = 22
	if raceEnabled() {
		t.Skip("the race detector allocates memory itself")
	}
	c, plaintext := benchContext(t), make([]byte, kibibyte)
	ct := must(c.Seal(benchLocation, plaintext))(t)
	for name, call := range map[string]func() error{
		"seal": func() error { _, err := c.Seal(benchLocation, plaintext); return err },
		"open": func() error { _, err := c.Open(benchLocation, ct); return err },
	} {
		allocs := testing.AllocsPerRun(200, func() {
			if err := call(); err != nil {
				t.Fatal(err)
			}
		})
		if t.Logf("%s: %v allocations", name, allocs); allocs > limit {
			t.Errorf("%s allocates %v times; the limit is %d", name, allocs, limit)
		}
	}
}
