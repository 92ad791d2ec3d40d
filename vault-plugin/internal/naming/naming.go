// Package naming owns the rules for names. Every name is checked here before it reaches storage or
// a key derivation.
package naming

import (
	"regexp"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

const (
	// Rule describes valid names of workspaces, projects, environments, integrations, syncs and
	// encryption contexts.
	Rule = "1 to 64 characters of a-z, 0-9, '-' and '_', beginning and ending with a letter or digit"
	// SecretRule describes valid names of secrets.
	SecretRule = "1 to 255 characters of A-Z, a-z, 0-9, '_', '.' and '-', beginning with a letter or '_', without '..'"
)

var (
	entity = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$`)
	secret = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,254}$`)
)

// reserved holds words that engine-level paths use in the place of a workspace name
// (`master-key/rotate`).
var reserved = map[string]bool{"rotate": true}

// Check returns an error if name does not follow Rule. field is the path parameter or field that
// carries the name ("workspace", "project", ...); the error begins with it.
func Check(field, name string) error {
	if !entity.MatchString(name) {
		return fault.New(fault.Invalid, "%s: not a valid name; it must be %s", field, Rule)
	}
	if field == "workspace" && reserved[name] {
		return fault.New(fault.Invalid, "workspace: %q is a reserved word; choose another name", name)
	}
	return nil
}

// CheckSecret returns an error if the secret name does not follow SecretRule.
func CheckSecret(field, name string) error {
	if !secret.MatchString(name) || strings.Contains(name, "..") {
		return fault.New(fault.Invalid, "%s: not a valid secret name; it must be %s", field, SecretRule)
	}
	return nil
}
