// want: as keyring.WebhookLocation value in argument to c.Seal

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(c *keyring.Context[keyring.WebhookLocation]) (keyring.Ciphertext[keyring.WebhookLocation], error) {
	return c.Seal(keyring.LeaseLocation{Role: "deploy"}, nil)
}
