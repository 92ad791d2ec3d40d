// want: as keyring.WorkspaceScope value in argument to m.Unwrap

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(m *keyring.Master, id keyring.ID, entry []byte) (*keyring.Workspace, error) {
	return m.Unwrap(id, entry)
}
