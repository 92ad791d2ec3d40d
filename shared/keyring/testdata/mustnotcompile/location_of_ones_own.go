// want: does not satisfy keyring.Location

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

type location struct{}

var _ keyring.Ciphertext[location]
