// want: too many arguments in call to w.Leases

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(w *keyring.Workspace, provider, name string) (*keyring.Context[keyring.LeaseLocation], error) {
	return w.Leases(provider, name)
}
