// Package keyring keeps the keys of many tenants under one master key, and seals their data.
//
// It owns every key in the clear. It knows nothing of storage, of requests or of permissions.
//
//	master key       random, versioned, one per mount        derives only
//	└ wrapping key   derived from it, for one workspace      wraps that workspace's keys only
//	workspace key    random, versioned, stored wrapped       derives only
//	└ context key    derived, for one scope of one kind      derives, or makes digests
//	  └ message key  derived, for one message                seals it, once
//
// Each key has one use. Workspace keys are random, not derived from the master key. So a new master key costs one small rewrap
// per workspace and leaves the data as it is, and data sealed under a workspace key is gone once its key entry is gone. Each
// message has its own key, so messages need not be counted, and a commitment to that key, so it opens under no other key.
//
// # Usage
//
// A mount begins with [NewMaster]. The output of [Master.Encode] is stored once and read back with [DecodeMaster] at each start.
// A workspace begins with [Master.NewWorkspace]. Its key entry is made by [Master.Wrap], stored, and read back by
// [Master.Unwrap]. The contexts of a workspace seal and open:
//
//	master, err := keyring.NewMaster(time.Now())
//	acme := keyring.WorkspaceScope{Name: "acme", ID: keyring.NewID()}
//	workspace, err := master.NewWorkspace(acme, time.Now())
//	entry, err := master.Wrap(workspace) // to be stored
//
//	production := keyring.EnvironmentScope{Project: "shop", Environment: "production", ID: environmentID}
//	secrets, err := workspace.Secrets(production)
//	defer secrets.Wipe()
//	sealed, err := secrets.Seal(keyring.SecretLocation{Name: "db", Version: 1}, plaintext)
//	stored := sealed.Bytes()
//
//	sealed, err = keyring.ParseCiphertext[keyring.SecretLocation](stored)
//	plaintext, err = secrets.Open(keyring.SecretLocation{Name: "db", Version: 1}, sealed)
//
// # Scopes and locations
//
// A scope names its record twice: by its name and by its [ID]. Take the name from the request, and the ID from the record that
// was found under that name. Never take a name from the record itself: it would move together with the ciphertext. Then a record
// that was moved under another name does not open there, and a name that is deleted and created again does not open what its
// predecessor left. A location is the rest of the address within a scope, and comes from the request as well.
//
// Contexts, locations and ciphertexts of different kinds have different types. Code that confuses them does not compile. Names
// are used as bytes; the caller decides which names are valid.
//
// # Rotation
//
// Rotate returns a keyring with a new version, which is in force once the result is stored. Older ciphertexts still open and are
// moved with [Context.Rewrap], older entries with [Master.Unwrap] and [Master.Wrap]. When no ciphertext needs the old versions,
// destroy them with [Workspace.SetMinDecryption] and [Workspace.Trim], or with [Master.Trim].
//
// All types are safe for concurrent use. Wipe waits for the operations that use a key; later operations return [ErrWiped].
//
// # Format
//
// Lists of fields, in derivations and bindings, are encoded as T(f1..fn) = u8(n) || for each: u16be(length) || bytes. Derivations
// are HKDF-Expand with SHA-256 over T("stash/v1", kind, workspace id, names and ids...). Messages are AES-256-GCM with a 32-byte
// commitment. Digests are HMAC-SHA-256. All are approved algorithms, through Go's cryptographic module. A ciphertext is 84 bytes
// longer than its plaintext. Its text form is stash:v<key version>:<base64url>, and that of a digest is
// stash-mac:v<key version>:<base64url>. The layouts are documented above their parsers, in envelope.go, entry.go and master.go.
// A parser accepts exactly one encoding of a value.
//
// # Compatibility
//
// Data that any version of this package has sealed opens with every later version. testdata/kat/v1.json holds known answers from
// the master key to the ciphertext, which implementations in Go, Python and JavaScript verify, and testdata/kat/v1.sum the hash
// of each. Vectors are added, never changed. A new algorithm would be a new suite byte, a new hierarchy a new scheme label, both
// beside the old.
package keyring
