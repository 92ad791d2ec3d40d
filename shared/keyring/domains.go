package keyring

// SecretLocation is one version of a secret of an environment.
type SecretLocation struct {
	Name    string
	Version uint64
}

func (SecretLocation) domain() byte { return domainSecret }

func (at SecretLocation) bind(binding tuple) tuple { return binding.text(at.Name).u64(at.Version) }

// Secrets returns the context that seals an environment's secrets. The errors are ErrTooLarge and
// ErrWiped.
func (w *Workspace) Secrets(scope EnvironmentScope) (*Context[SecretLocation], error) {
	return newContext[SecretLocation](w, labelSecret, scope.appendTo(w.owner()))
}

// CredentialLocation is one field of an integration's credential. It is bound to the endpoint that
// may receive the credential.
type CredentialLocation struct {
	// Endpoint is the SHA-256 of every setting that decides who receives the credential, and how
	// the engine authenticates the receiver.
	Endpoint   [32]byte
	Field      string
	Generation uint64
}

func (CredentialLocation) domain() byte { return domainCredential }

func (at CredentialLocation) bind(binding tuple) tuple {
	return binding.bytes(at.Endpoint[:]).text(at.Field).u64(at.Generation)
}

// Credentials returns the context that seals an integration's credentials. The errors are
// ErrTooLarge and ErrWiped.
func (w *Workspace) Credentials(scope IntegrationScope) (*Context[CredentialLocation], error) {
	return newContext[CredentialLocation](w, labelCredential, scope.appendTo(w.owner()))
}

// LeaseLocation is one revision of the record of a minted credential.
type LeaseLocation struct {
	Endpoint [32]byte // see CredentialLocation
	Role     string
	ID       ID // id of the lease
	Revision uint64
}

func (LeaseLocation) domain() byte { return domainLease }

func (at LeaseLocation) bind(binding tuple) tuple {
	return binding.bytes(at.Endpoint[:]).text(at.Role).bytes(at.ID[:]).u64(at.Revision)
}

// Leases returns the context that seals the leases of an integration. The errors are ErrTooLarge
// and ErrWiped.
func (w *Workspace) Leases(scope IntegrationScope) (*Context[LeaseLocation], error) {
	return newContext[LeaseLocation](w, labelLease, scope.appendTo(w.owner()))
}

// RotationLocation is one field of a rotation journal, the record of a rotation of an integration's
// credential.
type RotationLocation struct {
	Endpoint   [32]byte // see CredentialLocation
	Generation uint64   // generation that the rotation creates
	Field      string
}

func (RotationLocation) domain() byte { return domainRotation }

func (at RotationLocation) bind(binding tuple) tuple {
	return binding.bytes(at.Endpoint[:]).u64(at.Generation).text(at.Field)
}

// RotationJournal returns the context that seals an integration's rotation journal. The errors are
// ErrTooLarge and ErrWiped.
func (w *Workspace) RotationJournal(scope IntegrationScope) (*Context[RotationLocation], error) {
	return newContext[RotationLocation](w, labelRotation, scope.appendTo(w.owner()))
}

// SyncLocation is one record of a sync.
type SyncLocation struct {
	Record string
}

func (SyncLocation) domain() byte { return domainSyncMetadata }

func (at SyncLocation) bind(binding tuple) tuple { return binding.text(at.Record) }

// SyncMetadata returns the context that seals a sync's records. The errors are ErrTooLarge and
// ErrWiped.
func (w *Workspace) SyncMetadata(scope SyncScope) (*Context[SyncLocation], error) {
	return newContext[SyncLocation](w, labelSyncMetadata, scope.appendTo(w.owner()))
}

// WebhookLocation is one secret field of a webhook.
type WebhookLocation struct {
	Field      string
	Generation uint64
}

func (WebhookLocation) domain() byte { return domainWebhook }

func (at WebhookLocation) bind(binding tuple) tuple { return binding.text(at.Field).u64(at.Generation) }

// Webhook returns the context that seals a webhook's URL and secrets. The errors are ErrTooLarge
// and ErrWiped.
func (w *Workspace) Webhook(scope WebhookScope) (*Context[WebhookLocation], error) {
	return newContext[WebhookLocation](w, labelWebhook, scope.appendTo(w.owner()))
}

// maxAssociatedData is the largest size of an application's associated data in bytes. A binding
// holds at most 64 KiB.
const maxAssociatedData = 32 << 10

// ApplicationLocation is the data to which a tenant's own service binds a ciphertext. Decryption
// needs the same data.
type ApplicationLocation struct {
	AssociatedData []byte // at most 32 KiB
}

func (ApplicationLocation) domain() byte { return domainApplication }

func (at ApplicationLocation) bind(binding tuple) tuple {
	binding = binding.bytes(at.AssociatedData)
	if len(at.AssociatedData) > maxAssociatedData {
		binding.err = ErrTooLarge
	}
	return binding
}

// Application returns the context with the given name of a tenant's own service. The errors are
// ErrTooLarge and ErrWiped.
func (w *Workspace) Application(context string) (*Context[ApplicationLocation], error) {
	return newContext[ApplicationLocation](w, labelApplication, w.owner().text(context))
}

// FingerprintLocation is a value at a destination. RemoteName is its name there.
type FingerprintLocation struct {
	RemoteName string
}

func (at FingerprintLocation) identify(input tuple) tuple { return input.text(at.RemoteName) }

// Fingerprints returns the MAC by which a sync recognises the values it has sent. A value has a
// different fingerprint under another name and in another sync. The errors are ErrTooLarge and
// ErrWiped.
func (w *Workspace) Fingerprints(scope SyncScope) (*MAC[FingerprintLocation], error) {
	return newMAC[FingerprintLocation](w.keys, labelFingerprint, scope.appendTo(w.owner()), labelFingerprint)
}

// AccessTokenLocation is one access token of an environment. The data of the digest is the whole
// token.
type AccessTokenLocation struct {
	Environment EnvironmentScope
	Name        string // of the token
	ID          string // the public part of the token
}

func (at AccessTokenLocation) identify(input tuple) tuple {
	return at.Environment.appendTo(input).text(at.Name).text(at.ID)
}

// AccessTokens returns the MAC whose digests are stored in place of access tokens. The error is
// ErrWiped.
func (w *Workspace) AccessTokens() (*MAC[AccessTokenLocation], error) {
	return newMAC[AccessTokenLocation](w.keys, labelAccessToken, w.owner(), labelAccessToken)
}

// HMACLocation is empty. The digest of a tenant's own service depends only on the context and the
// data.
type HMACLocation struct{}

func (HMACLocation) identify(input tuple) tuple { return input }

// ApplicationHMAC returns the MAC of one context of a tenant's own service. The errors are
// ErrTooLarge and ErrWiped.
func (w *Workspace) ApplicationHMAC(context string) (*MAC[HMACLocation], error) {
	return newMAC[HMACLocation](w.keys, labelApplicationHMAC, w.owner().text(context), labelApplicationHMAC, context)
}

// ActivityLocation is the position of a record in a stream of activity. The stream is a chain: each
// digest covers the previous digest.
type ActivityLocation struct {
	Stream   string
	Sequence uint64
	Previous [32]byte // previous digest; all zeros for the first record
}

func (at ActivityLocation) identify(input tuple) tuple {
	return input.text(at.Stream).u64(at.Sequence).bytes(at.Previous[:])
}

// Activity returns the MAC that chains the activity of a workspace. The error is ErrWiped.
func (w *Workspace) Activity() (*MAC[ActivityLocation], error) {
	return newMAC[ActivityLocation](w.keys, labelActivity, w.owner(), labelActivity)
}

// EngineActivity returns the MAC that chains the mount's own activity, which belongs to no
// workspace. The error is ErrWiped.
func (m *Master) EngineActivity() (*MAC[ActivityLocation], error) {
	return newMAC[ActivityLocation](m.keys, labelEngineActivity, newTuple(nil).bytes(m.mount[:]), labelActivity)
}
