package keyring

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
