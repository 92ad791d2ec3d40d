package store

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Sync is the record under sync/<env_id>/<destination>/<name>: the definition of a sync. One Put of
// the record commits a change.
type Sync struct {
	ID          ID     `cbor:"1,keyasint"`
	Description string `cbor:"2,keyasint,omitempty"`
	Integration ID     `cbor:"3,keyasint"`

	Include []string `cbor:"4,keyasint,omitempty"` // globs of names; empty: all
	Exclude []string `cbor:"5,keyasint,omitempty"`
	// Tags selects the secrets that have one of these tags; if it is empty, no tag is required.
	Tags     []string `cbor:"6,keyasint,omitempty"`
	Template string   `cbor:"7,keyasint,omitempty"` // in the syntax of package nametemplate

	Granularity string             `cbor:"8,keyasint"`
	OnConflict  string             `cbor:"9,keyasint,omitempty"`
	Deletion    string             `cbor:"10,keyasint,omitempty"`
	Trigger     string             `cbor:"11,keyasint,omitempty"`
	Settings    map[string]Setting `cbor:"12,keyasint,omitempty"` // of the destination, by field

	// Target is the place at which the entries of the ledger are written. While the ledger has
	// entries, nothing is written elsewhere.
	Target SyncTarget `cbor:"13,keyasint"`

	Paused bool `cbor:"14,keyasint,omitempty"`
	// Purging means that the sync is being deleted, with all entries that it wrote.
	Purging bool  `cbor:"15,keyasint,omitempty"`
	Stamp   Stamp `cbor:"16,keyasint"`

	// Adopt holds the names of foreign entries that the next run takes over, sorted.
	Adopt []string `cbor:"17,keyasint,omitempty"`

	Definition []byte `cbor:"18,keyasint"` // envelope over integration, target and granularity
}

// SyncTarget is a target in the form of package provider.
type SyncTarget struct {
	Host string `cbor:"1,keyasint"`
	Path string `cbor:"2,keyasint,omitempty"`
}

// SyncState is the record under syncstate/<sync_id>: the outcome of the last run, and when the next
// is due. It holds no value. If the record is missing or damaged, the sync runs once more.
type SyncState struct {
	State string `cbor:"1,keyasint"`
	// Class is the error class of package outbound that caused the state.
	Class    string `cbor:"2,keyasint,omitempty"`
	Hint     string `cbor:"3,keyasint,omitempty"`
	Attempts int    `cbor:"4,keyasint,omitempty"` // consecutive failed attempts
	// Next is the earliest time of the next run; zero means as soon as there is something to do.
	Next time.Time `cbor:"5,keyasint,omitzero"`
	Ran  time.Time `cbor:"6,keyasint,omitzero"` // end of the last run
	// Synced is the end of the last run that left every entry in its desired state.
	Synced time.Time `cbor:"7,keyasint,omitzero"`
	Owned  int       `cbor:"8,keyasint,omitempty"` // number of entries in the ledger

	// Keys are the first of the entries that are not in their desired state.
	Keys []KeyState `cbor:"9,keyasint,omitempty"`
	// Troubled is the number of all entries that are not in their desired state.
	Troubled int `cbor:"10,keyasint,omitempty"`
}

// KeyState describes an entry that is not in its desired state.
type KeyState struct {
	Name   string `cbor:"1,keyasint"`           // at the destination
	Source string `cbor:"2,keyasint,omitempty"` // name of the secret
	State  string `cbor:"3,keyasint"`
	Class  string `cbor:"4,keyasint,omitempty"`
	Hint   string `cbor:"5,keyasint,omitempty"`
}

// LedgerChunk is the record under ledger/<sync_id>/<chunk>: a sealed part of the list of what a
// sync owns. Each chunk can be read without the others.
type LedgerChunk struct {
	Sealed []byte `cbor:"1,keyasint"`
}

// Sync reads the record of a sync.
func (s *Store) Sync(ctx context.Context, env ID, destination, name string) (*Sync, error) {
	return get[Sync](ctx, s, syncKey(env, destination, name))
}

// PutSync writes the record of a sync.
func (s *Store) PutSync(ctx context.Context, env ID, destination, name string, r *Sync) error {
	return put(ctx, s, syncKey(env, destination, name), r)
}

// DeleteSync removes the record of a sync.
func (s *Store) DeleteSync(ctx context.Context, env ID, destination, name string) error {
	return s.storage.Delete(ctx, syncKey(env, destination, name))
}

// SyncedEnvironments lists the environments beneath which syncs are stored.
func (s *Store) SyncedEnvironments(ctx context.Context) ([]ID, error) {
	return s.children(ctx, syncPrefix)
}

// Syncs lists the names of an environment's syncs by destination.
func (s *Store) Syncs(ctx context.Context, env ID) (map[string][]string, error) {
	return s.grouped(ctx, syncPrefix+string(env)+"/")
}

// SyncState reads the state of a sync.
func (s *Store) SyncState(ctx context.Context, sync ID) (*SyncState, error) {
	return get[SyncState](ctx, s, syncStateKey(sync))
}

// PutSyncState writes the state of a sync.
func (s *Store) PutSyncState(ctx context.Context, sync ID, r *SyncState) error {
	return put(ctx, s, syncStateKey(sync), r)
}

// LedgerChunks lists the numbers of the chunks of a ledger, in no particular order.
func (s *Store) LedgerChunks(ctx context.Context, sync ID) ([]int, error) {
	names, err := s.list(ctx, ledgerPrefix+string(sync)+"/")
	if err != nil {
		return nil, err
	}
	chunks := make([]int, 0, len(names))
	for _, name := range names {
		n, err := strconv.Atoi(name)
		if err != nil || n < 0 || strconv.Itoa(n) != name {
			return nil, ErrDamaged
		}
		chunks = append(chunks, n)
	}
	return chunks, nil
}

// LedgerChunk reads a part of a ledger.
func (s *Store) LedgerChunk(ctx context.Context, sync ID, chunk int) (*LedgerChunk, error) {
	return get[LedgerChunk](ctx, s, ledgerKey(sync, chunk))
}

// PutLedgerChunk writes a part of a ledger.
func (s *Store) PutLedgerChunk(ctx context.Context, sync ID, chunk int, r *LedgerChunk) error {
	return put(ctx, s, ledgerKey(sync, chunk), r)
}

// DeleteLedgerChunk removes a part of a ledger.
func (s *Store) DeleteLedgerChunk(ctx context.Context, sync ID, chunk int) error {
	return s.storage.Delete(ctx, ledgerKey(sync, chunk))
}

// grouped lists the names in each folder under a prefix.
func (s *Store) grouped(ctx context.Context, prefix string) (map[string][]string, error) {
	folders, err := s.list(ctx, prefix)
	if err != nil {
		return nil, err
	}
	found := make(map[string][]string, len(folders))
	for _, folder := range folders {
		name, isFolder := strings.CutSuffix(folder, "/")
		if !isFolder {
			continue
		}
		if found[name], err = s.list(ctx, prefix+folder); err != nil {
			return nil, err
		}
	}
	return found, nil
}
