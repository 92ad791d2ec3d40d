package keyring

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"math"
	"os"
	"slices"
	"testing"
)

var addVectors = flag.Bool("add-vectors", false, "add the known-answer vectors that testdata/kat/v1.json lacks; those it has stay")

// wanted is the list of vectors that must exist. To add one, add it here and run the test with -add-vectors.
var wanted = []struct {
	name string
	make func(t *testing.T, g generator) vector
}{
	{"secret", func(t *testing.T, g generator) vector {
		at := SecretLocation{"DATABASE_URL", 1}
		return sealed(t, g, must(g.w.Secrets("shop", "production"))(t), at, []byte("postgres://db"), "shop", "production")
	}},
	{"secret, empty", func(t *testing.T, g generator) vector {
		return sealed(t, g, must(g.w.Secrets("shop", "production"))(t), SecretLocation{"EMPTY", 2}, nil, "shop", "production")
	}},
	{"secret, highest version, binary", func(t *testing.T, g generator) vector {
		plaintext := make([]byte, 1000)
		random(plaintext)
		return sealed(t, g, must(g.w.Secrets("a", "b"))(t), SecretLocation{"k/e.y", math.MaxUint64}, plaintext, "a", "b")
	}},
	{"integration credential", func(t *testing.T, g generator) vector {
		at := CredentialLocation{Endpoint: [32]byte(randomBytes(32)), Field: "access_token", Generation: 3}
		return sealed(t, g, must(g.w.Integration("github", "main"))(t), at, []byte("ghp_example"), "github", "main")
	}},
	{"sync metadata", func(t *testing.T, g generator) vector {
		return sealed(t, g, must(g.w.SyncMetadata("github", "ci"))(t), SyncLocation{"ledger"}, []byte(`{"names":[]}`), "github", "ci")
	}},
	{"application", func(t *testing.T, g generator) vector {
		return sealed(t, g, must(g.w.Application("orders"))(t), ApplicationLocation{[]byte("order 17")}, []byte("card"), "orders")
	}},
	{"application, no associated data", func(t *testing.T, g generator) vector {
		return sealed(t, g, must(g.w.Application("orders"))(t), ApplicationLocation{}, randomBytes(32), "orders")
	}},
	{"access token", func(t *testing.T, g generator) vector {
		return digested(t, g, must(g.w.AccessTokens())(t), AccessTokenLocation{"0123456789abcdefghijkl"}, []byte("sbt_sat_example"))
	}},
	{"sync fingerprint", func(t *testing.T, g generator) vector {
		at := FingerprintLocation{"DATABASE_URL"}
		return digested(t, g, must(g.w.Fingerprints("github", "ci"))(t), at, []byte("postgres://db"), "github", "ci")
	}},
	{"activity, first record", func(t *testing.T, g generator) vector {
		return digested(t, g, must(g.w.Activity())(t), ActivityLocation{Stream: "main"}, []byte("record 0"))
	}},
	{"activity, later record", func(t *testing.T, g generator) vector {
		return digested(t, g, must(g.w.Activity())(t), ActivityLocation{"main", 41, [32]byte(randomBytes(32))}, []byte("record 41"))
	}},
	{"application hmac", func(t *testing.T, g generator) vector {
		return digested(t, g, must(g.w.ApplicationHMAC("orders"))(t), HMACLocation{}, []byte("alice@example.com"), "orders")
	}},
	{"application hmac, empty input", func(t *testing.T, g generator) vector {
		return digested(t, g, must(g.w.ApplicationHMAC("orders"))(t), HMACLocation{}, nil, "orders")
	}},
	{"engine activity", func(t *testing.T, g generator) vector {
		v := digested(t, g, must(g.m.EngineActivity())(t), ActivityLocation{Stream: "engine", Sequence: 1}, []byte("rotated"))
		v.WorkspaceID, v.WrappedWorkspaceKey, v.WorkspaceKey, v.WorkspaceKeyVersion = "", "", "", 0
		v.Domain, v.Scope = labelEngineActivity, []string{"hex:" + hex.EncodeToString(g.m.mount[:])}
		return v
	}},
}

func TestEveryWantedVectorExists(t *testing.T) {
	vectors := readVectors(t)
	added := 0
	for i, want := range wanted {
		if slices.ContainsFunc(vectors, func(v vector) bool { return v.Name == want.name }) {
			continue
		}
		if !*addVectors {
			t.Errorf("there is no vector %q: run this test with -add-vectors", want.name)
			continue
		}
		v := want.make(t, newGenerator(t, uint32(i)))
		v.Name = want.name
		vectors = append(vectors, v)
		added++
	}
	if added == 0 {
		return
	}
	b := must(json.MarshalIndent(vectors, "", "  "))(t)
	if err := os.WriteFile(vectorFile, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// generator is fresh keys for one vector.
type generator struct {
	m *Master
	w *Workspace
}

// newGenerator varies the key versions by vector.
func newGenerator(t *testing.T, i uint32) generator {
	first := must(newVersion(1+i%3, day))(t)
	m := &Master{mount: [16]byte(randomBytes(16)), keys: &ring{versions: []keyVersion{first}}}
	w := newTestWorkspace(t, m)
	w.keys.versions[0].number = 1 + i*i
	w.minimum = 1 + i*i
	return generator{m, w}
}

func (g generator) vector(t *testing.T, d *derived, label string, names []string) vector {
	master, key := &g.m.keys.versions[0], &g.w.keys.versions[0]
	kek := must(g.m.kek(master.number, g.w.id))(t)
	v := vector{
		MasterKey:           hex.EncodeToString(master.key[:]),
		MasterVersion:       master.number,
		WorkspaceID:         g.w.id.String(),
		WrappedWorkspaceKey: hex.EncodeToString(must(wrapKey(kek, master.number, g.w.id, key.number, key.key))(t)),
		WorkspaceKey:        hex.EncodeToString(key.key[:]),
		WorkspaceKeyVersion: key.number,
		Domain:              label,
		Scope:               append([]string{"hex:" + g.w.id.String()}, names...),
	}
	err := d.use(d.parent.latest(), func(key *[keySize]byte) error {
		v.ContextKey = hex.EncodeToString(key[:])
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func sealed[L Location](t *testing.T, g generator, c *Context[L], at L, plaintext []byte, names ...string) vector {
	ct := must(c.Seal(at, plaintext))(t)
	m := must(endMessage(at.bind(c.message.begin(ct.Bytes()))))(t)
	label, _ := parts(t, m.binding())
	v := g.vector(t, c.keys, string(label[0]), names)
	v.Binding, v.Plaintext = hexOf(m.binding()), hexOf(plaintext)
	text := ct.Text()
	v.Ciphertext, v.Text = hexOf(ct.Bytes()), &text
	return v
}

func digested[L macLocation](t *testing.T, g generator, m *MAC[L], at L, data []byte, names ...string) vector {
	message := must(at.identify(newTuple(nil).all(m.input)).encode())(t)
	label, _ := parts(t, message)
	message = append(binary.BigEndian.AppendUint64(message, uint64(len(data))), data...)
	v := g.vector(t, m.keys, string(label[0]), names)
	sum := must(m.Sum(at, data))(t).Sum()
	v.Message, v.MAC = hexOf(message), hexOf(sum[:])
	return v
}

func hexOf(b []byte) *string {
	s := hex.EncodeToString(b)
	return &s
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	random(b)
	return b
}
