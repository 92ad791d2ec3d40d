// want: keyring.Ciphertext[keyring.CredentialLocation]) as keyring.Ciphertext[keyring.SecretLocation] value

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(c *keyring.Context[keyring.SecretLocation], ct keyring.Ciphertext[keyring.CredentialLocation]) ([]byte, error) {
	return c.Open(keyring.SecretLocation{Name: "db", Version: 1}, ct)
}
