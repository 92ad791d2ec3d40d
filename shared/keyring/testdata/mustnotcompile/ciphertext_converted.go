// want: cannot convert

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(ct keyring.Ciphertext[keyring.SecretLocation]) keyring.Ciphertext[keyring.ApplicationLocation] {
	return keyring.Ciphertext[keyring.ApplicationLocation](ct)
}
