package github

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider/github/githubtest"
)

// GitHub opens sealed boxes with libsodium. Here libsodium makes the keys and opens the boxes, so
// that our own package for both sides cannot hide a mistake.
func TestLibsodiumOpensOurSealedBoxes(t *testing.T) {
	sodium := githubtest.StartClient(t, "libsodium.mjs")
	key, ok := parseKey("1", sodium.Line())
	if !ok {
		t.Fatal("a public key of libsodium is rejected")
	}
	sealed := func(key publicKey, value string) string {
		body, err := key.seal([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		var sent struct {
			Value string `json:"encrypted_value"`
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Fatal(err)
		}
		return sent.Value
	}
	for name, value := range map[string]string{
		"nothing": "", "a byte": "x", "text": "zwei\nZeilen: ä 密\r\n", "base64": "AAAA==", "zeros": strings.Repeat("\x00", 64), "the largest value": strings.Repeat("v", maxValue),
	} {
		opened, err := base64.StdEncoding.DecodeString(sodium.Send(sealed(key, value)))
		if err != nil || string(opened) != value {
			t.Errorf("%s: libsodium opens %d bytes, want %d: %v", name, len(opened), len(value), err)
		}
	}
	public, _ := recipient(t)
	other, ok := parseKey("1", base64.StdEncoding.EncodeToString(public[:]))
	if !ok {
		t.Fatal("the other key is rejected")
	}
	if got := sodium.Send(sealed(other, "value")); got != "closed" {
		t.Errorf("a box for another key opens as %q", got)
	}
}
