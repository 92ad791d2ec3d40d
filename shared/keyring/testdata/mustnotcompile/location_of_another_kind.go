// want: as keyring.SecretLocation value in argument to c.Seal

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(c *keyring.Context[keyring.SecretLocation]) (keyring.Ciphertext[keyring.SecretLocation], error) {
	return c.Seal(keyring.SyncLocation{Record: "db"}, nil)
}
