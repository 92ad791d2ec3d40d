package github

import (
	"net/url"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

// scope is a place that has secrets, and a key of its own that they are sealed for.
type scope struct {
	path  string // of its secrets, from the API's base, escaped
	read  string // what a token needs to look at them, as a person says it
	write string // and to change them
	name  string // "repository" or "environment"
}

func scopeOf(at provider.Place) scope {
	path := "/repos/" + url.PathEscape(at.Settings.Text(fieldOwner)) + "/" + url.PathEscape(at.Settings.Text(fieldRepository))
	if environment := at.Settings.Text(fieldEnvironment); environment != "" {
		// Environments is the permission for their secrets too; "Secrets" is for those of the repository alone:
		// docs.github.com/en/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens, read 2026-11.
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

const orClassic = ", or the scope `repo` where it is a classic one"

// reading and writing are operations on a scope.
func (s scope) reading(name string) operation { return operation{name, s.read, s.name} }
func (s scope) writing(name string) operation { return operation{name, s.write, s.name} }
