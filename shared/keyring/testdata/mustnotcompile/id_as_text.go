// want: as keyring.ID value in struct literal

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(id string) keyring.EnvironmentScope { return keyring.EnvironmentScope{ID: id} }
