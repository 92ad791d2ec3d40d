// Package encryption owns encryption for a tenant's own services: messages, digests and data keys under a named context of a
// workspace. It keeps nothing, so no call of storage follows once the workspace's keys are in memory: what it makes is its
// caller's to store. It knows nothing of requests and encodings.
package encryption

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

const (
	// MaxAssociatedData is the most associated data of a message, in bytes.
	MaxAssociatedData = 32 << 10
	// DataKeySize is the length of a data key, in bytes: a key of AES-256.
	DataKeySize = 32
)

// Service works under the application contexts of all workspaces of a mount. A context is derived from its name: there is none
// to create, and none to delete.
type Service struct {
	keys *keys.Service
	tree *workspaces.Tree
}

// New makes a service.
func New(k *keys.Service, tree *workspaces.Tree) *Service { return &Service{keys: k, tree: tree} }

// Scope is a workspace's context, as a request names it.
type Scope struct {
	caller.Request
	Workspace string
	Context   string
}

// Item is one thing to work on. An operation reads the parts that it is about.
type Item struct {
	Data           []byte // the plaintext to encrypt, or what a digest is about; the caller's to clear
	Text           string // the ciphertext or digest
	AssociatedData []byte // at most MaxAssociatedData bytes
}

// Result is what became of one item.
type Result struct {
	Text       string // the ciphertext or digest
	KeyVersion uint32 // that Text was made under
	Plaintext  []byte // the caller's to clear
	Valid      bool   // of a verification

	// Refused says why the item failed; everything else is then empty. The other items are not affected.
	Refused *fault.Error
}

// Encrypt seals each item's data under the latest key version, bound to its associated data.
func (s *Service) Encrypt(ctx context.Context, scope Scope, items []Item) ([]Result, error) {
	return each(ctx, s, scope, items, (*keyring.Workspace).Application, seal)
}

// Decrypt opens each item's ciphertext.
func (s *Service) Decrypt(ctx context.Context, scope Scope, items []Item) ([]Result, error) {
	return each(ctx, s, scope, items, (*keyring.Workspace).Application, open)
}

// Rewrap seals each item's ciphertext anew under the latest key version. The plaintext does not leave package keyring.
func (s *Service) Rewrap(ctx context.Context, scope Scope, items []Item) ([]Result, error) {
	return each(ctx, s, scope, items, (*keyring.Workspace).Application, rewrap)
}

// HMAC makes a digest of each item's data under the latest key version.
func (s *Service) HMAC(ctx context.Context, scope Scope, items []Item) ([]Result, error) {
	return each(ctx, s, scope, items, (*keyring.Workspace).ApplicationHMAC, sum)
}

// Verify compares each item's digest with that of its data, under the key version that the digest names.
func (s *Service) Verify(ctx context.Context, scope Scope, items []Item) ([]Result, error) {
	return each(ctx, s, scope, items, (*keyring.Workspace).ApplicationHMAC, verify)
}

// DataKey mints a key for the caller's own use and seals it as Encrypt does. Without reveal nobody has seen it until it is
// decrypted.
func (s *Service) DataKey(ctx context.Context, scope Scope, associatedData []byte, reveal bool) (Result, error) {
	key := make([]byte, DataKeySize)
	_, _ = rand.Read(key) // never fails
	results, err := s.Encrypt(ctx, scope, []Item{{Data: key, AssociatedData: associatedData}})
	if err == nil && results[0].Refused != nil {
		err = results[0].Refused
	}
	if err != nil {
		clear(key)
		return Result{}, err
	}
	if reveal {
		results[0].Plaintext = key
	} else {
		clear(key)
	}
	return results[0], nil
}

// each does the work on every item with one set of derived keys. An error that the caller may see is the item's own, any other
// ends the whole. When the keyring is wiped on the way, what is done stays done and the rest follows with a fresh one.
func each[K interface{ Wipe() }](ctx context.Context, s *Service, scope Scope, items []Item,
	derive func(*keyring.Workspace, string) (K, error), work func(K, Item) (Result, error),
) ([]Result, error) {
	id, err := s.tree.WorkspaceID(scope.Request, scope.Workspace)
	if err != nil || len(items) == 0 {
		return nil, err
	}
	results := make([]Result, 0, len(items))
	err = s.keys.With(ctx, id, func(ring *keyring.Workspace) error {
		derived, err := derive(ring, scope.Context)
		if err != nil {
			return err
		}
		defer derived.Wipe()
		for len(results) < len(items) {
			if err := ctx.Err(); err != nil {
				return err // nobody waits for the rest of the batch
			}
			result, err := work(derived, items[len(results)])
			if err != nil && !errors.As(err, &result.Refused) {
				return err
			}
			results = append(results, result)
		}
		return nil
	})
	if err != nil {
		for _, r := range results {
			clear(r.Plaintext)
		}
		return nil, err
	}
	return results, nil
}
