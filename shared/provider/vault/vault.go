// Package vault syncs to the KV engines of a Vault: any Vault that its address reaches, the one this engine runs in included.
//
// It speaks Vault's HTTP API through outbound. Of the engines it knows KV version 1 and 2; which one a mount is, the mount itself says.
package vault

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
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

// New makes the provider.
func New() Provider { return Provider{} }

// Declare says what the provider takes and can do.
func (Provider) Declare() provider.Declaration {
	return provider.Declaration{
		Name:  "vault",
		Title: "Vault",
		Help: "A Vault whose KV engines take secrets: any that the address reaches, this one included. Its credential is a token, whose policies say what a sync may " +
			"write: give it a periodic one of its own, with a policy for the one path that is synced.",
		Fields: []provider.Field{
			{
				Name: fieldAddress, Required: true, Endpoint: provider.EndpointURL, Example: "https://vault.example.com:8200",
				Help: "URL of the Vault. Of a cluster, that of its active node or of a load balancer: the redirect of a standby is not followed.",
			},
			{
				Name: fieldNamespace, Endpoint: provider.EndpointText, Example: "admin/platform", Check: checkNamespace,
				Help: "Namespace of Vault Enterprise, without a slash at its ends. Empty for the root.",
			},
			{
				Name: provider.FieldCAPEM, Endpoint: provider.EndpointPEM,
				Help: "Certificates in PEM that the Vault's own may be signed with, beside those the system trusts.",
			},
			{
				Name: provider.FieldServerName, Endpoint: provider.EndpointText, Example: "vault.internal",
				Help: "Name that the Vault's certificate must carry, where it is not the host of the address.",
			},
		},
		Auth: []provider.AuthKind{{
			Name: authToken,
			Help: "A token of the Vault.",
			Fields: []provider.Field{{
				Name: fieldToken, Secret: true, Required: true, Check: checkToken,
				Help: "The token. It is not renewed: one with a period, or that does not expire, spares the replacement.",
			}},
		}},
		Destinations: []provider.Destination{destination()},
		Client:       provider.Client{Concurrency: concurrency, Classify: classify},
	}
}

// lookedUp is what auth/token/lookup-self tells of a token, without the token and its accessor.
type lookedUp struct {
	DisplayName      string     `json:"display_name"`
	Policies         []string   `json:"policies"`
	IdentityPolicies []string   `json:"identity_policies"`
	Expires          *time.Time `json:"expire_time"`
	Renewable        bool       `json:"renewable"`
	Type             string     `json:"type"`
	Path             string     `json:"path"`
}

// Verify asks the Vault whose token it is.
func (Provider) Verify(ctx context.Context, s *provider.Session) (provider.Identity, error) {
	c, err := open(s)
	if err != nil {
		return provider.Identity{}, err
	}
	var told lookedUp
	if err := c.lookUp(ctx, &told); err != nil {
		return provider.Identity{}, err
	}
	identity := provider.Identity{
		Account: told.DisplayName,
		Scopes:  append(slices.Clone(told.Policies), told.IdentityPolicies...),
		Detail:  map[string]string{"token_type": told.Type, "renewable": strconv.FormatBool(told.Renewable), "created_by": told.Path},
	}
	slices.Sort(identity.Scopes)
	identity.Scopes = slices.Compact(identity.Scopes)
	if told.Expires != nil {
		identity.Expires = *told.Expires
	}
	return identity, nil
}

func (c *client) lookUp(ctx context.Context, told *lookedUp) error {
	_, err := c.get(ctx, operation{"look up the token", "read on auth/token/lookup-self, as the policy `default` does"}, "auth/token/lookup-self", told)
	if err == nil && told.Type == "" {
		return c.strange("look up the token", false, nil)
	}
	return err
}

// List answers the entries at a place.
func (Provider) List(ctx context.Context, s *provider.Session, at provider.Place) ([]provider.Entry, error) {
	k, err := find(ctx, s, at)
	if err != nil {
		return nil, err
	}
	return k.list(ctx)
}

// Look answers which of the entries named are at a place.
func (Provider) Look(ctx context.Context, s *provider.Session, at provider.Place, names []string) ([]provider.Entry, error) {
	k, err := find(ctx, s, at)
	if err != nil {
		return nil, err
	}
	return k.look(ctx, names)
}

// Read answers values of entries at a place.
func (Provider) Read(ctx context.Context, s *provider.Session, at provider.Place, names []string) ([]provider.Value, error) {
	k, err := find(ctx, s, at)
	if err != nil {
		return nil, err
	}
	return k.read(ctx, names)
}

// Apply makes changes at a place.
func (Provider) Apply(ctx context.Context, s *provider.Session, at provider.Place, changes []provider.Change) []provider.Result {
	results := make([]provider.Result, len(changes))
	k, err := find(ctx, s, at)
	if err != nil {
		return provider.SkipRest(results, err)
	}
	return provider.SkipRest(results, k.apply(ctx, changes, results))
}

// checkToken refuses what could not be sent: a token with the line break of the file it was read from, say.
func checkToken(value any) error {
	if token, _ := value.(string); !provider.IsToken(token) {
		return errors.New("must be a token of Vault, without spaces and line breaks around it")
	}
	return nil
}

func checkNamespace(value any) error {
	name, _ := value.(string)
	if strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") {
		return errors.New("must not begin or end with a slash: admin/platform")
	}
	return checkSegments(name)
}
