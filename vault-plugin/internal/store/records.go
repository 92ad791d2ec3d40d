package store

import "time"

// SchemaVersion is the layout that this binary writes. It is stored at first use. The engine
// refuses every request if storage has another version. Version 1 was never released.
const SchemaVersion = 2

// Schema is the record under core/schema.
type Schema struct {
	Version uint32 `cbor:"1,keyasint"`
}

// Master is the record under core/master: the encoded master keys, which only Vault's barrier
// encrypts.
type Master struct {
	Ring      []byte `cbor:"1,keyasint"`
	RequestID string `cbor:"2,keyasint,omitempty"` // of the last rotation, to recognise a replay
}

// Settings are the settings that config sets for all workspaces and that a workspace may override.
// In a workspace, zero means not set.
type Settings struct {
	MaxVersions         int  `cbor:"1,keyasint,omitempty"`
	CASRequired         bool `cbor:"2,keyasint,omitempty"`
	MaxValueBytes       int  `cbor:"3,keyasint,omitempty"`
	MaxSecrets          int  `cbor:"4,keyasint,omitempty"`
	MaxEnvironmentBytes int  `cbor:"5,keyasint,omitempty"`

	// DeleteVersionAfter is the age at which a new version is deleted; 0 means never.
	DeleteVersionAfter time.Duration `cbor:"6,keyasint,omitempty"`
}

// Config is the record under core/config. Every field is set.
type Config struct {
	Settings         Settings      `cbor:"1,keyasint"`
	MaxProjects      int           `cbor:"2,keyasint,omitempty"`
	MaxEnvironments  int           `cbor:"3,keyasint,omitempty"`
	KeyringCacheSize int           `cbor:"4,keyasint,omitempty"`
	KeyringCacheTTL  time.Duration `cbor:"5,keyasint,omitempty"`
	SecretCacheBytes int           `cbor:"6,keyasint,omitempty"`
	EgressAllow      []string      `cbor:"7,keyasint,omitempty"` // rules in the syntax of package outbound
	ProxyURL         string        `cbor:"8,keyasint,omitempty"`
	Paused           bool          `cbor:"9,keyasint,omitempty"`  // no request goes to a provider
	MaxSyncs         int           `cbor:"10,keyasint,omitempty"` // 0 in a record that predates syncs
}

// Stamp records when a record was created and updated, and which request wrote it last. A replay
// carries the same request id.
type Stamp struct {
	Created   time.Time `cbor:"1,keyasint"`
	Updated   time.Time `cbor:"2,keyasint"`
	RequestID string    `cbor:"3,keyasint,omitempty"`
}

// Workspace is the record under ws/<name>.
type Workspace struct {
	ID              ID                `cbor:"1,keyasint"`
	Description     string            `cbor:"2,keyasint,omitempty"`
	Metadata        map[string]string `cbor:"3,keyasint,omitempty"`
	Settings        Settings          `cbor:"4,keyasint"`
	DeletionAllowed bool              `cbor:"5,keyasint,omitempty"`
	Stamp           Stamp             `cbor:"6,keyasint"`
	Locked          bool              `cbor:"7,keyasint,omitempty"`
	// Paused means that no request goes to a provider on behalf of the workspace.
	Paused bool `cbor:"8,keyasint,omitempty"`
	// LockReason is the reason that the operator gave for the lock.
	LockReason string `cbor:"9,keyasint,omitempty"`
}

// Keys is the record under keys/<ws_id>: the wrapped key versions, and the rewrap that a rotation
// starts. Storage has no transactions. Because both share one entry, a rotation with its rewrap is
// one Put, and shredding is one Delete.
type Keys struct {
	Ring      []byte `cbor:"1,keyasint"`
	RequestID string `cbor:"2,keyasint,omitempty"` // of the last rotation
	Rewrap    Rewrap `cbor:"3,keyasint"`

	// AutoRotate is the maximum age of the latest version; 0 means unlimited.
	AutoRotate time.Duration `cbor:"4,keyasint,omitempty"`
}

// Rewrap is the durable progress of sealing a workspace's records again under key version Target.
type Rewrap struct {
	State  RewrapState `cbor:"1,keyasint,omitempty"`
	Target uint32      `cbor:"2,keyasint,omitempty"`
	// Total counts records; a secret with all its versions counts as one.
	Total  int `cbor:"3,keyasint,omitempty"`
	Done   int `cbor:"4,keyasint,omitempty"`
	Failed int `cbor:"5,keyasint,omitempty"`
	// Cursor is a position in the current kind: the records up to and including it are done.
	Cursor   string    `cbor:"6,keyasint,omitempty"`
	Finished []string  `cbor:"7,keyasint,omitempty"` // kinds of records that are done
	Started  time.Time `cbor:"8,keyasint,omitzero"`
	Updated  time.Time `cbor:"9,keyasint,omitzero"`
}

// RewrapState is the state of a rewrap; the zero value is idle.
type RewrapState string

// The states of a rewrap.
const (
	RewrapIdle    RewrapState = ""
	RewrapRunning RewrapState = "running"
	RewrapDone    RewrapState = "done"
	RewrapFailed  RewrapState = "failed" // completed, but Failed records could not be opened or stored
)

// Project is the record under proj/<ws_id>/<name>.
type Project struct {
	ID          ID     `cbor:"1,keyasint"`
	Description string `cbor:"2,keyasint,omitempty"`
	Stamp       Stamp  `cbor:"3,keyasint"`
}

// Environment is the record under env/<project_id>/<name>.
type Environment struct {
	ID              ID     `cbor:"1,keyasint"`
	Description     string `cbor:"2,keyasint,omitempty"`
	Production      bool   `cbor:"3,keyasint,omitempty"`
	Locked          bool   `cbor:"4,keyasint,omitempty"`
	DeletionAllowed bool   `cbor:"5,keyasint,omitempty"`
	Stamp           Stamp  `cbor:"6,keyasint"`

	// Base is the project/environment whose secrets are inherited.
	Base string `cbor:"7,keyasint,omitempty"`
	// WasShared is decoded from records of earlier builds. It has no effect.
	WasShared bool `cbor:"8,keyasint,omitempty"`
	// SharedWith holds globs project/environment of the environments that may reference or inherit
	// this environment. If it is empty, none may.
	SharedWith []string `cbor:"9,keyasint,omitempty"`
}

// Actor identifies who made a change, as far as Vault reports it to a plugin.
type Actor struct {
	EntityID     string `cbor:"1,keyasint,omitempty"`
	DisplayName  string `cbor:"2,keyasint,omitempty"`
	AccessorHash string `cbor:"3,keyasint,omitempty"` // SHA-256 of the token's accessor, hex
}

// Encoding is the encoding in which a value is returned.
type Encoding uint8

// The encodings of a value.
const (
	Text   Encoding = 0 // UTF-8
	Base64 Encoding = 1 // bytes, returned as base64
)

// Version is the metadata of one version of a secret.
type Version struct {
	Number    uint64    `cbor:"1,keyasint"`
	Created   time.Time `cbor:"2,keyasint"`
	By        Actor     `cbor:"3,keyasint"`
	RequestID string    `cbor:"4,keyasint,omitempty"`
	Comment   string    `cbor:"5,keyasint,omitempty"`
	Encoding  Encoding  `cbor:"6,keyasint,omitempty"`
	Size      int       `cbor:"7,keyasint,omitempty"` // bytes of the value
	// Deleted is the time of the soft delete. It may be in the future, with delete_version_after.
	Deleted   time.Time `cbor:"8,keyasint,omitzero"`
	DeletedBy Actor     `cbor:"9,keyasint,omitempty"`
	DeletedID string    `cbor:"10,keyasint,omitempty"` // request id of the delete
	Destroyed bool      `cbor:"11,keyasint,omitempty"` // the value was removed permanently

	References bool `cbor:"12,keyasint,omitempty"` // the value refers to other secrets
	// Targets are the referenced secrets in other environments, as project/environment/NAME,
	// sorted.
	Targets []string `cbor:"13,keyasint,omitempty"`
}

// Live reports whether the value of the version can be read at the given time.
func (v Version) Live(now time.Time) bool {
	return !v.Destroyed && (v.Deleted.IsZero() || v.Deleted.After(now))
}

// SecretSettings are the settings of one secret; zero means not set.
type SecretSettings struct {
	MaxVersions int  `cbor:"1,keyasint,omitempty"`
	CASRequired bool `cbor:"2,keyasint,omitempty"`
	// DeleteVersionAfter is negative for never, whatever the workspace's setting.
	DeleteVersionAfter time.Duration `cbor:"3,keyasint,omitempty"`
}

// Head is the record under sec/<env_id>/<name>: the newest value and some older ones, sealed, and
// the metadata of all kept versions. A Head is immutable once it is stored or cached; a change
// creates a new one. Its methods are in head.go.
type Head struct {
	Sealed []byte   `cbor:"1,keyasint"` // envelope of the newest version
	Tags   []string `cbor:"2,keyasint,omitempty"`
	// Floor is a bound: ver/ holds no value of this secret with a lower number.
	Floor uint64 `cbor:"3,keyasint,omitempty"`
	// Versions are sorted, oldest first, without gaps; the last is the newest.
	Versions []Version `cbor:"4,keyasint"`

	// Doomed lists destroyed versions whose value may still be in storage.
	Doomed   []uint64          `cbor:"5,keyasint,omitempty"`
	Metadata map[string]string `cbor:"6,keyasint,omitempty"` // custom_metadata
	Settings SecretSettings    `cbor:"7,keyasint,omitzero"`
	// Dying means that the secret was removed with all its versions. The secret does not exist, and
	// its remaining entries are being removed from storage, the head last.
	Dying   bool      `cbor:"8,keyasint,omitempty"`
	Removed time.Time `cbor:"9,keyasint,omitzero"` // when a dying secret was removed

	First uint64 `cbor:"10,keyasint"` // number of the secret's first version, kept or not

	// Inline holds the envelopes of the versions just before the newest, oldest first. The envelope
	// of a destroyed version is empty. The values of older versions are under ver/.
	Inline [][]byte `cbor:"11,keyasint,omitempty"`
	// NeverSpilled is not stored. Of the versions from this number on, only those that the head
	// itself has there were ever put under ver/. Zero, as in every head read from storage, means
	// that this is unknown. A write that a crash interrupted may have put any inline version there,
	// or the newest.
	NeverSpilled uint64 `cbor:"-"`
}

// Tombstone is the record under tomb/<env_id>/<name>: a secret of this name was removed with all
// its versions. If the name is created again, its versions continue after Last, so that no old
// ciphertext fits a new version.
type Tombstone struct {
	Last uint64 `cbor:"1,keyasint"`
	// Born is the earliest time at which versions may have existed; zero means unknown.
	Born    time.Time `cbor:"2,keyasint,omitzero"`
	Removed time.Time `cbor:"3,keyasint"`
}

// OldValue is the record under ver/<env_id>/<name>/<n>: the sealed value of an older version for
// which the head has no space.
type OldValue struct {
	Sealed []byte `cbor:"1,keyasint"`
}

// LogChunk is a part of a redo log under log/<env_id>/<txn>/<chunk>: one write of many secrets. The
// chunk with Chunks set is put last, and its Put is the commit. A transaction without that chunk
// never happened.
type LogChunk struct {
	Changes []Change `cbor:"1,keyasint"`
	// Chunks is the number of chunks in the transaction. It is set in the last chunk only.
	Chunks int `cbor:"2,keyasint,omitempty"`
	// Environment and Transaction are the ids in the key of the chunk. A chunk that was moved or
	// copied does not match its key, and is damaged.
	Environment ID `cbor:"3,keyasint"`
	Transaction ID `cbor:"4,keyasint"`
}

// Change is the change that a transaction makes to one secret.
type Change struct {
	Name   string `cbor:"1,keyasint"`
	Sealed []byte `cbor:"2,keyasint,omitempty"` // absent for a soft delete
	// Version is the metadata of the new version. For a delete it is the updated metadata of the
	// newest version.
	Version  Version  `cbor:"3,keyasint"`
	Tags     []string `cbor:"4,keyasint,omitempty"`
	Keep     int      `cbor:"5,keyasint"` // max_versions at the time of the write
	IsDelete bool     `cbor:"6,keyasint,omitempty"`
}
