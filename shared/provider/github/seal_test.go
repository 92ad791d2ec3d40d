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

func TestSealedBoxOpensWithTheKeyOfThePlace(t *testing.T) {
	public, private := recipient(t)
	key, ok := parseKey("1", base64.StdEncoding.EncodeToString(public[:]))
	if !ok {
		t.Fatal("the key is refused")
	}
	for _, value := range []string{"", "one", strings.Repeat("v", maxValue)} {
		body, err := key.seal([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		var told struct {
			Value []byte `json:"encrypted_value"`
			ID    string `json:"key_id"`
		}
		if err := json.Unmarshal(body, &told); err != nil || told.ID != "1" || len(told.Value) != len(value)+box.AnonymousOverhead {
			t.Fatalf("the body is of %d bytes for %d, for the key %q: %v", len(told.Value), len(value), told.ID, err)
		}
		var opened []byte
		var opens bool
		fips140.WithoutEnforcement(func() { opened, opens = box.OpenAnonymous(nil, told.Value, public, private) })
		if !opens || string(opened) != value {
			t.Errorf("a value of %d bytes does not open", len(value))
		}
		var zero [32]byte
		if bytes.Contains(body, []byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")) {
			t.Errorf("the box holds zeros in the place of a key")
		}
		fips140.WithoutEnforcement(func() { _, opens = box.OpenAnonymous(nil, told.Value, public, &zero) })
		if opens {
			t.Error("the box opens without the key")
		}
	}
}

// Under GODEBUG=fips140=only X25519 is refused. Package box panics then, when it makes the box's own key, and takes a failed agreement
// for a secret of zeros: whoever forgets the exemption ends the plugin, or seals for anybody.
func TestSealedBoxOpensWhereFIPS140IsEnforced(t *testing.T) {
	const already = "STASHBASE_TEST_FIPS"
	if os.Getenv(already) != "" {
		if !fips140.Enforced() {
			t.Fatal("nothing is enforced: the test shows nothing")
		}
		if _, err := ecdh.X25519().GenerateKey(rand.Reader); err == nil {
			t.Fatal("X25519 is not refused: the test shows nothing")
		}
		TestSealedBoxOpensWithTheKeyOfThePlace(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), already+"=1", "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
}
