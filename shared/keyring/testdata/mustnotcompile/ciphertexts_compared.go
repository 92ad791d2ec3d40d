// want: cannot be compared

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(a, b keyring.Ciphertext[keyring.SecretLocation]) bool { return a == b }
