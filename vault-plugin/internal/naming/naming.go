// Package naming owns the rules for names. Every name that reaches storage or a key derivation has passed through it.
package naming

import (
	"regexp"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

const (
	// Rule describes the names of workspaces, projects, environments and the like.
	Rule = "1 to 64 characters of a-z, 0-9, '-' and '_', beginning and ending with a letter or digit"
	// SecretRule describes the names of secrets.
	SecretRule = "1 to 255 characters of A-Z, a-z, 0-9, '_', '.' and '-', beginning with a letter or '_', without '..'"
)

var (
	entity = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$`)
	secret = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,254}$`)
)

// reserved are the words that engine-level paths use where a workspace's name would stand (`master-key/rotate`).
var reserved = map[string]bool{"rotate": true}

// Check refuses a name that breaks Rule. field is the name of the parameter that carries it ("workspace", "project", ...).
func Check(field, name string) error {
	if !entity.MatchString(name) {
		return fault.New(fault.Invalid, "%s: not a valid name; it must be %s", field, Rule)
	}
	if field == "workspace" && reserved[name] {
		return fault.New(fault.Invalid, "workspace: %q is a reserved word; choose another name", name)
	}
	return nil
}

// CheckSecret refuses a secret's name that breaks SecretRule.
func CheckSecret(field, name string) error {
	if !secret.MatchString(name) || strings.Contains(name, "..") {
		return fault.New(fault.Invalid, "%s: not a valid secret name; it must be %s", field, SecretRule)
	}
	return nil
}
