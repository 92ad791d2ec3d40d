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

var addVectors = flag.Bool("add-vectors", false, "add the known-answer vectors that testdata/kat/v1.json lacks, and change no other")

// wanted lists the vectors that must exist. To add a vector, append it here and run the test with
// -add-vectors.
var wanted = []struct {
	name string
	make func(t *testing.T, g generator) vector
}{
	{"secret", func(t *testing.T, g generator) vector {
		of := EnvironmentScope{"shop", "production", randomID()}
		return sealed(t, g, (*Workspace).Secrets, of, SecretLocation{"DATABASE_URL", 1}, []byte("postgres://db"))
	}},
	{"secret, empty", func(t *testing.T, g generator) vector {
		of := EnvironmentScope{"shop", "production", randomID()}
		return sealed(t, g, (*Workspace).Secrets, of, SecretLocation{"EMPTY", 2}, nil)
	}},
	{"secret, highest version, binary", func(t *testing.T, g generator) vector {
		return sealed(t, g, (*Workspace).Secrets, EnvironmentScope{"a", "b", ID{}}, SecretLocation{"k/e.y", math.MaxUint64}, randomBytes(1000))
	}},
	{"integration credential", func(t *testing.T, g generator) vector {
		at := CredentialLocation{Endpoint: [32]byte(randomBytes(32)), Field: "access_token", Generation: 3}
		return sealed(t, g, (*Workspace).Credentials, IntegrationScope{"github", "main", randomID()}, at, []byte("ghp_example"))
	}},
	{"integration credential, no name, binary", func(t *testing.T, g generator) vector {
		at := CredentialLocation{Generation: math.MaxUint64}
		return sealed(t, g, (*Workspace).Credentials, IntegrationScope{"vault", "", ID{}}, at, randomBytes(33))
	}},
	{"lease", func(t *testing.T, g generator) vector {
		at := LeaseLocation{[32]byte(randomBytes(32)), "deploy", randomID(), 1}
		return sealed(t, g, (*Workspace).Leases, IntegrationScope{"aws", "main", randomID()}, at, []byte(`{"remote_id":"AKIAEXAMPLE"}`))
	}},
	{"lease, later revision, empty", func(t *testing.T, g generator) vector {
		at := LeaseLocation{[32]byte(randomBytes(32)), "read-only", randomID(), math.MaxUint64}
		return sealed(t, g, (*Workspace).Leases, IntegrationScope{"github", "org.main", randomID()}, at, nil)
	}},
	{"rotation journal", func(t *testing.T, g generator) vector {
		at := RotationLocation{[32]byte(randomBytes(32)), 4, "secret_access_key"}
		return sealed(t, g, (*Workspace).RotationJournal, IntegrationScope{"aws", "main", randomID()}, at, []byte("example key"))
	}},
	{"rotation journal, empty", func(t *testing.T, g generator) vector {
		at := RotationLocation{[32]byte(randomBytes(32)), 5, "token"}
		return sealed(t, g, (*Workspace).RotationJournal, IntegrationScope{"github", "main", randomID()}, at, nil)
	}},
	{"sync metadata, definition", func(t *testing.T, g generator) vector {
		of := SyncScope{"shop", "production", "github-actions", "ci", randomID()}
		return sealed(t, g, (*Workspace).SyncMetadata, of, SyncLocation{"definition"}, []byte(`{"paused":false}`))
	}},
	{"sync metadata, ledger", func(t *testing.T, g generator) vector {
		of := SyncScope{"shop", "staging", "vercel", "site", randomID()}
		return sealed(t, g, (*Workspace).SyncMetadata, of, SyncLocation{"ledger/0"}, []byte(`{"names":[]}`))
	}},
	{"webhook", func(t *testing.T, g generator) vector {
		at := WebhookLocation{"url", 1}
		return sealed(t, g, (*Workspace).Webhook, WebhookScope{"alerts", randomID()}, at, []byte("https://hooks.example.com/T0"))
	}},
	{"webhook, later generation, binary", func(t *testing.T, g generator) vector {
		return sealed(t, g, (*Workspace).Webhook, WebhookScope{"audit", randomID()}, WebhookLocation{"signing_key", 7}, randomBytes(32))
	}},
	{"application", func(t *testing.T, g generator) vector {
		return sealed(t, g, (*Workspace).Application, "orders", ApplicationLocation{[]byte("order 17")}, []byte("card"))
	}},
	{"application, no associated data", func(t *testing.T, g generator) vector {
		return sealed(t, g, (*Workspace).Application, "orders", ApplicationLocation{}, randomBytes(32))
	}},
	{"access token", func(t *testing.T, g generator) vector {
		at := AccessTokenLocation{EnvironmentScope{"shop", "production", randomID()}, "deploy", "0123456789abcdefghijkl"}
		return digested(t, g, unscoped((*Workspace).AccessTokens), none{}, at, []byte("sbt_sat_example"))
	}},
	{"access token, no id, binary", func(t *testing.T, g generator) vector {
		at := AccessTokenLocation{EnvironmentScope{"shop", "production", ID{}}, "ci", ""}
		return digested(t, g, unscoped((*Workspace).AccessTokens), none{}, at, randomBytes(40))
	}},
	{"sync fingerprint", func(t *testing.T, g generator) vector {
		of := SyncScope{"shop", "production", "github-actions", "ci", randomID()}
		return digested(t, g, (*Workspace).Fingerprints, of, FingerprintLocation{"DATABASE_URL"}, []byte("postgres://db"))
	}},
	{"sync fingerprint, empty value", func(t *testing.T, g generator) vector {
		of := SyncScope{"shop", "production", "vault-kv2", "mirror", randomID()}
		return digested(t, g, (*Workspace).Fingerprints, of, FingerprintLocation{"path/to/key"}, nil)
	}},
	{"activity, first record", func(t *testing.T, g generator) vector {
		return digested(t, g, unscoped((*Workspace).Activity), none{}, ActivityLocation{Stream: "main"}, []byte("record 0"))
	}},
	{"activity, later record", func(t *testing.T, g generator) vector {
		at := ActivityLocation{"main", 41, [32]byte(randomBytes(32))}
		return digested(t, g, unscoped((*Workspace).Activity), none{}, at, []byte("record 41"))
	}},
	{"application hmac", func(t *testing.T, g generator) vector {
		return digested(t, g, (*Workspace).ApplicationHMAC, "orders", HMACLocation{}, []byte("alice@example.com"))
	}},
	{"application hmac, empty input", func(t *testing.T, g generator) vector {
		return digested(t, g, (*Workspace).ApplicationHMAC, "orders", HMACLocation{}, nil)
	}},
	{"engine activity", func(t *testing.T, g generator) vector {
		return g.engine(t, ActivityLocation{Stream: "engine", Sequence: 1}, []byte("rotated"))
	}},
	{"engine activity, later record", func(t *testing.T, g generator) vector {
		return g.engine(t, ActivityLocation{"engine", 2, [32]byte(randomBytes(32))}, nil)
	}},
}

// none is the scope of a context that has no scope but its workspace.
type none struct{}

func unscoped[C any](context func(*Workspace) (C, error)) func(*Workspace, none) (C, error) {
	return func(w *Workspace, _ none) (C, error) { return context(w) }
}

// TestEveryWantedVectorExists adds missing vectors if it runs with -add-vectors. It only appends:
// to the vectors, and to the list of their hashes. It first checks that every listed vector is
// unchanged.
func TestEveryWantedVectorExists(t *testing.T) {
	vectors, sums := readVectors(t), readSums(t)
	known := len(vectors)
	for i, want := range wanted {
		if slices.ContainsFunc(vectors, func(v vector) bool { return v.Name == want.name }) {
			continue
		}
		if !*addVectors {
			t.Errorf("vector %q is missing; run this test with -add-vectors", want.name)
			continue
		}
		v := want.make(t, newGenerator(t, uint32(i)))
		v.Name = want.name
		vectors = append(vectors, v)
	}
	if len(vectors) == known {
		return
	}
	if problems := compareSums(vectors[:known], sums); len(problems) > 0 {
		t.Fatalf("no vector was added; repair these first: %q", problems)
	}
	b := must(json.MarshalIndent(vectors, "", "  "))(t)
	if err := os.WriteFile(vectorFile, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	var lines []byte
	for _, v := range vectors[known:] {
		lines = append(lines, sumOf(v).line()...)
	}
	file := must(os.OpenFile(sumFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644))(t)
	if _, err := file.Write(lines); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// generator holds new keys for one vector.
type generator struct {
	m *Master
	w *Workspace
}

// newGenerator returns keys whose versions and workspace name depend on the vector's index.
func newGenerator(t *testing.T, i uint32) generator {
	first := must(newVersion(1+i%3, day))(t)
	m := &Master{mount: [16]byte(randomBytes(16)), keys: &ring{versions: []keyVersion{first}}}
	w := must(m.NewWorkspace(WorkspaceScope{[]string{"acme", "a", "north-sea.trading_2"}[i%3], randomID()}, day))(t)
	w.keys.versions[0].number = 1 + i*i
	w.minimum = 1 + i*i
	return generator{m, w}
}

func (g generator) vector(t *testing.T, d *derived) vector {
	master, key := &g.m.keys.versions[0], &g.w.keys.versions[0]
	kek := must(g.m.kek(master.number, g.w.scope))(t)
	v := vector{
		MasterKey:           hex.EncodeToString(master.key[:]),
		MasterVersion:       master.number,
		WorkspaceID:         g.w.scope.ID.String(),
		Workspace:           g.w.scope.Name,
		WrappedWorkspaceKey: hex.EncodeToString(must(wrapKey(kek, master.number, g.w.scope, key.number, key.key))(t)),
		WorkspaceKey:        hex.EncodeToString(key.key[:]),
		WorkspaceKeyVersion: key.number,
	}
	info, _ := parts(t, d.info)
	v.Domain = string(info[1])
	for _, field := range info[2:] {
		v.Scope = append(v.Scope, scopeText(field))
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

// scopeText returns an id as hex:... and a name unchanged. No name here is as long as an id.
func scopeText(field []byte) string {
	if len(field) == len(ID{}) {
		return "hex:" + hex.EncodeToString(field)
	}
	return string(field)
}

func sealed[S any, L Location](
	t *testing.T, g generator, context func(*Workspace, S) (*Context[L], error), of S, at L, plaintext []byte,
) vector {
	c := must(context(g.w, of))(t)
	ct := must(c.Seal(at, plaintext))(t)
	m := must(endMessage(at.bind(c.message.begin(ct.Bytes()))))(t)
	v := g.vector(t, c.keys)
	v.Binding, v.Plaintext = hexOf(m.binding()), hexOf(plaintext)
	text := ct.Text()
	v.Ciphertext, v.Text = hexOf(ct.Bytes()), &text
	return v
}

func digested[S any, L macLocation](
	t *testing.T, g generator, context func(*Workspace, S) (*MAC[L], error), of S, at L, data []byte,
) vector {
	return digestOf(t, g, must(context(g.w, of))(t), at, data)
}

func digestOf[L macLocation](t *testing.T, g generator, m *MAC[L], at L, data []byte) vector {
	message := must(at.identify(newTuple(nil).all(m.input)).encode())(t)
	message = append(binary.BigEndian.AppendUint64(message, uint64(len(data))), data...)
	v := g.vector(t, m.keys)
	sum := must(m.Sum(at, data))(t).Sum()
	v.Message, v.MAC = hexOf(message), hexOf(sum[:])
	return v
}

// engine returns a vector of the mount's own activity, which has no workspace.
func (g generator) engine(t *testing.T, at ActivityLocation, data []byte) vector {
	v := digestOf(t, g, must(g.m.EngineActivity())(t), at, data)
	v.WorkspaceID, v.Workspace, v.WrappedWorkspaceKey, v.WorkspaceKey, v.WorkspaceKeyVersion = "", "", "", "", 0
	return v
}

func randomID() ID { return ID(randomBytes(len(ID{}))) }
func hexOf(b []byte) *string {
	s := hex.EncodeToString(b)
	return &s
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	random(b)
	return b
}
