// want: has no field or method Seal

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(w *keyring.Workspace) { w.Seal(nil) }
