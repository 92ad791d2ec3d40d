// Package policies owns the ready-made Vault policies: one per role, with the least privilege that
// the role needs. A policy is rendered for a mount and for the names of the role's parameters. The
// package knows the paths of the engine and nothing of the records under them.
package policies

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

// The parameters of roles.
const (
	workspace     = "workspace"
	project       = "project"
	environment   = "environment"
	cryptoContext = "context"
)

// params holds all parameters, in the order in which policies and errors name them.
var params = []string{workspace, project, environment, cryptoContext}

// Params are the values that a policy is rendered for. Mount is the path of the engine's mount
// ("stashbase/"; the trailing slash is optional). An empty name means that the parameter is not
// given.
type Params struct {
	Mount       string
	Workspace   string
	Project     string
	Environment string
	Context     string
}

func (p Params) names() map[string]string {
	return map[string]string{workspace: p.Workspace, project: p.Project, environment: p.Environment, cryptoContext: p.Context}
}

// Role describes one policy: what it allows, and which parameters it accepts. An optional parameter
// that is not given matches every name.
type Role struct {
	Name        string
	Description string
	Required    []string
	Optional    []string

	rules []rule
}

// rule is one path of a policy, relative to the mount. A path that begins with a slash belongs to
// Vault itself. `{workspace}`, `{project}`, `{environment}` and `{context}` are replaced by the
// parameters, `{mount}` by the path of the mount.
//
// Vault applies exactly one rule of a policy to a request, the most specific one, so a rule holds
// all capabilities of its path. The path of a list request ends with a slash, also when the request
// comes as `vault read ... list=true`.
type rule struct {
	why          string
	path         string
	capabilities []string
}

// Roles returns the names of all roles, sorted.
func Roles() []string {
	var names []string
	for _, role := range roles() {
		names = append(names, role.Name)
	}
	slices.Sort(names)
	return names
}

// Lookup returns the role with the given name. If none exists, the error is fault.Missing and lists
// the roles.
func Lookup(name string) (Role, error) {
	for _, role := range roles() {
		if role.Name == name {
			return role, nil
		}
	}
	// The error does not contain the name, because the name has not been checked.
	return Role{}, fault.Missing("no role has this name; the roles are %s", strings.Join(Roles(), ", "))
}

// Render returns a role's policy as HCL. The error for an unknown role is fault.Missing. The error
// for a parameter that is missing, invalid, or not a parameter of the role is fault.Invalid and
// names it.
func Render(name string, p Params) (string, error) {
	role, err := Lookup(name)
	if err != nil {
		return "", err
	}
	mount, err := cleanMount(p.Mount)
	if err != nil {
		return "", err
	}
	given := p.names()
	if err := role.check(given); err != nil {
		return "", err
	}
	var b strings.Builder
	role.writeHeader(&b, mount, given)
	fill := role.filler(mount, given)
	for _, rule := range role.rules {
		path, vaults := strings.CutPrefix(rule.path, "/")
		if !vaults {
			path = mount + path
		}
		fmt.Fprintf(&b, "\n# %s\npath \"%s\" {\n  capabilities = [\"%s\"]\n}\n",
			rule.why, fill.Replace(path), strings.Join(rule.capabilities, `", "`))
	}
	return b.String(), nil
}

func (r Role) check(given map[string]string) error {
	for _, param := range params {
		required := slices.Contains(r.Required, param)
		switch {
		case given[param] == "" && required:
			return fault.New(fault.Invalid, "%s: the role %s requires it", param, r.Name)
		case given[param] == "":
			continue
		case !required && !slices.Contains(r.Optional, param):
			return fault.New(fault.Invalid, "%s: the role %s does not accept it; the role accepts %s", param, r.Name, r.accepted())
		}
		if err := naming.Check(param, given[param]); err != nil {
			return err
		}
	}
	return nil
}

func (r Role) accepted() string {
	if names := r.params(); len(names) > 0 {
		return strings.Join(names, ", ")
	}
	return "no parameter"
}

func (r Role) params() []string { return slices.Concat(r.Required, r.Optional) }

// filler returns the replacer that puts the names into a rule's path. `+` is Vault's wildcard for
// one segment.
func (r Role) filler(mount string, given map[string]string) *strings.Replacer {
	pairs := []string{"{mount}", strings.TrimSuffix(mount, "/")}
	for _, param := range r.params() {
		value := given[param]
		if value == "" {
			value = "+"
		}
		pairs = append(pairs, "{"+param+"}", value)
	}
	return strings.NewReplacer(pairs...)
}

func (r Role) writeHeader(b *strings.Builder, mount string, given map[string]string) {
	fmt.Fprintf(b, "# %s: %s\n#\n", r.Name, r.Description)
	command := "vault read -field=policy " + shellQuoted(mount+"policies/"+r.Name)
	for _, param := range r.params() {
		shown := given[param]
		if shown == "" {
			shown = "all, including future ones"
		} else {
			command += " " + param + "=" + shown
		}
		fmt.Fprintf(b, "# %-11s  %s\n", param, shown)
	}
	fmt.Fprintf(b, "#\n# Generated by: %s\n", command)
}

// shellQuoted puts a path with unusual characters into single quotes. cleanMount has rejected
// quotes.
func shellQuoted(path string) string {
	plain := func(r rune) bool {
		return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/_.-", r))
	}
	if strings.ContainsFunc(path, func(r rune) bool { return !plain(r) }) {
		return "'" + path + "'"
	}
	return path
}

// cleanMount returns the mount with one trailing slash. It rejects characters that have a meaning
// in HCL or in Vault policies: quotes, escapes, templates and wildcards.
func cleanMount(mount string) (string, error) {
	mount = strings.TrimSuffix(strings.TrimPrefix(mount, "/"), "/")
	bad := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune("\"'`\\*+{}$%", r) }
	if strings.ContainsFunc(mount, bad) || slices.Contains(strings.Split(mount, "/"), "") {
		return "", fault.New(fault.Invalid, "mount: policies support only mount paths of printable characters, without quotes, '\\', '*', '+', '{', '}', '$', '%%' and empty segments")
	}
	return mount + "/", nil
}
