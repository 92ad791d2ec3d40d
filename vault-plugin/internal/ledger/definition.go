package ledger

import (
	"context"
	"errors"

	"github.com/stashbase/vault-stashbase/shared/keyring"
)

// ErrMoved says that a sealed definition does not open for this sync: it is damaged, or is
// another's.
var ErrMoved = errors.New("the definition of the sync cannot be opened")

// definitionAt is the place of the definition among the sealed records of a sync.
func definitionAt() keyring.SyncLocation { return keyring.SyncLocation{Record: "definition"} }

// SealDefinition seals what of a sync decides where values are sent.
func (s *Service) SealDefinition(ctx context.Context, of Owner, definition []byte) (sealed []byte, err error) {
	err = s.sealing(ctx, of, func(seal *keyring.Context[keyring.SyncLocation]) error {
		envelope, err := seal.Seal(definitionAt(), definition)
		sealed = envelope.Bytes()
		return err
	})
	return sealed, err
}

// OpenDefinition returns the definition that was sealed for a sync.
func (s *Service) OpenDefinition(ctx context.Context, of Owner, sealed []byte) (definition []byte, err error) {
	err = s.definition(ctx, of, sealed, func(seal *keyring.Context[keyring.SyncLocation], envelope keyring.Ciphertext[keyring.SyncLocation]) error {
		definition, err = seal.Open(definitionAt(), envelope)
		return err
	})
	return definition, err
}

// ResealDefinition seals a definition again under the latest key version. It returns sealed itself
// where that is the version it is sealed under.
func (s *Service) ResealDefinition(ctx context.Context, of Owner, sealed []byte) (again []byte, err error) {
	err = s.definition(ctx, of, sealed, func(seal *keyring.Context[keyring.SyncLocation], envelope keyring.Ciphertext[keyring.SyncLocation]) error {
		next, err := seal.Rewrap(definitionAt(), envelope)
		if again = sealed; err == nil && next.KeyVersion() != envelope.KeyVersion() {
			again = next.Bytes()
		}
		return err
	})
	return again, err
}

// DefinitionVersion returns the key version that a sealed definition needs; 0 where it is damaged.
func DefinitionVersion(sealed []byte) uint32 {
	envelope, err := keyring.ParseCiphertext[keyring.SyncLocation](sealed)
	if err != nil {
		return 0
	}
	return envelope.KeyVersion()
}

// definition calls use with a sealed definition. An envelope that does not open is ErrMoved.
func (s *Service) definition(ctx context.Context, of Owner, sealed []byte, use func(*keyring.Context[keyring.SyncLocation], keyring.Ciphertext[keyring.SyncLocation]) error) error {
	envelope, err := keyring.ParseCiphertext[keyring.SyncLocation](sealed)
	if err != nil {
		return ErrMoved
	}
	return s.sealing(ctx, of, func(seal *keyring.Context[keyring.SyncLocation]) error {
		return moved(use(seal, envelope))
	})
}

// moved replaces every error by ErrMoved except keyring.ErrWiped, after which another attempt with
// new keys may succeed.
func moved(err error) error {
	if err == nil || errors.Is(err, keyring.ErrWiped) {
		return err
	}
	return ErrMoved
}

// sealing calls use with a sync's own context.
func (s *Service) sealing(ctx context.Context, of Owner, use func(*keyring.Context[keyring.SyncLocation]) error) error {
	scope, err := of.scope()
	if err != nil {
		return err
	}
	return s.keys.With(ctx, of.Workspace, func(ring *keyring.Workspace) error {
		seal, err := ring.SyncMetadata(scope)
		if err != nil {
			return err
		}
		defer seal.Wipe()
		return use(seal)
	})
}
