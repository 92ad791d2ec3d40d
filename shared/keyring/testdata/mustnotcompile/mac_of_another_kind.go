// want: as *keyring.MAC[keyring.ActivityLocation] value

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(w *keyring.Workspace) (*keyring.MAC[keyring.ActivityLocation], error) {
	return w.Fingerprints(keyring.SyncScope{Name: "ci"})
}
