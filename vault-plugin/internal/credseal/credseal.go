// Package credseal owns the sealing of integrations' credentials. Each secret field is sealed by
// itself in the context of its integration. It is bound to the endpoint that may receive it, to its
// name and to its generation. The package knows nothing of requests and of stored records, and it
// stores nothing.
package credseal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// ErrUnopened reports that a sealed field does not open. It is damaged, or was sealed for another
// integration, field, endpoint or generation. The error does not distinguish these, because whoever
// can write to storage must not learn which it is.
var ErrUnopened = errors.New("the credential cannot be opened")

// Owner identifies the integration that a credential belongs to. Its names come from the request,
// never from a stored record.
type Owner struct {
	Workspace      store.ID
	Provider, Name string
	ID             store.ID // of the integration, from the record stored under that name
}

// Service seals and opens credentials.
type Service struct{ keys *keys.Service }

// New returns a Service.
func New(k *keys.Service) *Service { return &Service{k} }

// Seal seals the fields of a new generation for an endpoint. The caller clears the fields.
func (s *Service) Seal(ctx context.Context, of Owner, endpoint [32]byte, number uint64, fields map[string][]byte) (store.Generation, error) {
	g := store.Generation{Number: number, Endpoint: endpoint, Fields: make(map[string][]byte, len(fields))}
	err := s.with(ctx, of, func(seal *keyring.Context[keyring.CredentialLocation]) error {
		for name, value := range fields {
			sealed, err := seal.Seal(location(endpoint, number, name), value)
			if err != nil {
				return err
			}
			g.Fields[name] = sealed.Bytes()
		}
		return nil
	})
	if err != nil {
		return store.Generation{}, fmt.Errorf("seal a credential: %w", err)
	}
	return g, nil
}

// Open opens a generation for an endpoint, which the caller derives from the current settings. The
// caller wipes the returned credential.
func (s *Service) Open(ctx context.Context, of Owner, endpoint [32]byte, g store.Generation) (provider.Credential, error) {
	fields := make(map[string][]byte, len(g.Fields))
	opened := provider.NewCredential(fields)
	err := s.with(ctx, of, func(seal *keyring.Context[keyring.CredentialLocation]) error {
		opened.Wipe() // from an attempt whose keyring was wiped
		for name, sealed := range g.Fields {
			ciphertext, err := keyring.ParseCiphertext[keyring.CredentialLocation](sealed)
			if err != nil {
				return ErrUnopened
			}
			value, err := seal.Open(location(endpoint, g.Number, name), ciphertext)
			if err != nil {
				return unopened(err)
			}
			fields[name] = value
		}
		return nil
	})
	if err != nil {
		opened.Wipe()
		return provider.Credential{}, err
	}
	return opened, nil
}

// Reseal seals a generation under the latest key version, for the endpoint that it was supplied
// for. No plaintext leaves package keyring. A generation that does not open under the current
// settings does not open afterwards either. changed is false if every field has the latest key
// version already.
func (s *Service) Reseal(ctx context.Context, of Owner, g store.Generation) (resealed store.Generation, changed bool, err error) {
	resealed = g
	err = s.with(ctx, of, func(seal *keyring.Context[keyring.CredentialLocation]) error {
		resealed.Fields, changed = maps.Clone(g.Fields), false
		for name, sealed := range g.Fields {
			ciphertext, err := keyring.ParseCiphertext[keyring.CredentialLocation](sealed)
			if err != nil {
				return ErrUnopened
			}
			next, err := seal.Rewrap(location(g.Endpoint, g.Number, name), ciphertext)
			if err != nil {
				return unopened(err)
			}
			if next.KeyVersion() != ciphertext.KeyVersion() {
				resealed.Fields[name], changed = next.Bytes(), true
			}
		}
		return nil
	})
	return resealed, changed, err
}

// KeyVersion returns the oldest key version that a generation needs. It returns 0 if a field is
// damaged or there is none.
func KeyVersion(g store.Generation) uint32 {
	var versions []uint32
	for _, sealed := range g.Fields {
		ciphertext, err := keyring.ParseCiphertext[keyring.CredentialLocation](sealed)
		if err != nil {
			return 0
		}
		versions = append(versions, ciphertext.KeyVersion())
	}
	if len(versions) == 0 {
		return 0
	}
	return slices.Min(versions)
}

func (s *Service) with(ctx context.Context, of Owner, use func(*keyring.Context[keyring.CredentialLocation]) error) error {
	id, err := keyring.ParseID(string(of.ID))
	if err != nil {
		return fmt.Errorf("id of integration %s/%s: %w", of.Provider, of.Name, err)
	}
	scope := keyring.IntegrationScope{Provider: of.Provider, Name: of.Name, ID: id}
	return s.keys.With(ctx, of.Workspace, func(ring *keyring.Workspace) error {
		seal, err := ring.Credentials(scope)
		if err != nil {
			return err
		}
		defer seal.Wipe()
		return use(seal)
	})
}

func location(endpoint [32]byte, number uint64, field string) keyring.CredentialLocation {
	return keyring.CredentialLocation{Endpoint: endpoint, Field: field, Generation: number}
}

// unopened keeps ErrWiped, so that keys.Service.With repeats the operation with new keys, and
// replaces every other error.
func unopened(err error) error {
	if errors.Is(err, keyring.ErrWiped) {
		return err
	}
	return ErrUnopened
}
