// want: as *keyring.Workspace value

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(m *keyring.Master) ([]byte, error) { return m.Wrap(m) }
