// Package store owns what the engine keeps in Vault's storage: the keys, the records and their encoding. Nothing else in the
// engine reads or writes storage. It knows neither plaintext nor policy: sealed values pass through it as bytes.
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

// ID names one incarnation of a workspace, project, environment, integration or sync, or one
// transaction: 16 random bytes in lower-case hex.
type ID string

// NewID mints an ID.
func NewID() ID {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program before it would answer short
	return ID(hex.EncodeToString(b[:]))
}

// MaxEntryBytes is the largest entry every storage backend of Vault takes: Consul's limit of 512 KiB for one value.
const MaxEntryBytes = 512 << 10

// ErrDamaged says that an entry stands in storage but is not a record of its kind. What stood there is not part of it.
var ErrDamaged = errors.New("stored entry is damaged")

// ErrTooLarge says that a record would be larger than MaxEntryBytes. Nothing was stored.
var ErrTooLarge = errors.New("record is too large for storage")

// Store reads and writes typed records.
type Store struct {
	storage logical.Storage
	encode  cbor.EncMode
	decode  cbor.DecMode
}

// New makes a Store over a mount's storage.
func New(storage logical.Storage) (*Store, error) {
	encode, err := cbor.EncOptions{Sort: cbor.SortCoreDeterministic, Time: cbor.TimeRFC3339NanoUTC}.EncMode()
	if err != nil {
		return nil, fmt.Errorf("record encoding: %w", err)
	}
	// An unknown field means a record of a newer layout: reading on would lose it at the next write.
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

// finishing is storage whose writes, once begun, are waited for even when the caller has gone. A write given up on half-way may
// still reach storage after its locks are released, and so after a later write of the same entry, which would be lost.
type finishing struct{ logical.Storage }

// Put writes an entry unless the caller has gone already.
func (f finishing) Put(ctx context.Context, entry *logical.StorageEntry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.Storage.Put(context.WithoutCancel(ctx), entry)
}

// Delete removes an entry unless the caller has gone already.
func (f finishing) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.Storage.Delete(context.WithoutCancel(ctx), key)
}

// get reads one record; nil without an error means that there is none.
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
