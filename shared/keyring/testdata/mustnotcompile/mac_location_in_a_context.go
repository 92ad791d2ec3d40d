// want: does not satisfy keyring.Location

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

var _ *keyring.Context[keyring.ActivityLocation]
