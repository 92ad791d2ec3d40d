// Package encryption owns encryption for a tenant's own services: messages, digests and data keys
// under a named context of a workspace. It stores nothing: the caller stores the results. Once the
// workspace's keys are in memory, an operation makes no storage call. The package knows nothing of
// requests and encodings.
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
	// MaxAssociatedData is the largest size of a message's associated data in bytes.
	MaxAssociatedData = 32 << 10
	// DataKeySize is the size of a data key in bytes. A data key is an AES-256 key.
	DataKeySize = 32
)

// Service works in the application contexts of all workspaces of a mount. A context's keys are
// derived from its name, so a context is neither created nor deleted.
type Service struct {
	keys *keys.Service
	tree *workspaces.Tree
}

// New returns a Service.
func New(k *keys.Service, tree *workspaces.Tree) *Service { return &Service{keys: k, tree: tree} }

// Scope names a context of a workspace. Its names come from the request.
type Scope struct {
	caller.Request
	Workspace string
	Context   string
}

// Item is the input of an operation. Each operation reads only the fields that it needs.
type Item struct {
	Data           []byte // plaintext to encrypt or data of a digest; the caller clears it
	Text           string // ciphertext or digest
	AssociatedData []byte // at most MaxAssociatedData bytes
}

// Result is the result for one Item.
type Result struct {
	Text       string // ciphertext or digest
	KeyVersion uint32 // under which Text was made
	Plaintext  []byte // the caller clears it
	Valid      bool   // result of Verify

	// Refused says why the item failed. The other fields are then zero. The other items of the
	// batch are not affected.
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

// Rewrap decrypts each item's ciphertext and encrypts it under the latest key version. The
// plaintext does not leave package keyring.
func (s *Service) Rewrap(ctx context.Context, scope Scope, items []Item) ([]Result, error) {
	return each(ctx, s, scope, items, (*keyring.Workspace).Application, rewrap)
}

// HMAC returns the digest of each item's data under the latest key version.
func (s *Service) HMAC(ctx context.Context, scope Scope, items []Item) ([]Result, error) {
	return each(ctx, s, scope, items, (*keyring.Workspace).ApplicationHMAC, sum)
}

// Verify compares each item's digest with the digest of its data, under the key version that the
// item's digest names.
func (s *Service) Verify(ctx context.Context, scope Scope, items []Item) ([]Result, error) {
	return each(ctx, s, scope, items, (*keyring.Workspace).ApplicationHMAC, verify)
}

// DataKey mints a key for the caller's own use and encrypts it as Encrypt does. Without reveal, the
// plaintext of the key is returned only by a later Decrypt.
func (s *Service) DataKey(ctx context.Context, scope Scope, associatedData []byte, reveal bool) (Result, error) {
	key := make([]byte, DataKeySize)
	_, _ = rand.Read(key) // crypto/rand never returns an error
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

// each runs work for every item with one set of derived keys. A *fault.Error of work belongs to its
// item. Any other error ends the batch. If the keyring is wiped in between, the finished items are
// kept and the others use a new keyring.
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
				return err // the client no longer waits for the batch
			}
			result, err := work(derived, items[len(results)])
			if err != nil && !errors.As(err, &result.Refused) {
				return err
			}
			results = append(results, result)
		}
		return nil
	})
	if err == nil {
		err = s.tree.CheckLocked(scope.Workspace)
	}
	if err != nil {
		for _, r := range results {
			clear(r.Plaintext)
		}
		return nil, err
	}
	return results, nil
}
