// Package keyring owns the keys of many tenants under one master key, and seals the tenants' data.
// No other package works with those keys in the clear. It knows nothing of storage, requests and
// permissions.
//
//	master key       random, versioned, one per mount        derives only
//	└ wrapping key   derived from it, for one workspace      wraps that workspace's keys only
//	workspace key    random, versioned, stored wrapped       derives only
//	└ context key    derived, for one scope of one kind      derives, or makes digests
//	  └ message key  derived, for one message                seals it, once
//
// Each key has one use. Workspace keys are random, not derived from the master key. So a rotation
// of the master key rewraps one small entry per workspace and leaves the data unchanged. Data
// sealed under a workspace key cannot be opened once the workspace's key entry is destroyed. Each
// message has its own key, so the number of messages is not limited. A commitment to that key
// ensures that a message opens under no other key.
//
// # Usage
//
// A new mount calls [NewMaster] once, and stores the result of [Master.Encode]. Each start reads it
// with [DecodeMaster]. A new workspace calls [Master.NewWorkspace] once, and stores the key entry
// that [Master.Wrap] returns. [Master.Unwrap] reads it. The contexts of a workspace seal and open:
//
//	master, err := keyring.NewMaster(time.Now())
//	acme := keyring.WorkspaceScope{Name: "acme", ID: keyring.NewID()}
//	workspace, err := master.NewWorkspace(acme, time.Now())
//	entry, err := master.Wrap(workspace) // to be stored
//
//	production := keyring.EnvironmentScope{Project: "shop", Environment: "production", ID: id}
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
// A scope names its record twice: by name and by [ID]. Take the name from the request, and the ID
// from the record stored under that name. Never take the name from the record itself, because a
// moved record would bring its old name along. Then a record that was moved under another name does
// not open there. A record that is deleted and created again under the same name does not open the
// data of its predecessor. A location is the rest of the address within a scope. It comes from the
// request as well.
//
// Contexts, locations and ciphertexts of different kinds have different types, so code that
// confuses them does not compile. Names are used as bytes. The caller decides which names are
// valid.
//
// # Rotation
//
// Rotate returns a keyring with a new version. The new version takes effect once the caller has
// stored the new keyring. Older ciphertexts still open, and [Context.Rewrap] moves them to the
// latest version. [Master.Unwrap] and [Master.Wrap] do the same for key entries. When no ciphertext
// needs the old versions, destroy them with [Workspace.SetMinDecryption] and [Workspace.Trim]. For
// the master key, use [Master.Trim].
//
// All types are safe for concurrent use. Wipe waits for operations that are using the keys. Later
// operations return [ErrWiped].
//
// # Format
//
// Derivations and bindings encode a list of fields as T(f1..fn) = u8(n) || for each field:
// u16be(length) || bytes. A derivation is HKDF-Expand with SHA-256 over T("stash/v1", kind,
// workspace id, names and ids...). A message is sealed with AES-256-GCM and a 32-byte commitment. A
// digest is HMAC-SHA-256. All algorithms are FIPS-approved and come from Go's cryptographic module.
// A ciphertext is 84 bytes longer than its plaintext. The text form of a ciphertext is stash:v<key
// version>:<base64url>. The text form of a digest is stash-mac:v<key version>:<base64url>. The
// layouts are documented above their parsers in envelope.go, entry.go and master.go. A parser
// accepts exactly one encoding of a value.
//
// # Compatibility
//
// Data sealed by any version of this package opens with every later version. The file
// testdata/kat/v1.json contains known answers for every step from the master key to the ciphertext.
// Implementations in Go, Python and JavaScript verify them. The file testdata/kat/v1.sum contains a
// hash of each vector. Vectors are added, never changed. A new algorithm would get a new suite
// byte, and a new hierarchy a new scheme label. The old ones would remain valid.
package keyring
