// Package naming checks names, by the rules of package names. Every name is checked here before it
// reaches storage or a key derivation.
package naming

import (
	"github.com/stashbase/vault-stashbase/shared/names"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

const (
	// Rule describes valid names of workspaces, projects, environments, integrations, syncs and
	// encryption contexts.
	Rule = names.Rule
	// SecretRule describes valid names of secrets.
	SecretRule = names.SecretRule
)

// Check returns an error if name does not follow Rule. field is the path parameter or field that
// carries the name ("workspace", "project", ...); the error begins with it.
func Check(field, name string) error {
	kind := names.Object
	if field == "workspace" {
		kind = names.Workspace
	}
	return check(kind, field, name)
}

// CheckSecret returns an error if the secret name does not follow SecretRule.
func CheckSecret(field, name string) error { return check(names.Secret, field, name) }

func check(kind names.Kind, field, name string) error {
	if err := kind.Check(name); err != nil {
		return fault.New(fault.Invalid, "%s: %v", field, err)
	}
	return nil
}
