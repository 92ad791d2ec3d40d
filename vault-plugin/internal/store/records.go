package store

import "time"

// SchemaVersion is the layout this binary writes. It is stored at first use; every request refuses
// another one. Version 1 was never released.
const SchemaVersion = 2

// Schema is the record under core/schema.
type Schema struct {
	Version uint32 `cbor:"1,keyasint"`
}

// Master is the record under core/master: the encoded master keys, in clear within Vault's barrier.
type Master struct {
	Ring      []byte `cbor:"1,keyasint"`
	RequestID string `cbor:"2,keyasint,omitempty"` // of the last rotation, to recognise a replay
}

// Settings are what config sets for all workspaces and a workspace may set for itself; in a workspace zero means not set.
type Settings struct {
	MaxVersions         int  `cbor:"1,keyasint,omitempty"`
	CASRequired         bool `cbor:"2,keyasint,omitempty"`
	MaxValueBytes       int  `cbor:"3,keyasint,omitempty"`
	MaxSecrets          int  `cbor:"4,keyasint,omitempty"`
	MaxEnvironmentBytes int  `cbor:"5,keyasint,omitempty"`

	DeleteVersionAfter time.Duration `cbor:"6,keyasint,omitempty"` // of every new version; 0 is never
}

// Config is the record under core/config, with every field set.
type Config struct {
	Settings         Settings      `cbor:"1,keyasint"`
	MaxProjects      int           `cbor:"2,keyasint,omitempty"`
	MaxEnvironments  int           `cbor:"3,keyasint,omitempty"`
	KeyringCacheSize int           `cbor:"4,keyasint,omitempty"`
	KeyringCacheTTL  time.Duration `cbor:"5,keyasint,omitempty"`
	SecretCacheBytes int           `cbor:"6,keyasint,omitempty"`
	EgressAllow      []string      `cbor:"7,keyasint,omitempty"` // rules as package outbound reads them
	ProxyURL         string        `cbor:"8,keyasint,omitempty"`
	Paused           bool          `cbor:"9,keyasint,omitempty"`  // nothing goes out
	MaxSyncs         int           `cbor:"10,keyasint,omitempty"` // 0 in a record of before there were syncs
}

// Stamp tells when a record was made and changed, and by which request it was last written (a replay carries the same id).
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
	Paused          bool              `cbor:"8,keyasint,omitempty"` // nothing goes out on its behalf
}

// Keys is the record under keys/<ws_id>: the wrapped key versions, and the rewrap that a rotation starts. They share one entry
// because storage has no transactions: a rotation with its rewrap is then one Put, and a shredding one Delete.
type Keys struct {
	Ring      []byte `cbor:"1,keyasint"`
	RequestID string `cbor:"2,keyasint,omitempty"` // of the last rotation
	Rewrap    Rewrap `cbor:"3,keyasint"`

	AutoRotate time.Duration `cbor:"4,keyasint,omitempty"` // how old the latest version may get; 0 is for ever
}

// Rewrap is the durable progress of re-sealing what is stored of a workspace under key version Target.
type Rewrap struct {
	State    RewrapState `cbor:"1,keyasint,omitempty"`
	Target   uint32      `cbor:"2,keyasint,omitempty"`
	Total    int         `cbor:"3,keyasint,omitempty"` // records; a secret is one with all its versions
	Done     int         `cbor:"4,keyasint,omitempty"`
	Failed   int         `cbor:"5,keyasint,omitempty"`
	Cursor   string      `cbor:"6,keyasint,omitempty"` // within the kind that is being done, what comes up to it is done
	Finished []string    `cbor:"7,keyasint,omitempty"` // kinds of records that are done
	Started  time.Time   `cbor:"8,keyasint,omitzero"`
	Updated  time.Time   `cbor:"9,keyasint,omitzero"`
}

// RewrapState is where a rewrap stands; the zero value is idle.
type RewrapState string

// The states of a rewrap.
const (
	RewrapIdle    RewrapState = ""
	RewrapRunning RewrapState = "running"
	RewrapDone    RewrapState = "done"
	RewrapFailed  RewrapState = "failed" // went through, but Failed records could not be opened or stored
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

	Base       string   `cbor:"7,keyasint,omitempty"` // project/environment whose secrets are inherited
	Shares     bool     `cbor:"8,keyasint,omitempty"` // whether SharedWith was set; else the default holds
	SharedWith []string `cbor:"9,keyasint,omitempty"` // globs project/environment that may reference or inherit this one
}

// Actor is who did something, as far as Vault tells a plugin.
type Actor struct {
	EntityID     string `cbor:"1,keyasint,omitempty"`
	DisplayName  string `cbor:"2,keyasint,omitempty"`
	AccessorHash string `cbor:"3,keyasint,omitempty"` // SHA-256 of the token's accessor, hex
}

// Encoding says how a value is answered.
type Encoding uint8

// The encodings of a value.
const (
	Text   Encoding = 0 // UTF-8
	Base64 Encoding = 1 // bytes, answered in base64
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
	Deleted   time.Time `cbor:"8,keyasint,omitzero"`  // of a soft delete; may lie ahead, with delete_version_after
	DeletedBy Actor     `cbor:"9,keyasint,omitempty"`
	DeletedID string    `cbor:"10,keyasint,omitempty"` // request id of the delete
	Destroyed bool      `cbor:"11,keyasint,omitempty"` // its value is gone for ever

	References bool     `cbor:"12,keyasint,omitempty"` // the value refers to other secrets
	Targets    []string `cbor:"13,keyasint,omitempty"` // to which, as project/environment/NAME, sorted; those of its own environment are left out
}

// Live reports whether the version's value is answered at a moment.
func (v Version) Live(now time.Time) bool {
	return !v.Destroyed && (v.Deleted.IsZero() || v.Deleted.After(now))
}

// SecretSettings are what a secret sets for itself; zero means not set.
type SecretSettings struct {
	MaxVersions        int           `cbor:"1,keyasint,omitempty"`
	CASRequired        bool          `cbor:"2,keyasint,omitempty"`
	DeleteVersionAfter time.Duration `cbor:"3,keyasint,omitempty"` // negative: never, whatever the workspace says
}

// Head is the record under sec/<env_id>/<name>: the newest value and some older ones, sealed, and
// the metadata of all kept versions. A Head is immutable once it is stored or cached; changes make
// a new one. Its methods are in head.go.
type Head struct {
	Sealed   []byte    `cbor:"1,keyasint"` // envelope of the newest version
	Tags     []string  `cbor:"2,keyasint,omitempty"`
	Floor    uint64    `cbor:"3,keyasint,omitempty"` // ver/ holds no value of this secret under a number below this
	Versions []Version `cbor:"4,keyasint"`           // oldest first, without gaps; the last is the newest

	Doomed   []uint64          `cbor:"5,keyasint,omitempty"` // destroyed versions whose value may still be in storage
	Metadata map[string]string `cbor:"6,keyasint,omitempty"` // custom_metadata
	Settings SecretSettings    `cbor:"7,keyasint,omitzero"`
	// Dying says that the secret was removed with all its versions: it does not exist, and what is left of it in storage is
	// being removed. The head goes last.
	Dying   bool      `cbor:"8,keyasint,omitempty"`
	Removed time.Time `cbor:"9,keyasint,omitzero"` // of a dying secret: when

	First uint64 `cbor:"10,keyasint"` // the number its versions began with, kept or not

	// Inline holds the envelopes of the versions just before the newest, oldest first; that of a
	// destroyed version is empty. The versions before these have their value under ver/.
	Inline [][]byte `cbor:"11,keyasint,omitempty"`
	// NeverSpilled is not stored: no version from this number on has ever been put under ver/,
	// except those which the head itself has there. Zero, as in every head that was read from
	// storage, means that this is not known: a write that a crash interrupted may have put any
	// inline version there, and the newest too.
	NeverSpilled uint64 `cbor:"-"`
}

// Tombstone is the record under tomb/<env_id>/<name>: a secret of this name was removed with all its versions. Should it come
// back, its versions go on from Last, so that no ciphertext of old fits one of them.
type Tombstone struct {
	Last    uint64    `cbor:"1,keyasint"`
	Born    time.Time `cbor:"2,keyasint,omitzero"` // from when on there may have been versions; zero: not known
	Removed time.Time `cbor:"3,keyasint"`
}

// OldValue is the record under ver/<env_id>/<name>/<n>: the sealed value of an older version that
// the head has no room for.
type OldValue struct {
	Sealed []byte `cbor:"1,keyasint"`
}

// LogChunk is a part of a redo log under log/<env_id>/<txn>/<chunk>: one write of many secrets. The chunk whose Chunks is set is
// put last and is the commit: a transaction without it never happened.
type LogChunk struct {
	Changes []Change `cbor:"1,keyasint"`
	Chunks  int      `cbor:"2,keyasint,omitempty"` // how many chunks the transaction has; set on the last only
}

// Change is what a transaction does to one secret.
type Change struct {
	Name     string   `cbor:"1,keyasint"`
	Sealed   []byte   `cbor:"2,keyasint,omitempty"` // absent for a soft delete
	Version  Version  `cbor:"3,keyasint"`           // metadata of the new version; for a delete, that of the newest as it becomes
	Tags     []string `cbor:"4,keyasint,omitempty"`
	Keep     int      `cbor:"5,keyasint"` // max_versions at the time of the write
	IsDelete bool     `cbor:"6,keyasint,omitempty"`
}
