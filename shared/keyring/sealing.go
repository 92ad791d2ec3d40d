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
