// Package caller owns the identity of a request that changes something. It knows nothing of the
// change and of Vault's request type.
package caller

import (
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Request identifies the request that caused an operation. The zero value is work that no request
// caused.
type Request struct {
	Mount string      // path of the mount with a trailing slash; errors suggest commands with it
	ID    string      // a replay of a request has the same ID
	Actor store.Actor // who sent the request
	// Creates means that Vault has checked only the capability to create, because the object did
	// not exist a moment ago. Such a request must not change an object that exists.
	Creates bool
}

// Exists returns the error for a request that Creates an object which exists. object names it. A
// service first looks for a replay, because a replay finds the object that it has created.
func Exists(object string) error {
	return fault.New(fault.Conflict, "%s exists: another request created it at the same time; send the request again to change it", object)
}

// Replays reports whether the request has the given ID of an earlier request. The zero Request
// replays nothing.
func (r Request) Replays(id string) bool { return r.ID != "" && r.ID == id }
