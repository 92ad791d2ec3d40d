// Package names owns the rules for the names of the engine's objects. The engine checks each name
// of a request, and the Terraform provider checks each name of a configuration during the plan.
package names

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

const (
	// Rule describes valid names of workspaces, projects, environments, integrations, syncs and
	// encryption contexts.
	Rule = "1 to 64 characters of a-z, 0-9, '-' and '_', beginning and ending with a letter or digit"
	// SecretRule describes valid names of secrets.
	SecretRule = "1 to 255 characters of A-Z, a-z, 0-9, '_', '.' and '-', beginning with a letter or '_', without '..'"
)

// Kind selects the rule for a name.
type Kind int

// The kinds of names.
const (
	Object    Kind = iota // a project, an environment, an integration, a sync or an encryption context
	Workspace             // an Object that must not be a reserved word
	Secret
)

var (
	object = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$`)
	secret = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,254}$`)

	errObject = errors.New("not a valid name; it must be " + Rule)
	errSecret = errors.New("not a valid secret name; it must be " + SecretRule)
)

// reserved is the word that engine-level paths use in the place of a workspace name
// (`master-key/rotate`).
const reserved = "rotate"

// Check returns an error unless name is valid. The error describes valid names. It repeats the name
// only if that is a reserved word.
func (k Kind) Check(name string) error {
	switch {
	case k == Secret && (!secret.MatchString(name) || strings.Contains(name, "..")):
		return errSecret
	case k == Secret:
		return nil
	case !object.MatchString(name):
		return errObject
	case k == Workspace && name == reserved:
		return fmt.Errorf("%q is a reserved word; choose another name", name)
	default:
		return nil
	}
}
