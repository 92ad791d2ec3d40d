package main

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

const preamble = `<!-- Generated from the schemas and help of the paths. Do not edit: change them and run "make generate". -->

# Paths

Every path is relative to the mount, ` + "`stashbase/`" + ` in all examples. ` + "`:name`" + ` is a placeholder for a name. The engine
returns the same text: with ` + "`vault path-help stashbase/<path>`" + `, and in Vault's OpenAPI document of the mount.
[Conventions](conventions.md) describes what all paths have in common: names, errors, status codes and lists.
`

// order is the order of a path's operations, with the HTTP method and the command of each.
var order = []struct {
	operation       logical.Operation
	method, command string
}{
	{logical.ListOperation, "LIST", "vault list"},
	{logical.ReadOperation, "GET", "vault read"},
	{logical.CreateOperation, "POST, PUT", "vault write"},
	{logical.UpdateOperation, "POST, PUT", "vault write"},
	{logical.PatchOperation, "PATCH", "vault patch"},
	{logical.DeleteOperation, "DELETE", "vault delete"},
}

// reference renders the paths by family, which is their first segment, in the order in which the
// engine declares them.
func reference(paths []*framework.Path) string {
	var families []string
	members := make(map[string][]*framework.Path)
	for _, p := range paths {
		family, _, _ := strings.Cut(readable(p), "/")
		if family == "" {
			family = mountFamily
		}
		if members[family] == nil {
			families = append(families, family)
		}
		members[family] = append(members[family], p)
	}
	var b strings.Builder
	b.WriteString(preamble + "\n")
	for _, family := range families {
		fmt.Fprintf(&b, "- [%s](#%s)\n", family, family)
	}
	for _, family := range families {
		fmt.Fprintf(&b, "\n## %s\n", family)
		about := make(map[string]bool)
		for _, p := range members[family] {
			// Paths of a family share their description.
			if text := strings.Trim(p.HelpDescription, "\n"); !about[text] {
				about[text] = true
				b.WriteString("\n" + prose(text) + "\n")
			}
		}
		for _, p := range members[family] {
			writePath(&b, p)
		}
	}
	return b.String()
}

func writePath(b *strings.Builder, p *framework.Path) {
	fmt.Fprintf(b, "\n### `%s`\n\n%s\n", readable(p), prose(p.HelpSynopsis))
	b.WriteString("\n| operation | method | command | |\n| --- | --- | --- | --- |\n")
	for _, o := range order {
		if h := p.Operations[o.operation]; h != nil {
			fmt.Fprintf(b, "| %s | %s | `%s` | %s |\n", o.operation, o.method, o.command, cell(h.Properties().Summary))
		}
	}
	if len(p.Fields) > 0 {
		b.WriteString("\n| parameter | type | |\n| --- | --- | --- |\n")
		for _, name := range parameters(p) {
			f := p.Fields[name]
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, f.Type, cell(details(p, name, f)))
		}
	}
	writeResponses(b, p)
}

// writeResponses writes each response once, with the operations that return it.
func writeResponses(b *strings.Builder, p *framework.Path) {
	var descriptions []string
	operations := make(map[string][]string)
	responses := make(map[string]framework.Response)
	for _, o := range order {
		h := p.Operations[o.operation]
		if h == nil {
			continue
		}
		for _, r := range h.Properties().Responses[http.StatusOK] {
			if operations[r.Description] == nil {
				descriptions = append(descriptions, r.Description)
			}
			operations[r.Description] = append(operations[r.Description], string(o.operation))
			responses[r.Description] = r
		}
	}
	for _, d := range descriptions {
		fmt.Fprintf(b, "\nResponse to %s: %s\n", strings.Join(operations[d], ", "), prose(d))
		if len(responses[d].Fields) == 0 {
			continue
		}
		b.WriteString("\n| field | type | |\n| --- | --- | --- |\n")
		for _, name := range slices.Sorted(maps.Keys(responses[d].Fields)) {
			f := responses[d].Fields[name]
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, f.Type, cell(f.Description))
		}
	}
}

var segment = regexp.MustCompile(`\(\?P<(\w+)>[^)]*\)`)

// mountFamily is the family of the path of the mount itself.
const mountFamily = "mount"

// readable returns a pattern in the form in which people write the path.
func readable(p *framework.Path) string {
	pattern := strings.Trim(p.Pattern, "^$")
	if pattern == "" {
		return "/"
	}
	return segment.ReplaceAllString(strings.TrimSuffix(pattern, "/?"), ":$1")
}

// parameters returns the names of the fields: first those of the path in their order, then the
// others by name.
func parameters(p *framework.Path) []string {
	var names []string
	for _, m := range segment.FindAllStringSubmatch(p.Pattern, -1) {
		names = append(names, m[1])
	}
	for _, name := range slices.Sorted(maps.Keys(p.Fields)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func details(p *framework.Path, name string, f *framework.FieldSchema) string {
	text := f.Description
	if strings.Contains(p.Pattern, "<"+name+">") {
		return text + " Part of the path."
	}
	if f.AllowedValues != nil {
		var allowed []string
		for _, v := range f.AllowedValues {
			allowed = append(allowed, fmt.Sprint(v))
		}
		text += " One of: " + strings.Join(allowed, ", ") + "."
	}
	if f.Default != nil {
		text += fmt.Sprintf(" Default: %v.", f.Default)
	}
	return text
}

// prose escapes text so that Markdown does not read it as HTML. Indented lines are code and stay
// unchanged.
func prose(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "    ") {
			lines[i] = strings.ReplaceAll(line, "<", "&lt;")
		}
	}
	return strings.Join(lines, "\n")
}

func cell(text string) string { return strings.ReplaceAll(prose(text), "|", `\|`) }
