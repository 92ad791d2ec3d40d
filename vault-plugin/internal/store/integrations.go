package store

import (
	"context"
	"time"
)

// Integration is the record under int/<ws_id>/<provider>/<name>. It holds the number of the
// credential generation in force, so one Put changes settings and credential together.
type Integration struct {
	ID          ID                 `cbor:"1,keyasint"`
	Description string             `cbor:"2,keyasint,omitempty"`
	Auth        string             `cbor:"3,keyasint"`           // name of the auth kind
	Settings    map[string]Setting `cbor:"4,keyasint,omitempty"` // by field, without the secret fields

	AllowedEnvironments []string `cbor:"5,keyasint,omitempty"` // globs project/environment
	AllowedTargets      []string `cbor:"6,keyasint,omitempty"` // globs of target paths

	Credential CredentialState `cbor:"7,keyasint"`
	Stamp      Stamp           `cbor:"8,keyasint"`
	Used       Usage           `cbor:"9,keyasint,omitzero"`
}

// Setting is the value of one setting. The declared type of the setting determines which field is
// used.
type Setting struct {
	Text  string   `cbor:"1,keyasint,omitempty"`
	Flag  bool     `cbor:"2,keyasint,omitempty"`
	Whole int64    `cbor:"3,keyasint,omitempty"`
	Words []string `cbor:"4,keyasint,omitempty"`
}

// CredentialState is the part of a credential that may be shown.
type CredentialState struct {
	// Generation is the generation in force. It counts from 1 in each incarnation of the
	// integration.
	Generation uint64 `cbor:"1,keyasint"`
	// Fingerprint is random. It identifies the credential and reveals nothing else about it.
	Fingerprint string    `cbor:"2,keyasint"`
	Supplied    time.Time `cbor:"3,keyasint"`
	// Expires is the time that the provider reported; zero means never, or not reported.
	Expires time.Time `cbor:"4,keyasint,omitzero"`
}

// Usage describes the last use of an integration. It is stored some time after the use.
type Usage struct {
	At    time.Time `cbor:"1,keyasint,omitzero"`
	Error *Mishap   `cbor:"2,keyasint,omitempty"` // nil: the use succeeded
}

// Mishap is a failure of a provider. It contains no text from the provider.
type Mishap struct {
	At    time.Time `cbor:"1,keyasint"`
	Class string    `cbor:"2,keyasint"` // of package outbound
	Text  string    `cbor:"3,keyasint"`
}

// Credential is the record under cred/<integration_id>: the sealed secret fields. Besides the
// generation in force it may hold two others: one from a change that failed, and one that a change
// has replaced. Nothing opens those.
type Credential struct {
	Generations []Generation `cbor:"1,keyasint"` // sorted by number
}

// Generation is a credential as it was supplied. Each field is sealed for its generation and for
// the endpoint that the credential was supplied for.
type Generation struct {
	Number   uint64            `cbor:"1,keyasint"`
	Endpoint [32]byte          `cbor:"2,keyasint"`
	Fields   map[string][]byte `cbor:"3,keyasint"` // envelopes by field
}

// Find returns the generation with a number. It returns false if the record does not hold that
// generation. c may be nil.
func (c *Credential) Find(number uint64) (Generation, bool) {
	if c != nil {
		for _, g := range c.Generations {
			if g.Number == number {
				return g, true
			}
		}
	}
	return Generation{}, false
}

// Integration reads the record of an integration.
func (s *Store) Integration(ctx context.Context, ws ID, provider, name string) (*Integration, error) {
	return get[Integration](ctx, s, integrationKey(ws, provider, name))
}

// PutIntegration writes the record of an integration.
func (s *Store) PutIntegration(ctx context.Context, ws ID, provider, name string, r *Integration) error {
	return put(ctx, s, integrationKey(ws, provider, name), r)
}

// DeleteIntegration removes the record of an integration.
func (s *Store) DeleteIntegration(ctx context.Context, ws ID, provider, name string) error {
	return s.storage.Delete(ctx, integrationKey(ws, provider, name))
}

// IntegrationOwners lists the workspaces beneath which integrations are stored.
func (s *Store) IntegrationOwners(ctx context.Context) ([]ID, error) {
	return s.children(ctx, integrationPrefix)
}

// Integrations lists the names of a workspace's integrations by provider.
func (s *Store) Integrations(ctx context.Context, ws ID) (map[string][]string, error) {
	return s.grouped(ctx, integrationPrefix+string(ws)+"/")
}

// Credential reads the sealed credential of an integration.
func (s *Store) Credential(ctx context.Context, integration ID) (*Credential, error) {
	return get[Credential](ctx, s, credentialKey(integration))
}

// PutCredential writes the sealed credential of an integration.
func (s *Store) PutCredential(ctx context.Context, integration ID, r *Credential) error {
	return put(ctx, s, credentialKey(integration), r)
}

// DeleteCredential removes the sealed credential of an integration.
func (s *Store) DeleteCredential(ctx context.Context, integration ID) error {
	return s.storage.Delete(ctx, credentialKey(integration))
}
