package keyring

// Labels: the first field after the scheme in a derivation, the first field of a binding or of an HMAC input.
const (
	labelKEK          = "kek"
	labelWorkspaceKey = "workspace-key"

	labelSecret          = "secret"
	labelCredential      = "integration-credential"
	labelSyncMetadata    = "sync-metadata"
	labelApplication     = "application"
	labelAccessToken     = "access-token"
	labelFingerprint     = "sync-fingerprint"
	labelActivity        = "activity"
	labelApplicationHMAC = "application-hmac"
	labelEngineActivity  = "engine-activity"
)

// SecretLocation is one version of a secret within an environment.
type SecretLocation struct {
	Name    string
	Version uint64
}

func (SecretLocation) domain() byte { return domainSecret }

func (at SecretLocation) bind(binding tuple) tuple { return binding.text(at.Name).u64(at.Version) }

// Secrets is the context of an environment's secrets.
func (w *Workspace) Secrets(project, environment string) (*Context[SecretLocation], error) {
	return newContext[SecretLocation](w, labelSecret, project, environment)
}

// CredentialLocation is one field of an integration's credential, bound to whom it may be sent to.
type CredentialLocation struct {
	Endpoint   [32]byte // SHA-256 of every setting that decides who receives the credential and how that party is recognised
	Field      string
	Generation uint64
}

func (CredentialLocation) domain() byte { return domainCredential }

func (at CredentialLocation) bind(binding tuple) tuple {
	return binding.bytes(at.Endpoint[:]).text(at.Field).u64(at.Generation)
}

// Integration is the context of an integration's credentials.
func (w *Workspace) Integration(provider, integration string) (*Context[CredentialLocation], error) {
	return newContext[CredentialLocation](w, labelCredential, provider, integration)
}

// SyncLocation is one record that a sync keeps about its destination.
type SyncLocation struct {
	Record string
}

func (SyncLocation) domain() byte { return domainSyncMetadata }

func (at SyncLocation) bind(binding tuple) tuple { return binding.text(at.Record) }

// SyncMetadata is the context of a sync's records.
func (w *Workspace) SyncMetadata(destination, sync string) (*Context[SyncLocation], error) {
	return newContext[SyncLocation](w, labelSyncMetadata, destination, sync)
}

// FingerprintLocation is one value at a destination, under the name it has there.
type FingerprintLocation struct {
	RemoteName string
}

func (at FingerprintLocation) identify(input tuple) tuple { return input.text(at.RemoteName) }

// Fingerprints recognises the bytes a sync has sent to its destination. Equal bytes of different names or syncs have different
// fingerprints.
func (w *Workspace) Fingerprints(destination, sync string) (*MAC[FingerprintLocation], error) {
	return newMAC[FingerprintLocation](w.keys, w.id, labelFingerprint, []string{destination, sync}, labelFingerprint)
}

// maxAssociatedData is the most associated data of an application's ciphertext, in bytes: a binding holds at most 64 KiB.
const maxAssociatedData = 32 << 10

// ApplicationLocation is what a tenant's own service binds a ciphertext to: anything it knows again when it decrypts, of at most
// 32 KiB.
type ApplicationLocation struct {
	AssociatedData []byte
}

func (ApplicationLocation) domain() byte { return domainApplication }

func (at ApplicationLocation) bind(binding tuple) tuple {
	binding = binding.bytes(at.AssociatedData)
	if len(at.AssociatedData) > maxAssociatedData {
		binding.err = ErrTooLarge
	}
	return binding
}

// Application is the encryption context of a tenant's own service.
func (w *Workspace) Application(context string) (*Context[ApplicationLocation], error) {
	return newContext[ApplicationLocation](w, labelApplication, context)
}

// HMACLocation is empty: the digests of a tenant's own service are about nothing but their input.
type HMACLocation struct{}

func (HMACLocation) identify(input tuple) tuple { return input }

// ApplicationHMAC makes digests for a tenant's own service.
func (w *Workspace) ApplicationHMAC(context string) (*MAC[HMACLocation], error) {
	return newMAC[HMACLocation](w.keys, w.id, labelApplicationHMAC, []string{context}, labelApplicationHMAC, context)
}

// AccessTokenLocation is one access token, by its public id. The data of its digest is the whole token.
type AccessTokenLocation struct {
	ID string
}

func (at AccessTokenLocation) identify(input tuple) tuple { return input.text(at.ID) }

// AccessTokens makes the digests that are stored in place of access tokens.
func (w *Workspace) AccessTokens() (*MAC[AccessTokenLocation], error) {
	return newMAC[AccessTokenLocation](w.keys, w.id, labelAccessToken, nil, labelAccessToken)
}

// ActivityLocation is a record's place in a stream of activity, a chain in which each digest covers the one before.
type ActivityLocation struct {
	Stream   string
	Sequence uint64
	Previous [32]byte // the digest before, all zero for the first record
}

func (at ActivityLocation) identify(input tuple) tuple {
	return input.text(at.Stream).u64(at.Sequence).bytes(at.Previous[:])
}

// Activity chains the activity of a workspace.
func (w *Workspace) Activity() (*MAC[ActivityLocation], error) {
	return newMAC[ActivityLocation](w.keys, w.id, labelActivity, nil, labelActivity)
}

// EngineActivity chains the activity of the mount, which belongs to no workspace.
func (m *Master) EngineActivity() (*MAC[ActivityLocation], error) {
	return newMAC[ActivityLocation](m.keys, m.mount, labelEngineActivity, nil, labelActivity)
}
