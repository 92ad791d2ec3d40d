// Package vault syncs to the KV engines of a Vault. It can be any Vault that its address reaches,
// including the one that this engine runs in.
//
// The provider uses Vault's HTTP API through package outbound. It supports KV version 1 and 2 and
// reads the version from the mount.
package vault

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

// The settings of an integration.
const (
	fieldAddress   = "address"
	fieldNamespace = "namespace"
	fieldToken     = "token"
	authToken      = "token"
)

// Provider is the provider `vault`.
type Provider struct{}

var _ interface {
	provider.Provider
	provider.Checker
	provider.Looker
	provider.Reader
} = Provider{}

// New returns the provider.
func New() Provider { return Provider{} }

// Declare returns the declaration.
func (Provider) Declare() provider.Declaration {
	return provider.Declaration{
		Name:  "vault",
		Title: "Vault",
		Help: "A Vault whose KV engines receive secrets. It can be any Vault that the address reaches, including this one. The credential is a token, whose policies decide what a sync can " +
			"write. Use a separate periodic token with a policy for only the path that is synced.",
		Fields: []provider.Field{
			{
				Name: fieldAddress, Required: true, Endpoint: provider.EndpointURL, Example: "https://vault.example.com:8200",
				Help: "URL of the Vault. For a cluster, use the URL of the active node or of a load balancer: redirects of a standby are not followed.",
			},
			{
				Name: fieldNamespace, Endpoint: provider.EndpointText, Example: "admin/platform", Check: checkPath, Normal: trim,
				Help: "Namespace of Vault Enterprise. Leave it empty for the root namespace.",
			},
			{
				Name: provider.FieldCAPEM, Endpoint: provider.EndpointPEM,
				Help: "CA certificates in PEM format that are trusted in addition to the system's.",
			},
			{
				Name: provider.FieldServerName, Endpoint: provider.EndpointText, Example: "vault.internal",
				Help: "Name that the Vault's certificate must contain if it differs from the host of the address.",
			},
		},
		Auth: []provider.AuthKind{{
			Name: authToken,
			Help: "A token of the Vault.",
			Fields: []provider.Field{{
				Name: fieldToken, Secret: true, Required: true, Check: checkToken,
				Help: "The token. The engine does not renew it: use a token that does not expire, or a periodic token that you renew.",
			}},
		}},
		Destinations: []provider.Destination{destination()},
		Client:       provider.Client{Concurrency: concurrency, Classify: classify},
	}
}

// tokenInfo is the data of auth/token/lookup-self without the token and its accessor.
type tokenInfo struct {
	DisplayName      string     `json:"display_name"`
	Policies         []string   `json:"policies"`
	IdentityPolicies []string   `json:"identity_policies"`
	Expires          *time.Time `json:"expire_time"`
	Renewable        bool       `json:"renewable"`
	Type             string     `json:"type"`
	Path             string     `json:"path"`
}

// Verify returns the identity of the token.
func (Provider) Verify(ctx context.Context, s *provider.Session) (provider.Identity, error) {
	c, err := open(s)
	if err != nil {
		return provider.Identity{}, err
	}
	var token tokenInfo
	if err := c.lookUp(ctx, &token); err != nil {
		return provider.Identity{}, err
	}
	identity := provider.Identity{
		Account: token.DisplayName,
		Scopes:  append(slices.Clone(token.Policies), token.IdentityPolicies...),
		Detail:  map[string]string{"token_type": token.Type, "renewable": strconv.FormatBool(token.Renewable), "created_by": token.Path},
	}
	slices.Sort(identity.Scopes)
	identity.Scopes = slices.Compact(identity.Scopes)
	if token.Expires != nil {
		identity.Expires = *token.Expires
	}
	return identity, nil
}

func (c *client) lookUp(ctx context.Context, token *tokenInfo) error {
	_, err := c.get(ctx, operation{"look up the token", "read on auth/token/lookup-self, as the policy `default` does"}, "auth/token/lookup-self", token)
	if err == nil && token.Type == "" {
		return c.unexpected("look up the token", false, nil)
	}
	return err
}

// List returns the entries at a place.
func (Provider) List(ctx context.Context, s *provider.Session, place provider.Place) ([]provider.Entry, error) {
	entries, err := openStore(ctx, s, place)
	if err != nil {
		return nil, err
	}
	return entries.list(ctx)
}

// Look returns the named entries that exist at a place.
func (Provider) Look(ctx context.Context, s *provider.Session, place provider.Place, names []string) ([]provider.Entry, error) {
	entries, err := openStore(ctx, s, place)
	if err != nil {
		return nil, err
	}
	return entries.look(ctx, names)
}

// Read returns the values of the named entries at a place.
func (Provider) Read(ctx context.Context, s *provider.Session, place provider.Place, names []string) ([]provider.Value, error) {
	entries, err := openStore(ctx, s, place)
	if err != nil {
		return nil, err
	}
	return entries.read(ctx, names)
}

// Apply makes the changes at a place.
func (Provider) Apply(ctx context.Context, s *provider.Session, place provider.Place, changes []provider.Change) []provider.Result {
	results := make([]provider.Result, len(changes))
	entries, err := openStore(ctx, s, place)
	if err != nil {
		return provider.SkipRest(results, err)
	}
	return provider.SkipRest(results, entries.apply(ctx, changes, results))
}

// checkToken rejects a token that cannot be sent, such as a token with the line break of the file
// that it was read from.
func checkToken(value any) error {
	if token, _ := value.(string); !provider.IsToken(token) {
		return errors.New("must be a Vault token without spaces and line breaks")
	}
	return nil
}
