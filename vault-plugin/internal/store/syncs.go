package store

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Sync is the record under sync/<env_id>/<destination>/<name>: the definition of a sync. One Put of it commits a change.
type Sync struct {
	ID          ID     `cbor:"1,keyasint"`
	Description string `cbor:"2,keyasint,omitempty"`
	Integration ID     `cbor:"3,keyasint"`

	Include  []string `cbor:"4,keyasint,omitempty"` // globs of names; none: all
	Exclude  []string `cbor:"5,keyasint,omitempty"`
	Tags     []string `cbor:"6,keyasint,omitempty"` // a secret has one of them; none: any
	Template string   `cbor:"7,keyasint,omitempty"` // of package nametemplate

	Granularity string             `cbor:"8,keyasint"`
	OnConflict  string             `cbor:"9,keyasint,omitempty"`
	Deletion    string             `cbor:"10,keyasint,omitempty"`
	Trigger     string             `cbor:"11,keyasint,omitempty"`
	Settings    map[string]Setting `cbor:"12,keyasint,omitempty"` // of the destination, by field

	// Target is where the entries of the ledger stand. While there are any, nothing is written elsewhere.
	Target SyncTarget `cbor:"13,keyasint"`

	Paused  bool  `cbor:"14,keyasint,omitempty"`
	Purging bool  `cbor:"15,keyasint,omitempty"` // it is being deleted, with all it has written
	Stamp   Stamp `cbor:"16,keyasint"`

	Adopt []string `cbor:"17,keyasint,omitempty"` // entries of others that the next run takes over, by name; sorted

	Definition []byte `cbor:"18,keyasint"` // envelope over integration, target and granularity
}

// SyncTarget is a target as package provider has it.
type SyncTarget struct {
	Host string `cbor:"1,keyasint"`
	Path string `cbor:"2,keyasint,omitempty"`
}

// SyncState is the record under syncstate/<sync_id>: how the last run ended, and when the next is due. It holds no value. Lost or
// damaged it costs a run.
type SyncState struct {
	State    string    `cbor:"1,keyasint"`
	Class    string    `cbor:"2,keyasint,omitempty"` // of package outbound; of what the state is due to
	Hint     string    `cbor:"3,keyasint,omitempty"`
	Attempts int       `cbor:"4,keyasint,omitempty"` // that have failed one after the other
	Next     time.Time `cbor:"5,keyasint,omitzero"`  // not before this; zero: whenever there is something to do
	Ran      time.Time `cbor:"6,keyasint,omitzero"`  // end of the last run
	Synced   time.Time `cbor:"7,keyasint,omitzero"`  // end of the last run that left everything as it should be
	Owned    int       `cbor:"8,keyasint,omitempty"` // entries of the ledger

	Keys     []KeyState `cbor:"9,keyasint,omitempty"`  // those that are not as they should be, the first of them
	Troubled int        `cbor:"10,keyasint,omitempty"` // how many those are
}

// KeyState is an entry that is not as it should be.
type KeyState struct {
	Name   string `cbor:"1,keyasint"`           // at the destination
	Source string `cbor:"2,keyasint,omitempty"` // name of the secret
	State  string `cbor:"3,keyasint"`
	Class  string `cbor:"4,keyasint,omitempty"`
	Hint   string `cbor:"5,keyasint,omitempty"`
}

// LedgerChunk is the record under ledger/<sync_id>/<chunk>: a part of what a sync owns, sealed. Each stands for itself.
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

// SyncState reads how a sync stands.
func (s *Store) SyncState(ctx context.Context, sync ID) (*SyncState, error) {
	return get[SyncState](ctx, s, syncStateKey(sync))
}

// PutSyncState writes how a sync stands.
func (s *Store) PutSyncState(ctx context.Context, sync ID, r *SyncState) error {
	return put(ctx, s, syncStateKey(sync), r)
}

// LedgerChunks lists the numbers of the chunks of a ledger, in no meaningful order.
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
