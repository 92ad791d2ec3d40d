// want: as keyring.WorkspaceScope value in argument to m.Unwrap

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(m *keyring.Master, of keyring.WebhookScope, entry []byte) (*keyring.Workspace, error) {
	return m.Unwrap(of, entry)
}
