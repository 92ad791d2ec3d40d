// want: keyring.Ciphertext[keyring.CredentialLocation]) as keyring.Ciphertext[keyring.RotationLocation] value

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(c *keyring.Context[keyring.RotationLocation], ct keyring.Ciphertext[keyring.CredentialLocation]) ([]byte, error) {
	return c.Open(keyring.RotationLocation{Generation: 1, Field: "token"}, ct)
}
