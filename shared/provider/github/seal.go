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

// publicKey is the public key of a scope. Each scope has its own key. GitHub accepts a value that
// is sealed for another key without an error, and the secret is unusable then (github.com/cli/cli
// issue 3831).
type publicKey struct {
	ID  string
	Key [32]byte
}

// publicKey fetches the public key of a scope.
func (c *client) publicKey(ctx context.Context, sc scope) (publicKey, error) {
	op := sc.reading("get the public key")
	var body struct {
		ID  string `json:"key_id"`
		Key string `json:"key"`
	}
	if _, err := c.get(ctx, op, sc.path+"/public-key", &body); err != nil {
		return publicKey{}, err
	}
	key, ok := parseKey(body.ID, body.Key)
	if !ok {
		return publicKey{}, &outbound.Error{
			Class: outbound.Provider, Provider: "github", Operation: op.name,
			Hint: "the " + sc.name + "'s public key is not an X25519 key of 32 bytes, so nothing was sealed for it: check base_url and any proxy in between",
		}
	}
	return key, nil
}

// parseKey decodes a public key and rejects an invalid one. A key of another length would be
// truncated or padded. A value that is sealed with a key of low order can be opened by anyone.
func parseKey(id, encoded string) (publicKey, bool) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) != 32 || id == "" || len(id) > maxKeyID || !agrees(raw) {
		return publicKey{}, false
	}
	return publicKey{id, [32]byte(raw)}, true
}

// agrees reports whether a key agreement with the public key succeeds. Package crypto/ecdh rejects
// points of low order.
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

// seal returns the body of a write. A sealed box uses X25519 and XSalsa20-Poly1305, which are not
// approved by FIPS 140. GitHub requires them, so only seal and agrees run without the enforcement.
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
