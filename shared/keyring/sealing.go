package keyring

// SecretLocation is one version of a secret of an environment.
type SecretLocation struct {
	Name    string
	Version uint64
}

func (SecretLocation) domain() byte { return domainSecret }

func (at SecretLocation) bind(binding tuple) tuple { return binding.text(at.Name).u64(at.Version) }

// Secrets returns the context that seals an environment's secrets. Its errors are ErrTooLarge and ErrWiped.
func (w *Workspace) Secrets(of EnvironmentScope) (*Context[SecretLocation], error) {
	return newContext[SecretLocation](w, labelSecret, of.appendTo(w.owner()))
}

// CredentialLocation is one field of an integration's credential, bound to the endpoint that may receive it.
type CredentialLocation struct {
	Endpoint   [32]byte // SHA-256 of every setting that decides who receives the credential and how that party is recognised
	Field      string
	Generation uint64
}

func (CredentialLocation) domain() byte { return domainCredential }

func (at CredentialLocation) bind(binding tuple) tuple {
	return binding.bytes(at.Endpoint[:]).text(at.Field).u64(at.Generation)
}

// Credentials returns the context that seals an integration's credentials. Its errors are ErrTooLarge and ErrWiped.
func (w *Workspace) Credentials(of IntegrationScope) (*Context[CredentialLocation], error) {
	return newContext[CredentialLocation](w, labelCredential, of.appendTo(w.owner()))
}

// LeaseLocation is one revision of the record of a minted credential.
type LeaseLocation struct {
	Endpoint [32]byte // as in CredentialLocation
	Role     string
	ID       ID // of the lease
	Revision uint64
}

func (LeaseLocation) domain() byte { return domainLease }

func (at LeaseLocation) bind(binding tuple) tuple {
	return binding.bytes(at.Endpoint[:]).text(at.Role).bytes(at.ID[:]).u64(at.Revision)
}

// Leases returns the context that seals the leases of an integration. Its errors are ErrTooLarge and ErrWiped.
func (w *Workspace) Leases(of IntegrationScope) (*Context[LeaseLocation], error) {
	return newContext[LeaseLocation](w, labelLease, of.appendTo(w.owner()))
}

// RotationLocation is one field of the journal that a rotation of an integration's credential keeps.
type RotationLocation struct {
	Endpoint   [32]byte // as in CredentialLocation
	Generation uint64   // that the rotation creates
	Field      string
}

func (RotationLocation) domain() byte { return domainRotation }

func (at RotationLocation) bind(binding tuple) tuple {
	return binding.bytes(at.Endpoint[:]).u64(at.Generation).text(at.Field)
}

// RotationJournal returns the context that seals an integration's rotation journal. Its errors are ErrTooLarge and ErrWiped.
func (w *Workspace) RotationJournal(of IntegrationScope) (*Context[RotationLocation], error) {
	return newContext[RotationLocation](w, labelRotation, of.appendTo(w.owner()))
}

// SyncLocation is one record that a sync keeps.
type SyncLocation struct {
	Record string
}

func (SyncLocation) domain() byte { return domainSyncMetadata }

func (at SyncLocation) bind(binding tuple) tuple { return binding.text(at.Record) }

// SyncMetadata returns the context that seals a sync's records. Its errors are ErrTooLarge and ErrWiped.
func (w *Workspace) SyncMetadata(of SyncScope) (*Context[SyncLocation], error) {
	return newContext[SyncLocation](w, labelSyncMetadata, of.appendTo(w.owner()))
}

// WebhookLocation is one secret field of a webhook.
type WebhookLocation struct {
	Field      string
	Generation uint64
}

func (WebhookLocation) domain() byte { return domainWebhook }

func (at WebhookLocation) bind(binding tuple) tuple { return binding.text(at.Field).u64(at.Generation) }

// Webhook returns the context that seals a webhook's URL and secrets. Its errors are ErrTooLarge and ErrWiped.
func (w *Workspace) Webhook(of WebhookScope) (*Context[WebhookLocation], error) {
	return newContext[WebhookLocation](w, labelWebhook, of.appendTo(w.owner()))
}

// maxAssociatedData is the most associated data of an application's ciphertext, in bytes: a binding holds at most 64 KiB.
const maxAssociatedData = 32 << 10

// ApplicationLocation is the data that a tenant's own service binds a ciphertext to and supplies again to decrypt it.
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

// Application returns an encryption context of a tenant's own service. Its errors are ErrTooLarge and ErrWiped.
func (w *Workspace) Application(context string) (*Context[ApplicationLocation], error) {
	return newContext[ApplicationLocation](w, labelApplication, w.owner().text(context))
}
