package keyring

import (
	"encoding/hex"
)

// Labels of derivations, bindings and HMAC inputs. A label is the first field after the scheme in a
// derivation. It is the first field of a binding or an HMAC input.
const (
	labelKEK          = "kek"
	labelWorkspaceKey = "workspace-key"

	labelSecret          = "secret"
	labelCredential      = "integration-credential"
	labelSyncMetadata    = "sync-metadata"
	labelApplication     = "application"
	labelLease           = "credential-lease"
	labelRotation        = "rotation-journal"
	labelWebhook         = "webhook"
	labelAccessToken     = "access-token"
	labelFingerprint     = "sync-fingerprint"
	labelActivity        = "activity"
	labelApplicationHMAC = "application-hmac"
	labelEngineActivity  = "engine-activity"
)

// A scope names its record twice. The name comes from the request, so a record that was moved under
// another name does not open there. The ID comes from the record stored under that name, so a
// recreated record does not open the data of its predecessor. Names are used as bytes. The caller
// decides which names are valid.

// WorkspaceScope identifies a workspace. The workspace's keys are wrapped for this name and ID.
type WorkspaceScope struct {
	Name string
	ID   ID
}

// EnvironmentScope identifies an environment within its workspace.
type EnvironmentScope struct {
	Project, Environment string
	ID                   ID
}

func (s EnvironmentScope) appendTo(t tuple) tuple {
	return t.text(s.Project).text(s.Environment).bytes(s.ID[:])
}

// IntegrationScope identifies an integration within its workspace.
type IntegrationScope struct {
	Provider, Name string
	ID             ID
}

func (s IntegrationScope) appendTo(t tuple) tuple {
	return t.text(s.Provider).text(s.Name).bytes(s.ID[:])
}

// SyncScope identifies a sync within its workspace.
type SyncScope struct {
	Project, Environment, Destination, Name string
	ID                                      ID
}

func (s SyncScope) appendTo(t tuple) tuple {
	return t.text(s.Project).text(s.Environment).text(s.Destination).text(s.Name).bytes(s.ID[:])
}

// WebhookScope identifies a webhook within its workspace.
type WebhookScope struct {
	Name string
	ID   ID
}

func (s WebhookScope) appendTo(t tuple) tuple { return t.text(s.Name).bytes(s.ID[:]) }

// ID identifies one incarnation of a workspace, environment, integration, sync or webhook. It is 16
// random bytes and not secret. A record that is deleted and created again under the same name has a
// new ID. So data of the old record does not open in the new one.
type ID [16]byte

// NewID returns a new ID in the form of a UUID of version 4 (RFC 9562, section 5.4). The package
// accepts any 16 bytes as an ID.
func NewID() ID {
	var id ID
	random(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// ParseID parses the output of String: 32 lower-case hexadecimal digits. The error is ErrFormat.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != hex.EncodedLen(len(id)) {
		return ID{}, ErrFormat
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil || id.String() != s {
		return ID{}, ErrFormat
	}
	return id, nil
}

// String returns 32 lower-case hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }
