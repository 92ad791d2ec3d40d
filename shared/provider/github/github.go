// Package github syncs to GitHub Actions secrets of a repository, or of one of its environments.
//
// GitHub accepts values that are sealed with the public key of their scope, and never returns a
// value. It lists only the names of secrets and the times of their last writes.
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

// New returns the provider.
func New() Provider { return Provider{} }

// Declare returns the declaration.
func (Provider) Declare() provider.Declaration {
	return provider.Declaration{
		Name:  "github",
		Title: "GitHub",
		Help: "An account at GitHub or at a GitHub Enterprise Server. The credential is a token with write access to the secrets of the target repositories and nothing else: " +
			"a fine-grained personal access token for these repositories, or an installation token of a GitHub App.",
		Fields: []provider.Field{
			{
				Name: fieldBaseURL, Endpoint: provider.EndpointURL, Default: defaultBaseURL, Example: "https://github.example.com/api/v3", Check: checkBaseURL,
				Help: "URL of the API. For a GitHub Enterprise Server it is `https://HOST/api/v3`, for GHE.com `https://api.SUBDOMAIN.ghe.com`.",
			},
			{
				Name: provider.FieldCAPEM, Endpoint: provider.EndpointPEM,
				Help: "CA certificates in PEM format that are trusted in addition to the system's.",
			},
		},
		Auth: []provider.AuthKind{{
			Name: authToken,
			Help: "A token of an account or of an installation of a GitHub App.",
			Fields: []provider.Field{{
				Name: fieldToken, Secret: true, Required: true,
				Help: "The token. A fine-grained token needs the repository permission \"Secrets\" (read and write), and \"Environments\" (read and write) for secrets of an " +
					"environment. A classic token needs the scope `repo`.",
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
		Help: "GitHub Actions secrets of a repository or of one of its environments. GitHub stores names in upper case and does not return values. The value of a " +
			"secret that others have overwritten is therefore not noticed.",
		Fields: []provider.Field{
			{
				Name: fieldOwner, Required: true, Fixed: true, Example: "acme", Check: checkOwner,
				Help: "Account or organization that owns the repository. Not case-sensitive.",
			},
			{
				Name: fieldRepository, Required: true, Fixed: true, Example: "api", Check: checkRepository,
				Help: "Name of the repository, without its owner. Not case-sensitive.",
			},
			{
				Name: fieldEnvironment, Fixed: true, Example: "production", Check: checkEnvironment,
				Help: "Environment of the repository whose secrets are written. The environment must exist. Leave it empty for the secrets of the repository itself.",
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
		Object: func(at provider.Target, _ provider.Granularity) provider.ServiceObject {
			return provider.ServiceObject{Path: at.Path, PerEntry: true}
		},
	}
}

// target returns the target of a place. GitHub compares none of the three names by case.
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
	// legalOwner accepts '_', which the names of managed users contain.
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
		return errors.New("must be the name of a repository without its owner and without .git, as in https://github.com/OWNER/REPOSITORY")
	}
	return nil
}

// checkEnvironment checks the name of an environment. A name "may not exceed 255 characters"
// (docs.github.com/en/actions/how-tos/deploy/configure-and-manage-deployments, read 2026-11). It
// may contain slashes.
func checkEnvironment(value any) error {
	name, _ := value.(string)
	if name == "." || name == ".." || !utf8.ValidString(name) || utf8.RuneCountInString(name) > 255 || strings.ContainsFunc(name, unicode.IsControl) {
		return errors.New("must be the name of an environment of the repository, at most 255 characters")
	}
	return nil
}

// List returns the secrets at a place.
func (Provider) List(ctx context.Context, s *provider.Session, place provider.Place) ([]provider.Entry, error) {
	c, err := open(s)
	if err != nil {
		return nil, err
	}
	return c.list(ctx, scopeOf(place))
}

// Apply makes the changes at a place one after another.
func (Provider) Apply(ctx context.Context, s *provider.Session, place provider.Place, changes []provider.Change) []provider.Result {
	results := make([]provider.Result, len(changes))
	c, err := open(s)
	if err == nil {
		w := writer{client: c, scope: scopeOf(place)}
		err = w.apply(ctx, changes, results)
	}
	return provider.SkipRest(results, err)
}
