// want: as *keyring.Context[keyring.CredentialLocation] value

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(w *keyring.Workspace) (*keyring.Context[keyring.CredentialLocation], error) {
	return w.Secrets(keyring.EnvironmentScope{Project: "shop"})
}
