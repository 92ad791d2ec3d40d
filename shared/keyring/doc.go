// Package keyring keeps the keys of many tenants under one master key, and seals their data.
//
// It owns every key in the clear, and knows nothing of storage, requests or who may do what.
//
//	master key       random, versioned, one per mount        derives only
//	└ wrapping key   derived from it, for one workspace      wraps that workspace's keys only
//	workspace key    random, versioned, stored wrapped       derives only
//	└ context key    derived, for one scope of one kind      derives, or makes digests
//	  └ message key  derived, for one message                seals it, once
//
// Each key has one use. Workspace keys are random, not derived from the master key: so a new master key costs one small rewrap
// per workspace and leaves the data as it is, and what was sealed under a workspace key is gone once its entry is. A message has a
// key of its own, so that no count of messages has to be kept, and a commitment to it, so that it opens under no other.
//
// # What to call
//
// A mount begins with [NewMaster]. Its [Master.Encode] is stored once, and read back with [DecodeMaster] at each start. A workspace
// begins with [Master.NewWorkspace]; what is stored of it is its entry, made by [Master.Wrap] and read back by [Master.Unwrap]. Then
// contexts seal and open:
//
//	master, err := keyring.NewMaster(time.Now())
//	id, err := keyring.NewWorkspaceID()
//	workspace, err := master.NewWorkspace(id, time.Now())
//	entry, err := master.Wrap(workspace) // to be stored
//
//	secrets, err := workspace.Secrets("shop", "production")
//	defer secrets.Wipe()
//	sealed, err := secrets.Seal(keyring.SecretLocation{Name: "db", Version: 1}, plaintext)
//	stored := sealed.Bytes()
//
//	sealed, err = keyring.ParseCiphertext[keyring.SecretLocation](stored)
//	plaintext, err = secrets.Open(keyring.SecretLocation{Name: "db", Version: 1}, sealed)
//
// The location is that of the request. Build it from what was asked for, never from what is stored beside the ciphertext: then a
// ciphertext that was moved does not open where it was moved to. Contexts and ciphertexts of different kinds have different types,
// and confusing them does not compile.
//
// To rotate a key, call Rotate and store the result; what is sealed from then on is under the new version. Older ciphertexts go on
// opening and are moved with [Context.Rewrap], older entries with [Master.Unwrap] and [Master.Wrap]. When none is left, the old
// versions are destroyed with [Workspace.SetMinDecryption] and [Workspace.Trim], or with [Master.Trim].
//
// All types are safe for concurrent use. Wipe waits for the operations that use a key; those that come later answer [ErrWiped].
// The names that scopes are made of are taken as bytes: what is a good name is for the caller to say.
//
// # Format
//
// Lists of fields, in derivations and bindings, are encoded as T(f1..fn) = u8(n) || for each: u16be(length) || bytes. Derivations are
// HKDF-Expand with SHA-256 over T("stash/v1", kind, workspace id, names...), messages are AES-256-GCM with a 32-byte commitment, digests
// are HMAC-SHA-256; all are approved algorithms, through Go's cryptographic module. A ciphertext is 84 bytes longer than its plaintext. Its
// text form is stash:v<key version>:<base64url>, a digest's stash-mac:v<key version>:<base64url>. The layouts stand above their parsers, in
// envelope.go, entry.go and master.go. Each parser accepts exactly what is written here: one encoding for a value.
//
// # Compatibility
//
// What was sealed with any version of this package opens with every later one. testdata/kat/v1.json holds it to that: known answers
// from the master key to the ciphertext, checked by implementations in Go, Python and JavaScript. Vectors are added, never changed. A
// new algorithm would be a new suite byte, a new hierarchy a new scheme label, both beside the old.
package keyring
