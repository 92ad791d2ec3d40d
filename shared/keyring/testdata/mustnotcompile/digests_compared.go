// want: cannot be compared

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(a, b keyring.Digest[keyring.AccessTokenLocation]) bool { return a == b }
