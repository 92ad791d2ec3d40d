package github

import (
	"context"
	"crypto/ecdh"
	"crypto/fips140"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"

	"golang.org/x/crypto/nacl/box"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

// publicKey is the key of a scope. Each scope has its own, and GitHub keeps what was sealed for another one without a word: the secret
// is garbage then (github.com/cli/cli issue 3831).
type publicKey struct {
	ID  string
	Key [32]byte
}

// publicKey asks for the key of a scope.
func (c *client) publicKey(ctx context.Context, at scope) (publicKey, error) {
	op := at.reading("get the public key")
	var told struct {
		ID  string `json:"key_id"`
		Key string `json:"key"`
	}
	if _, err := c.get(ctx, op, at.path+"/public-key", &told); err != nil {
		return publicKey{}, err
	}
	key, ok := parseKey(told.ID, told.Key)
	if !ok {
		return publicKey{}, &outbound.Error{
			Class: outbound.Provider, Provider: "github", Operation: op.name,
			Hint: "the " + at.name + "'s public key is no X25519 key of 32 bytes, so nothing is sealed for it: check base_url, and what stands between",
		}
	}
	return key, nil
}

// parseKey refuses what is no key: one of another length that is cut or filled up, and one of low order, seal for anybody.
func parseKey(id, encoded string) (publicKey, bool) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) != 32 || id == "" || len(id) > maxKeyID || !agrees(raw) {
		return publicKey{}, false
	}
	return publicKey{id, [32]byte(raw)}, true
}

// agrees reports whether a key agreement with a public key is one: crypto/ecdh refuses points of low order.
func agrees(public []byte) (ok bool) {
	fips140.WithoutEnforcement(func() {
		key, err := ecdh.X25519().NewPublicKey(public)
		if err != nil {
			return
		}
		own, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			return
		}
		_, err = own.ECDH(key)
		ok = err == nil
	})
	return ok
}

// seal makes the body of a write. What a sealed box is made of, X25519 and XSalsa20-Poly1305, is no approved algorithm of FIPS 140; it
// is what GitHub takes, so these two functions alone go without the enforcement.
func (k publicKey) seal(value []byte) ([]byte, error) {
	var sealed []byte
	var err error
	fips140.WithoutEnforcement(func() { sealed, err = box.SealAnonymous(nil, value, &k.Key, rand.Reader) })
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Value string `json:"encrypted_value"`
		KeyID string `json:"key_id"`
	}{base64.StdEncoding.EncodeToString(sealed), k.ID})
}
