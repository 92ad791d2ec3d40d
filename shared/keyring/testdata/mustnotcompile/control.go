// This file compiles. Each other file differs from it by one misuse.

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(w *keyring.Workspace, c *keyring.Context[keyring.SecretLocation], stored []byte) error {
	at := keyring.SecretLocation{Name: "db", Version: 1}
	ct, err := keyring.ParseCiphertext[keyring.SecretLocation](stored)
	if err != nil {
		return err
	}
	if _, err = c.Open(at, ct); err != nil {
		return err
	}
	tokens, err := w.AccessTokens()
	if err != nil {
		return err
	}
	digest, err := tokens.Sum(keyring.AccessTokenLocation{ID: "id"}, stored)
	if err != nil {
		return err
	}
	return tokens.Verify(keyring.AccessTokenLocation{ID: "id"}, stored, digest)
}

func rewrap[L keyring.Location](c *keyring.Context[L], at L, ct keyring.Ciphertext[L]) (keyring.Ciphertext[L], error) {
	return c.Rewrap(at, ct)
}

var _ = rewrap[keyring.SyncLocation]
