// Package caller owns the description of who asks for a change. It knows nothing of what is asked for, and nothing of Vault's
// requests.
package caller

import "github.com/stashbase/vault-stashbase/vault-plugin/internal/store"

// Request is what a service knows of the request behind an operation. The zero value stands for work that no request asks for.
type Request struct {
	Mount string      // path of the mount with a trailing slash, for the commands that errors suggest
	ID    string      // a replay of a request carries the same
	Actor store.Actor // who sent the request
}

// Replays reports whether the request has the id of another one. Work without a request replays nothing.
func (r Request) Replays(id string) bool { return r.ID != "" && r.ID == id }
