package store

import (
	"context"
	"fmt"
	"strconv"
)

// Head reads the head of a secret.
func (s *Store) Head(ctx context.Context, env ID, name string) (*Head, error) {
	return get[Head](ctx, s, headKey(env, name))
}

// PutHead writes the head of a secret. This Put is the commit of a write.
func (s *Store) PutHead(ctx context.Context, env ID, name string, r *Head) error {
	return put(ctx, s, headKey(env, name), r)
}

// Oversize returns by how many bytes a head exceeds MaxEntryBytes; 0 if it fits.
func (s *Store) Oversize(r *Head) (int, error) {
	value, err := s.encode.Marshal(r)
	return max(0, len(value)-MaxEntryBytes), err
}

// DeleteHead removes the head of a secret, which is the last of the secret's entries to go.
func (s *Store) DeleteHead(ctx context.Context, env ID, name string) error {
	return s.storage.Delete(ctx, headKey(env, name))
}

// Tombstone reads the tombstone of a removed secret.
func (s *Store) Tombstone(ctx context.Context, env ID, name string) (*Tombstone, error) {
	return get[Tombstone](ctx, s, tombstoneKey(env, name))
}

// PutTombstone writes the tombstone of a removed secret.
func (s *Store) PutTombstone(ctx context.Context, env ID, name string, r *Tombstone) error {
	return put(ctx, s, tombstoneKey(env, name), r)
}

// TombstonedEnvironments lists the environments in which secrets were removed.
func (s *Store) TombstonedEnvironments(ctx context.Context) ([]ID, error) {
	return s.children(ctx, tombstonePrefix)
}

// Tombstones lists the names of an environment's removed secrets, including names that were created
// again.
func (s *Store) Tombstones(ctx context.Context, env ID) ([]string, error) {
	return s.list(ctx, tombstonePrefix+string(env)+"/")
}

// Secrets lists the names of an environment's secrets.
func (s *Store) Secrets(ctx context.Context, env ID) ([]string, error) {
	return s.list(ctx, headPrefix+string(env)+"/")
}

// OldValue reads the sealed value of version n, which its head does not hold.
func (s *Store) OldValue(ctx context.Context, env ID, name string, n uint64) (*OldValue, error) {
	return get[OldValue](ctx, s, versionKey(env, name, n))
}

// PutOldValue writes the sealed value of version n, which its head is about to drop.
func (s *Store) PutOldValue(ctx context.Context, env ID, name string, n uint64, r *OldValue) error {
	return put(ctx, s, versionKey(env, name, n), r)
}

// DeleteOldValue removes the value of version n. It is no error if there is none.
func (s *Store) DeleteOldValue(ctx context.Context, env ID, name string, n uint64) error {
	return s.storage.Delete(ctx, versionKey(env, name, n))
}

// PutLogChunk writes a part of a transaction. It sets the ids in the part.
func (s *Store) PutLogChunk(ctx context.Context, env, txn ID, chunk int, r *LogChunk) error {
	r.Environment, r.Transaction = env, txn
	return put(ctx, s, logKey(env, txn, chunk), r)
}

// DeleteLogChunk removes a part of a transaction.
func (s *Store) DeleteLogChunk(ctx context.Context, env, txn ID, chunk int) error {
	return s.storage.Delete(ctx, logKey(env, txn, chunk))
}

// LoggedEnvironments lists the environments that have parts of transactions in storage.
func (s *Store) LoggedEnvironments(ctx context.Context) ([]ID, error) {
	return s.children(ctx, logPrefix)
}

// Transactions lists an environment's transactions, committed or not, in no particular order.
func (s *Store) Transactions(ctx context.Context, env ID) ([]ID, error) {
	return s.children(ctx, logPrefix+string(env)+"/")
}

// Transaction reads all parts of a transaction. A part that was stored under another key is
// damaged. committed is false if its last chunk was never put.
// chunks holds the numbers of the stored parts, the last first, which is the order to remove them
// in.
func (s *Store) Transaction(ctx context.Context, env, txn ID) (changes []Change, chunks []int, committed bool, err error) {
	names, err := s.list(ctx, logPrefix+string(env)+"/"+string(txn)+"/")
	if err != nil {
		return nil, nil, false, err
	}
	parts := make(map[int]*LogChunk, len(names))
	last := -1
	for _, name := range names {
		n, part, err := s.logChunk(ctx, env, txn, name)
		if err != nil {
			return nil, nil, false, err
		}
		parts[n], last = part, max(last, n)
	}
	for n := last; n >= 0; n-- {
		if parts[n] != nil {
			chunks = append(chunks, n)
		}
	}
	if last < 0 || parts[last].Chunks == 0 {
		return nil, chunks, false, nil
	}
	if parts[last].Chunks != last+1 || len(parts) != last+1 {
		return nil, nil, false, ErrDamaged
	}
	for n := range last + 1 {
		changes = append(changes, parts[n].Changes...)
	}
	return changes, chunks, true, nil
}

// logChunk reads the part of a transaction that has the given name in a listing, and returns its
// number.
func (s *Store) logChunk(ctx context.Context, env, txn ID, name string) (n int, part *LogChunk, err error) {
	if n, err = strconv.Atoi(name); err != nil || n < 0 {
		return 0, nil, ErrDamaged
	}
	switch part, err = get[LogChunk](ctx, s, logKey(env, txn, n)); {
	case err != nil:
		return 0, nil, err
	case part == nil:
		return 0, nil, fmt.Errorf("a listed part of a transaction is missing: %w", ErrDamaged)
	case part.Environment != env || part.Transaction != txn:
		return 0, nil, fmt.Errorf("a part of a transaction belongs to another one: %w", ErrDamaged)
	}
	return n, part, nil
}
