// want: as keyring.EnvironmentScope value in argument to w.Secrets

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(w *keyring.Workspace, of keyring.IntegrationScope) (*keyring.Context[keyring.SecretLocation], error) {
	return w.Secrets(of)
}
