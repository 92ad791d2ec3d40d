// Package caller owns the identity of a request that changes something. It knows nothing of the
// change and of Vault's request type.
package caller

import "github.com/stashbase/vault-stashbase/vault-plugin/internal/store"

// Request identifies the request that caused an operation. The zero value is work that no request
// caused.
type Request struct {
	Mount string      // path of the mount with a trailing slash; errors suggest commands with it
	ID    string      // a replay of a request has the same ID
	Actor store.Actor // who sent the request
}

// Replays reports whether the request has the given ID of an earlier request. The zero Request
// replays nothing.
func (r Request) Replays(id string) bool { return r.ID != "" && r.ID == id }
