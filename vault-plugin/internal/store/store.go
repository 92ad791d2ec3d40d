// Package store owns the engine's entries in Vault's storage: the storage keys, the records and
// their encoding. No other package reads or writes storage. The package knows neither plaintext nor
// policy: it handles sealed values as bytes.
package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fxamacker/cbor/v2"
	"github.com/hashicorp/vault/sdk/logical"
)

// ID identifies one incarnation of a workspace, project, environment, integration or sync, or one
// transaction: 16 random bytes in lower-case hex.
type ID string

// NewID mints an ID.
func NewID() ID {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program if it cannot fill b
	return ID(hex.EncodeToString(b[:]))
}

// MaxEntryBytes is the size of the largest entry that every storage backend of Vault accepts. It is
// Consul's limit of 512 KiB for one value.
const MaxEntryBytes = 512 << 10

// ErrDamaged reports that an entry in storage is not a valid record of its kind. The error contains
// no part of the entry.
var ErrDamaged = errors.New("stored entry is damaged")

// ErrTooLarge reports that a record would exceed MaxEntryBytes. Nothing was stored.
var ErrTooLarge = errors.New("record is too large for storage")

// Store reads and writes typed records.
type Store struct {
	storage logical.Storage
	encode  cbor.EncMode
	decode  cbor.DecMode
}

// New returns a Store over a mount's storage.
func New(storage logical.Storage) (*Store, error) {
	encode, err := cbor.EncOptions{Sort: cbor.SortCoreDeterministic, Time: cbor.TimeRFC3339NanoUTC}.EncMode()
	if err != nil {
		return nil, fmt.Errorf("record encoding: %w", err)
	}
	// An unknown field means that the record has a newer layout. Accepting it would lose the field
	// at the next write.
	decode, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		IndefLength:       cbor.IndefLengthForbidden,
		MaxArrayElements:  1 << 20,
	}.DecMode()
	if err != nil {
		return nil, fmt.Errorf("record decoding: %w", err)
	}
	return &Store{storage: finishing{storage}, encode: encode, decode: decode}, nil
}

// finishing is storage that completes every write it has begun, even if the context is cancelled
// meanwhile. An abandoned write could still reach storage after its locks are released. It would
// then overwrite a later write of the same entry.
type finishing struct{ logical.Storage }

// Put writes an entry unless the context is already cancelled.
func (f finishing) Put(ctx context.Context, entry *logical.StorageEntry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.Storage.Put(context.WithoutCancel(ctx), entry)
}

// Delete removes an entry unless the context is already cancelled.
func (f finishing) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.Storage.Delete(context.WithoutCancel(ctx), key)
}

// get reads one record. It returns nil without an error if there is no entry.
func get[R any, P interface {
	*R
	record
}](ctx context.Context, s *Store, key string) (*R, error) {
	entry, err := s.storage.Get(ctx, key)
	if err != nil || entry == nil {
		return nil, err
	}
	found := new(R)
	if err := s.decode.Unmarshal(entry.Value, found); err != nil {
		return nil, ErrDamaged // the decoder's own error could quote the entry
	}
	if !P(found).wellFormed() {
		return nil, ErrDamaged
	}
	return found, nil
}

func put[R any](ctx context.Context, s *Store, key string, record *R) error {
	value, err := s.encode.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	if len(value) > MaxEntryBytes {
		return ErrTooLarge
	}
	wrap := slices.ContainsFunc(SealWrapped(), func(prefix string) bool { return strings.HasPrefix(key, prefix) })
	return s.storage.Put(ctx, &logical.StorageEntry{Key: key, Value: value, SealWrap: wrap})
}

func (s *Store) list(ctx context.Context, prefix string) ([]string, error) {
	names, err := s.storage.List(ctx, prefix)
	slices.Sort(names)
	return names, err
}

// children lists the folder names directly under a prefix.
func (s *Store) children(ctx context.Context, prefix string) ([]ID, error) {
	names, err := s.list(ctx, prefix)
	if err != nil {
		return nil, err
	}
	ids := make([]ID, 0, len(names))
	for _, name := range names {
		if id, isFolder := strings.CutSuffix(name, "/"); isFolder {
			ids = append(ids, ID(id))
		}
	}
	return ids, nil
}
