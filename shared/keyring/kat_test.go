package keyring

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vector is one known answer in the format of testdata/kat/v1.json. Bytes are hexadecimal digits. A
// field of the scope is text or "hex:...".
type vector struct {
	Name                string   `json:"name"`
	MasterKey           string   `json:"master_key"`
	MasterVersion       uint32   `json:"master_version"`
	WorkspaceID         string   `json:"ws_id,omitempty"`
	Workspace           string   `json:"workspace,omitempty"`
	WrappedWorkspaceKey string   `json:"wrapped_workspace_key,omitempty"`
	WorkspaceKey        string   `json:"workspace_key,omitempty"`
	WorkspaceKeyVersion uint32   `json:"workspace_key_version,omitempty"`
	Domain              string   `json:"domain"`
	Scope               []string `json:"scope"`
	ContextKey          string   `json:"context_key"`
	Binding             *string  `json:"binding,omitempty"`
	Plaintext           *string  `json:"plaintext,omitempty"`
	Ciphertext          *string  `json:"ciphertext,omitempty"`
	Text                *string  `json:"text,omitempty"`
	Message             *string  `json:"message,omitempty"`
	MAC                 *string  `json:"mac,omitempty"`
}

var vectorFile = filepath.Join("testdata", "kat", "v1.json")

func readVectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile(vectorFile)
	if errors.Is(err, os.ErrNotExist) && *addVectors {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&vectors); err != nil {
		t.Fatal(err)
	}
	return vectors
}

func TestKnownAnswers(t *testing.T) {
	domains := make(map[string]bool)
	for _, v := range readVectors(t) {
		domains[v.Domain] = true
		t.Run(v.Name, func(t *testing.T) { v.verify(t) })
	}
	for _, domain := range []string{
		labelSecret, labelCredential, labelSyncMetadata, labelApplication, labelLease, labelRotation, labelWebhook,
		labelAccessToken, labelFingerprint, labelActivity, labelApplicationHMAC, labelEngineActivity,
	} {
		if !domains[domain] {
			t.Errorf("no vector of domain %s", domain)
		}
	}
}

func (v vector) verify(t *testing.T) {
	m := v.master(t)
	if v.Domain == labelEngineActivity {
		verifyDigest(t, v, must(m.EngineActivity())(t), v.activity(t))
		return
	}
	w := v.workspace(t, m)
	switch v.Domain {
	case labelSecret:
		at := v.location(t, 2)
		verifySealed(t, v, must(w.Secrets(v.environment(t)))(t), SecretLocation{string(at[0]), number(at[1])})
	case labelCredential:
		at := v.location(t, 3)
		verifySealed(t, v, must(w.Credentials(v.integration(t)))(t), CredentialLocation{[32]byte(at[0]), string(at[1]), number(at[2])})
	case labelLease:
		at := v.location(t, 4)
		verifySealed(t, v, must(w.Leases(v.integration(t)))(t), LeaseLocation{[32]byte(at[0]), string(at[1]), ID(at[2]), number(at[3])})
	case labelRotation:
		at := v.location(t, 3)
		verifySealed(t, v, must(w.RotationJournal(v.integration(t)))(t), RotationLocation{[32]byte(at[0]), number(at[1]), string(at[2])})
	case labelSyncMetadata:
		verifySealed(t, v, must(w.SyncMetadata(v.sync(t)))(t), SyncLocation{string(v.location(t, 1)[0])})
	case labelWebhook:
		at := v.location(t, 2)
		of := WebhookScope{v.Scope[1], v.id(t, 2)}
		verifySealed(t, v, must(w.Webhook(of))(t), WebhookLocation{string(at[0]), number(at[1])})
	case labelApplication:
		verifySealed(t, v, must(w.Application(v.Scope[1]))(t), ApplicationLocation{v.location(t, 1)[0]})
	case labelAccessToken:
		in := v.input(t)
		of := EnvironmentScope{string(in[1]), string(in[2]), ID(in[3])}
		verifyDigest(t, v, must(w.AccessTokens())(t), AccessTokenLocation{of, string(in[4]), string(in[5])})
	case labelFingerprint:
		verifyDigest(t, v, must(w.Fingerprints(v.sync(t)))(t), FingerprintLocation{string(v.input(t)[1])})
	case labelActivity:
		verifyDigest(t, v, must(w.Activity())(t), v.activity(t))
	case labelApplicationHMAC:
		verifyDigest(t, v, must(w.ApplicationHMAC(v.Scope[1]))(t), HMACLocation{})
	default:
		t.Fatalf("unknown domain %q", v.Domain)
	}
}

// id returns the incarnation id in field i of the scope. Field 0 is the workspace's id.
func (v vector) id(t *testing.T, i int) ID {
	t.Helper()
	return must(ParseID(strings.TrimPrefix(v.Scope[i], "hex:")))(t)
}

func (v vector) environment(t *testing.T) EnvironmentScope {
	t.Helper()
	return EnvironmentScope{v.Scope[1], v.Scope[2], v.id(t, 3)}
}

func (v vector) integration(t *testing.T) IntegrationScope {
	t.Helper()
	return IntegrationScope{v.Scope[1], v.Scope[2], v.id(t, 3)}
}

func (v vector) sync(t *testing.T) SyncScope {
	t.Helper()
	return SyncScope{v.Scope[1], v.Scope[2], v.Scope[3], v.Scope[4], v.id(t, 5)}
}

func number(field []byte) uint64 { return binary.BigEndian.Uint64(field) }

// master decodes the vector's master key from a record that is built by hand.
func (v vector) master(t *testing.T) *Master {
	record := append([]byte{1}, make([]byte, 16)...)
	if v.Domain == labelEngineActivity {
		copy(record[1:], unhex(t, strings.TrimPrefix(v.Scope[0], "hex:")))
	}
	record = append(record, 0, 1)
	record = binary.BigEndian.AppendUint32(record, v.MasterVersion)
	record = append(binary.BigEndian.AppendUint64(record, 0), unhex(t, v.MasterKey)...)
	return must(DecodeMaster(record))(t)
}

// workspace unwraps the vector's workspace from an entry that is built by hand.
func (v vector) workspace(t *testing.T, m *Master) *Workspace {
	entry := binary.BigEndian.AppendUint32([]byte{1}, v.WorkspaceKeyVersion)
	entry = binary.BigEndian.AppendUint32(append(entry, 0, 1), v.WorkspaceKeyVersion)
	entry = append(binary.BigEndian.AppendUint64(entry, 0), unhex(t, v.WrappedWorkspaceKey)...)
	w := must(m.Unwrap(WorkspaceScope{v.Workspace, must(ParseID(v.WorkspaceID))(t)}, entry))(t)
	v.expectKey(t, w.keys.use, v.WorkspaceKeyVersion, v.WorkspaceKey)
	if v.Scope[0] != "hex:"+v.WorkspaceID {
		t.Errorf("scope begins with %s instead of the workspace's id", v.Scope[0])
	}
	return w
}

func (v vector) expectKey(t *testing.T, use func(uint32, func(*[keySize]byte) error) error, version uint32, want string) {
	t.Helper()
	err := use(version, func(key *[keySize]byte) error {
		if got := hex.EncodeToString(key[:]); got != want {
			t.Errorf("derived %s, want %s", got, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// location returns the last n fields of the binding.
func (v vector) location(t *testing.T, n int) [][]byte {
	fields, rest := parts(t, unhex(t, *v.Binding))
	if len(rest) != 0 || len(fields) != 1+len(v.Scope)+n {
		t.Fatalf("binding %s has the wrong fields", *v.Binding)
	}
	return fields[len(fields)-n:]
}

func (v vector) input(t *testing.T) [][]byte {
	fields, _ := parts(t, unhex(t, *v.Message))
	return fields
}

func (v vector) activity(t *testing.T) ActivityLocation {
	fields := v.input(t)
	return ActivityLocation{string(fields[1]), binary.BigEndian.Uint64(fields[2]), [32]byte(fields[3])}
}

func verifySealed[L Location](t *testing.T, v vector, c *Context[L], at L) {
	v.expectKey(t, c.keys.use, v.WorkspaceKeyVersion, v.ContextKey)
	m := must(endMessage(at.bind(c.message.begin(make([]byte, commitmentOffset)))))(t)
	if got := hex.EncodeToString(m.binding()); got != *v.Binding {
		t.Errorf("binding %s, want %s", got, *v.Binding)
	}
	ct := must(ParseCiphertext[L](unhex(t, *v.Ciphertext)))(t)
	same := must(ParseText[L](*v.Text))(t)
	if ct.Text() != *v.Text || !bytes.Equal(same.Bytes(), ct.Bytes()) || ct.KeyVersion() != v.WorkspaceKeyVersion {
		t.Error("text and bytes differ")
	}
	if got := must(c.Open(at, ct))(t); hex.EncodeToString(got) != *v.Plaintext {
		t.Errorf("opened %x, want %s", got, *v.Plaintext)
	}
	moved := must(c.Rewrap(at, ct))(t)
	if got := must(c.Open(at, moved))(t); hex.EncodeToString(got) != *v.Plaintext {
		t.Errorf("opened %x after a rewrap, want %s", got, *v.Plaintext)
	}
}

func verifyDigest[L macLocation](t *testing.T, v vector, m *MAC[L], at L) {
	version := m.keys.parent.latest()
	v.expectKey(t, m.keys.use, version, v.ContextKey)
	_, rest := parts(t, unhex(t, *v.Message))
	data := rest[8:]
	if got := must(m.Sum(at, data))(t).Sum(); hex.EncodeToString(got[:]) != *v.MAC {
		t.Errorf("got digest %x, want %s", got, *v.MAC)
	}
	stored := must(ParseDigest[L](version, [32]byte(unhex(t, *v.MAC))))(t)
	if err := m.Verify(at, data, stored); err != nil {
		t.Error(err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	return must(hex.DecodeString(s))(t)
}
