// want: as keyring.Ciphertext[keyring.SecretLocation] value

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(c *keyring.Context[keyring.SecretLocation], stored []byte) ([]byte, error) {
	return c.Open(keyring.SecretLocation{Name: "db", Version: 1}, stored)
}
