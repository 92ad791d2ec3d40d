// want: cannot refer to unexported field keys

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(w *keyring.Workspace) any { return w.keys }
