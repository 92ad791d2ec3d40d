package github

import (
	"net/url"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

// scope is a repository or an environment: a place with secrets and its own public key.
type scope struct {
	path  string // path of its secrets relative to the base URL, escaped
	read  string // permissions for reading, as a phrase for hints
	write string // permissions for writing
	name  string // "repository" or "environment"
}

func scopeOf(place provider.Place) scope {
	path := "/repos/" + url.PathEscape(place.Settings.Text(fieldOwner)) + "/" + url.PathEscape(place.Settings.Text(fieldRepository))
	if environment := place.Settings.Text(fieldEnvironment); environment != "" {
		// The permission "Environments" covers the secrets of environments, and "Secrets" only
		// those of the repository:
		// docs.github.com/en/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens,
		// read 2026-11.
		return scope{
			path:  path + "/environments/" + url.PathEscape(environment) + "/secrets",
			read:  `the repository permission "Environments" (read)` + orClassic,
			write: `the repository permission "Environments" (read and write)` + orClassic,
			name:  "environment",
		}
	}
	return scope{
		path:  path + "/actions/secrets",
		read:  `the repository permission "Secrets" (read)` + orClassic,
		write: `the repository permission "Secrets" (read and write)` + orClassic,
		name:  "repository",
	}
}

const orClassic = ", or the scope `repo` for a classic token"

// reading and writing return the operation with the given name on a scope.
func (s scope) reading(name string) operation { return operation{name, s.read, s.name} }
func (s scope) writing(name string) operation { return operation{name, s.write, s.name} }
