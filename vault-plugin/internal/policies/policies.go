// Package policies owns the ready Vault policies: one per role, written for a mount and the names a role is about, with the
// least that the role needs. It knows the engine's paths and nothing of what is stored under them.
package policies

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

// The parameters a role may be about.
const (
	workspace     = "workspace"
	project       = "project"
	environment   = "environment"
	cryptoContext = "context"
)

// params are all parameters, in the order in which policies and errors name them.
var params = []string{workspace, project, environment, cryptoContext}

// Params is what a policy is written for. Mount is where the engine is mounted ("stashbase/"; the last slash may be left out);
// an empty name is a parameter not given.
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

// Role says what one policy allows and which parameters it is about. A role takes no parameter but these; an optional one left
// out stands for every name.
type Role struct {
	Name        string
	Description string
	Required    []string
	Optional    []string

	rules []rule
}

// rule is one path of a policy. `{workspace}`, `{project}`, `{environment}` and `{context}` stand for the parameters.
//
// Vault lets exactly one rule of a policy decide a request, the most specific, so a rule says everything about its path. A list
// asks for the path with a slash at its end, also when it comes as `vault read ... list=true`.
type rule struct {
	why          string
	path         string
	capabilities []string
}

// Roles answers the names of all roles, sorted.
func Roles() []string {
	var names []string
	for _, role := range roles() {
		names = append(names, role.Name)
	}
	slices.Sort(names)
	return names
}

// Lookup answers the role of a name, or fault.Missing with the names there are.
func Lookup(name string) (Role, error) {
	for _, role := range roles() {
		if role.Name == name {
			return role, nil
		}
	}
	// The name is left out of the error: it has passed no rule yet.
	return Role{}, fault.Missing("there is no role of this name; the roles are %s", strings.Join(Roles(), ", "))
}

// Render writes a role's policy as HCL. An unknown role is fault.Missing; a parameter that is missing, not a legal name, or not
// the role's is fault.Invalid and named.
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
	fill := role.filler(given)
	for _, rule := range role.rules {
		fmt.Fprintf(&b, "\n# %s\npath \"%s%s\" {\n  capabilities = [\"%s\"]\n}\n",
			rule.why, mount, fill.Replace(rule.path), strings.Join(rule.capabilities, `", "`))
	}
	return b.String(), nil
}

func (r Role) check(given map[string]string) error {
	for _, param := range params {
		required := slices.Contains(r.Required, param)
		switch {
		case given[param] == "" && required:
			return fault.New(fault.Invalid, "%s: the role %s needs it", param, r.Name)
		case given[param] == "":
			continue
		case !required && !slices.Contains(r.Optional, param):
			return fault.New(fault.Invalid, "%s: the role %s does not take it; it takes %s", param, r.Name, strings.Join(r.params(), ", "))
		}
		if err := naming.Check(param, given[param]); err != nil {
			return err
		}
	}
	return nil
}

func (r Role) params() []string { return slices.Concat(r.Required, r.Optional) }

// filler puts the names into a rule's path. `+` is Vault's wildcard for one segment.
func (r Role) filler(given map[string]string) *strings.Replacer {
	var pairs []string
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
			shown = "every one, also those to come"
		} else {
			command += " " + param + "=" + shown
		}
		fmt.Fprintf(b, "# %-11s  %s\n", param, shown)
	}
	fmt.Fprintf(b, "#\n# Written by: %s\n", command)
}

// shellQuoted puts a mount with unusual characters into single quotes; cleanMount has let no quote through.
func shellQuoted(path string) string {
	plain := func(r rune) bool {
		return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/_.-", r))
	}
	if strings.ContainsFunc(path, func(r rune) bool { return !plain(r) }) {
		return "'" + path + "'"
	}
	return path
}

// cleanMount answers the mount with one slash at its end. It refuses what HCL or Vault would read as more than a name: quotes,
// escapes, templates and wildcards.
func cleanMount(mount string) (string, error) {
	mount = strings.TrimSuffix(strings.TrimPrefix(mount, "/"), "/")
	bad := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune("\"'`\\*+{}$%", r) }
	if strings.ContainsFunc(mount, bad) || slices.Contains(strings.Split(mount, "/"), "") {
		return "", fault.New(fault.Invalid, "mount: a policy can be written only for a mount path of printable characters without quotes, '\\', '*', '+', '{', '}', '$' and '%%', and without empty segments")
	}
	return mount + "/", nil
}
