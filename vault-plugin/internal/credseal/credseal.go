// Package credseal owns the sealing of integrations' credentials: each secret field by itself, in the context of its integration,
// bound to the endpoint that may receive it, to its name and to its generation. It knows nothing of requests and records, and keeps
// nothing.
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

// ErrUnopened says that a sealed field does not open: it is damaged, or was sealed for another place, endpoint or generation. Which
// of these it is, is not told: whoever may write to storage must not learn it.
var ErrUnopened = errors.New("the credential cannot be opened")

// Owner is the integration that a credential belongs to. Names come from the request, never from what is stored.
type Owner struct {
	Workspace      store.ID
	Provider, Name string
	ID             store.ID // of the integration, from the record found under that name
}

// Service seals and opens.
type Service struct{ keys *keys.Service }

// New makes a service.
func New(k *keys.Service) *Service { return &Service{k} }

// Seal seals the fields of a new generation for an endpoint. The fields stay the caller's to clear.
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

// Open opens a generation for an endpoint, which the caller derives from the settings in force. The caller wipes what it answers.
func (s *Service) Open(ctx context.Context, of Owner, endpoint [32]byte, g store.Generation) (provider.Credential, error) {
	fields := make(map[string][]byte, len(g.Fields))
	opened := provider.NewCredential(fields)
	err := s.with(ctx, of, func(seal *keyring.Context[keyring.CredentialLocation]) error {
		opened.Wipe() // of a first call whose keyring was wiped
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

// Reseal seals a generation anew under the latest key version, for the endpoint it was supplied for: no field leaves package
// keyring, and what its settings have made unreadable stays so. changed is false where all of it is under that version already.
func (s *Service) Reseal(ctx context.Context, of Owner, g store.Generation) (again store.Generation, changed bool, err error) {
	again = g
	err = s.with(ctx, of, func(seal *keyring.Context[keyring.CredentialLocation]) error {
		again.Fields, changed = maps.Clone(g.Fields), false
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
				again.Fields[name], changed = next.Bytes(), true
			}
		}
		return nil
	})
	return again, changed, err
}

// KeyVersion is the oldest key version that a generation needs; 0 where a field of it is damaged.
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

// unopened lets through that the keyring was wiped: the keys are then taken again.
func unopened(err error) error {
	if errors.Is(err, keyring.ErrWiped) {
		return err
	}
	return ErrUnopened
}
