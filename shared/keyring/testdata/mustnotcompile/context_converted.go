// want: cannot convert

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(c *keyring.Context[keyring.SecretLocation]) *keyring.Context[keyring.SyncLocation] {
	return (*keyring.Context[keyring.SyncLocation])(c)
}
