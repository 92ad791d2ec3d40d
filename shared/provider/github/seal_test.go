package github

import (
	"bytes"
	"crypto/ecdh"
	"crypto/fips140"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/box"
)

func recipient(t *testing.T) (public, private *[32]byte) {
	t.Helper()
	var err error
	fips140.WithoutEnforcement(func() { public, private, err = box.GenerateKey(rand.Reader) })
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

func TestSealedBoxOpensWithTheKeyOfTheScope(t *testing.T) {
	public, private := recipient(t)
	key, ok := parseKey("1", base64.StdEncoding.EncodeToString(public[:]))
	if !ok {
		t.Fatal("the key is rejected")
	}
	for _, value := range []string{"", "one", strings.Repeat("v", maxValue)} {
		body, err := key.seal([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		var sent struct {
			Value []byte `json:"encrypted_value"`
			ID    string `json:"key_id"`
		}
		if err := json.Unmarshal(body, &sent); err != nil || sent.ID != "1" || len(sent.Value) != len(value)+box.AnonymousOverhead {
			t.Fatalf("the sealed value has %d bytes for %d, key id %q: %v", len(sent.Value), len(value), sent.ID, err)
		}
		var opened []byte
		var opens bool
		fips140.WithoutEnforcement(func() { opened, opens = box.OpenAnonymous(nil, sent.Value, public, private) })
		if !opens || string(opened) != value {
			t.Errorf("a value of %d bytes does not open", len(value))
		}
		var zero [32]byte
		if bytes.Contains(body, []byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")) {
			t.Errorf("the box contains zeros instead of a key")
		}
		fips140.WithoutEnforcement(func() { _, opens = box.OpenAnonymous(nil, sent.Value, public, &zero) })
		if opens {
			t.Error("the box opens without the key")
		}
	}
}

// X25519 fails under GODEBUG=fips140=only. Package box then panics when it generates the ephemeral
// key, and treats a failed key agreement as a shared secret of zeros. Without the exemption, the
// plugin would crash or seal values that anyone can open.
func TestSealedBoxOpensUnderFIPS140(t *testing.T) {
	const already = "STASHBASE_TEST_FIPS"
	if os.Getenv(already) != "" {
		if !fips140.Enforced() {
			t.Fatal("FIPS 140 is not enforced, so the test proves nothing")
		}
		if _, err := ecdh.X25519().GenerateKey(rand.Reader); err == nil {
			t.Fatal("X25519 does not fail, so the test proves nothing")
		}
		TestSealedBoxOpensWithTheKeyOfTheScope(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), already+"=1", "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
}
