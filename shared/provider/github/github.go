// Package github syncs to the secrets of GitHub Actions: of a repository, or of one of its environments.
//
// GitHub takes values sealed for a key of the place they go to, and answers none of them again: of what it keeps it tells names and the
// times of the last writes.
package github

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// The settings of an integration and of a destination.
const (
	fieldBaseURL     = "base_url"
	fieldToken       = "token"
	authToken        = "token"
	fieldOwner       = "owner"
	fieldRepository  = "repository"
	fieldEnvironment = "github_environment"

	defaultBaseURL = "https://api.github.com"
)

// Provider is the provider `github`.
type Provider struct{}

var _ provider.Provider = Provider{}

// New makes the provider.
func New() Provider { return Provider{} }

// Declare says what the provider takes and can do.
func (Provider) Declare() provider.Declaration {
	return provider.Declaration{
		Name:  "github",
		Title: "GitHub",
		Help: "An account at GitHub, or at a GitHub Enterprise Server. Its credential is a token that may write the secrets of the repositories that are synced to, " +
			"and nothing else: a fine-grained personal access token for just these, or an installation token of a GitHub App.",
		Fields: []provider.Field{
			{
				Name: fieldBaseURL, Endpoint: provider.EndpointURL, Default: defaultBaseURL, Example: "https://github.example.com/api/v3", Check: checkBaseURL,
				Help: "URL of the API. Of a GitHub Enterprise Server it is `https://HOST/api/v3`, of GHE.com `https://api.SUBDOMAIN.ghe.com`.",
			},
			{
				Name: provider.FieldCAPEM, Endpoint: provider.EndpointPEM,
				Help: "Certificates in PEM that the server's own may be signed with, beside those the system trusts.",
			},
		},
		Auth: []provider.AuthKind{{
			Name: authToken,
			Help: "A token of an account, or of an installation of a GitHub App.",
			Fields: []provider.Field{{
				Name: fieldToken, Secret: true, Required: true,
				Help: "The token. Fine-grained: the repository permission \"Secrets\" (read and write), and \"Environments\" (read and write) for secrets of an " +
					"environment. Classic: the scope `repo`.",
			}},
		}},
		Destinations: []provider.Destination{actions()},
		Client: provider.Client{
			Dialect: outbound.XRateLimit, Budgets: budgets(), Concurrency: concurrency, Pause: pause, MaxBody: maxBody, Classify: classify,
		},
	}
}

func actions() provider.Destination {
	return provider.Destination{
		Name:  "github-actions",
		Title: "GitHub Actions",
		Help: "Secrets of a repository for GitHub Actions, or of one of its environments. Names are upper case there, and values cannot be read back: a change " +
			"by others shows as a later time of the last write.",
		Fields: []provider.Field{
			{
				Name: fieldOwner, Required: true, Fixed: true, Example: "acme", Check: checkOwner,
				Help: "Account or organization that the repository belongs to. Case does not matter.",
			},
			{
				Name: fieldRepository, Required: true, Fixed: true, Example: "api", Check: checkRepository,
				Help: "Name of the repository, without its owner. Case does not matter.",
			},
			{
				Name: fieldEnvironment, Fixed: true, Example: "production", Check: checkEnvironment,
				Help: "Environment of the repository whose secrets are written. It must exist. Empty for the secrets of the repository itself.",
			},
		},
		Granularities: []provider.Granularity{provider.Key},
		ReadBack:      provider.ReadBackTimestamp,
		Limits: provider.Limits{
			MaxEntries: maxSecrets, MaxValueBytes: maxValue, Name: legalName, NameRule: nameRule, Reserved: []string{reserved}, TextOnly: true,
		},
		Batch:  batch,
		Fold:   fold,
		Target: target,
	}
}

// target is a place as GitHub compares it: none of the three names is case-sensitive.
func target(integration, destination provider.Values) provider.Target {
	host, err := provider.CanonicalURL(integration.Text(fieldBaseURL))
	if err != nil {
		host = integration.Text(fieldBaseURL)
	}
	path := destination.Text(fieldOwner) + "/" + destination.Text(fieldRepository)
	if environment := destination.Text(fieldEnvironment); environment != "" {
		path += "/environments/" + environment
	}
	return provider.Target{Host: host, Path: strings.ToLower(path)}
}

func checkBaseURL(value any) error {
	text, _ := value.(string)
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("must be the URL of the API, such as https://github.example.com/api/v3")
	}
	if host := strings.ToLower(u.Hostname()); host == "github.com" || host == "www.github.com" {
		return errors.New("must be the URL of the API, which is https://api.github.com for github.com")
	}
	return nil
}

var (
	// legalOwner takes the '_' that names of managed users have.
	legalOwner      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)
	legalRepository = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
)

func checkOwner(value any) error {
	if name, _ := value.(string); !legalOwner.MatchString(name) {
		return errors.New("must be the name of an account or organization, as in https://github.com/OWNER/REPOSITORY")
	}
	return nil
}

func checkRepository(value any) error {
	name, _ := value.(string)
	if !legalRepository.MatchString(name) || name == "." || name == ".." || strings.HasSuffix(strings.ToLower(name), ".git") {
		return errors.New("must be the name of a repository without owner and .git, as in https://github.com/OWNER/REPOSITORY")
	}
	return nil
}

// checkEnvironment: a name "may not exceed 255 characters" (docs.github.com/en/actions/how-tos/deploy/configure-and-manage-deployments,
// read 2026-11). It may hold slashes.
func checkEnvironment(value any) error {
	name, _ := value.(string)
	if name == "." || name == ".." || !utf8.ValidString(name) || utf8.RuneCountInString(name) > 255 || strings.ContainsFunc(name, unicode.IsControl) {
		return errors.New("must be the name of an environment of the repository, of 255 characters at the most")
	}
	return nil
}

// List answers the secrets at a place.
func (Provider) List(ctx context.Context, s *provider.Session, at provider.Place) ([]provider.Entry, error) {
	c, err := open(s)
	if err != nil {
		return nil, err
	}
	return c.list(ctx, scopeOf(at))
}

// Apply makes changes at a place, one after the other.
func (Provider) Apply(ctx context.Context, s *provider.Session, at provider.Place, changes []provider.Change) []provider.Result {
	results := make([]provider.Result, len(changes))
	c, err := open(s)
	if err == nil {
		w := writer{client: c, scope: scopeOf(at)}
		err = w.apply(ctx, changes, results)
	}
	return provider.SkipRest(results, err)
}
